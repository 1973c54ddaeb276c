package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/rbac"
)

func (a *app) operationList(dir *string) *cobra.Command {
	var service string
	var markdown bool
	c := &cobra.Command{
		Use: "list", Short: "Print the operation table", Args: cobra.NoArgs,
		Long: `Print the operation table: every OpenStack call that is known, and the roles of which one allows it. Any other call is refused.

"any" is whoever has any role on the project, "public" needs no token, "nobody" is the cloud administrator's. What stands in
brackets tells a call from others on its path; what follows "refuses" is refused whatever the roles.`,
		Example: "  stackgate operation list --service network\n  stackgate operation list --service compute -o json",
		RunE: func(*cobra.Command, []string) error {
			t, err := a.operationTable(*dir)
			if err != nil {
				return err
			}
			ops, err := operationsOf(t, service)
			if err != nil {
				return err
			}
			if markdown {
				writeOperations(a.out, ops)
				return nil
			}
			return a.printOperations(ops)
		},
	}
	c.Flags().StringVar(&service, "service", "", "only this `service`: compute, block-storage, image, network, object-store or ai-training")
	c.Flags().BoolVar(&markdown, "markdown", false, "print the page of docs/operations")
	_ = c.Flags().MarkHidden("markdown") // the flag is there
	_ = c.RegisterFlagCompletionFunc("service", completeServices)
	return c
}

func completeServices(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, s := range rbac.Services() {
		names = append(names, s.CatalogType())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func operationsOf(t *rbac.Table, service string) ([]*rbac.Operation, error) {
	all := t.Operations()
	if service == "" {
		return all, nil
	}
	s, ok := rbac.ParseService(service)
	if !ok {
		names, _ := completeServices(nil, nil, "")
		return nil, usagef("there is no service %q; there are %s", service, strings.Join(names, ", "))
	}
	var out []*rbac.Operation
	for _, op := range all {
		if op.Service == s {
			out = append(out, op)
		}
	}
	return out, nil
}

// wireOperation is an operation as JSON.
type wireOperation struct {
	Service   string   `json:"service"`
	Family    string   `json:"family"`
	Method    string   `json:"method"`
	Prefixes  []string `json:"prefixes"`
	Path      string   `json:"path"`
	Action    string   `json:"action"`
	When      []string `json:"when"`
	Refused   []string `json:"refused"`
	Dropped   []string `json:"dropped"`
	Rule      string   `json:"rule"`
	Access    string   `json:"access"`
	Roles     []string `json:"roles"`
	Anonymous bool     `json:"anonymous"`
	Source    string   `json:"source"`
}

func (a *app) printOperations(ops []*rbac.Operation) error {
	list := []wireOperation{}
	var rows [][]string
	for _, op := range ops {
		w := wireOperation{
			Service: op.Service.CatalogType(), Family: op.Family, Method: op.Method, Prefixes: op.Prefixes, Path: op.Path, Action: op.Action,
			Rule: op.Rule, Access: accessName(op), Roles: roleNames(op.Roles), Anonymous: op.Anonymous, Source: op.Source,
		}
		w.When, w.Refused, w.Dropped = op.Conditions()
		list = append(list, w)
		rows = append(rows, []string{w.Service, op.Method, callOf(op), op.Name(), whoMay(op), strings.Join(w.Refused, " ")})
	}
	return a.print(list, func(out io.Writer) {
		table(out, []string{"SERVICE", "METHOD", "CALL", "RULE", "WHO MAY", "REFUSES"}, rows)
	})
}

func roleNames(roles rbac.Roles) []string {
	out := []string{}
	for r := range roles.All() {
		out = append(out, r.String())
	}
	return out
}

func accessName(op *rbac.Operation) string {
	return [...]string{rbac.Nobody: "nobody", rbac.ByRole: "roles", rbac.AnyRole: "any", rbac.Public: "public"}[op.Access]
}

func whoMay(op *rbac.Operation) string {
	who := accessName(op)
	if op.Access == rbac.ByRole {
		who = strings.Join(roleNames(op.Roles), " ")
	}
	if op.Anonymous {
		who += " (without a token: as the service says)"
	}
	return who
}

// callOf gives the path and, in brackets, what tells the call from others on it.
func callOf(op *rbac.Operation) string {
	out := op.Path
	if op.Action != "" {
		out += " [" + op.Action + "]"
	}
	when, _, _ := op.Conditions()
	for _, w := range when {
		out += " [" + w + "]"
	}
	return out
}
