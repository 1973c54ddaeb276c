package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/api"
	"github.com/stackgate/stackgate/internal/iam"
)

// explainFlags say which decisions to explain.
type explainFlags struct {
	list                      bool
	limit                     int
	account, project, service string
	body, from                string
	headers                   []string
}

func (a *app) explain() *cobra.Command {
	var f explainFlags
	c := &cobra.Command{
		Use: "explain {REQUEST_ID | --list | --service-account ID --project ID -- [METHOD] URL}", Args: cobra.MaximumNArgs(2),
		Short: "Say why a call of OpenStack was refused or let through, and what would change it",
		Long: `Say why a call of OpenStack was refused or let through, and what would change it.

After the fact, give the request id that the client printed, or any of the headers X-Stackgate-Request-Id, X-Openstack-Request-Id and X-Trans-Id
of the answer. Every refusal (403) is kept for a day, up to 10000 of an account, and one in a hundred grants; the server's configuration may
say otherwise. --list shows the latest refusals.

Before the fact, say whose call it would be, on which project, and the call: nothing is sent to the cloud. The call is METHOD (GET if it is left
out) and a URL as the client would send it, or the path behind the gateway (/GRA1/compute/v2.1/servers), or with --service the path behind
the service's own root. Quote it, and put -- before it.

The answer has the operation's name, the roles of which one is needed, the roles and rights that were held, how the same call stands now, every
statement of a policy that speaks of a right that would do, whether it counts, and what would let the call through: each line alone is
enough. A service account may ask about itself; who asks about others needs account:apiovh:me/api/decision/get.`,
		Example: `  stackgate explain req-0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f
  stackgate explain --list --service-account EU.0f0f0f0f0f0f0f0f
  stackgate explain --service-account EU.0f0f0f0f0f0f0f0f --project 0f0f… -- GET 'https://stackgate.example/GRA1/compute/v2.1/servers'
  echo '{"reboot":{"type":"SOFT"}}' | stackgate explain --service-account EU.0f0f0f0f0f0f0f0f --project 0f0f… --service compute --body - -- POST /v2.1/servers/ID/action
  stackgate explain -o json req-0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f | jq -r '.changes[].text'`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.withClient(func(cl *api.Client) error { return a.runExplain(c.Context(), cl, f, args) })
		},
	}
	fl := c.Flags()
	fl.BoolVar(&f.list, "list", false, "list the latest refusals, of --service-account if it is given")
	fl.IntVar(&f.limit, "limit", 20, "with --list: how many, up to 1000")
	fl.StringVar(&f.account, "service-account", "", "client `id` of whose call it would be")
	fl.StringVar(&f.project, "project", "", "`id` of the project that the token would be for")
	fl.StringVar(&f.service, "service", "", "`type` of the service in the catalog (compute, block-storage, image, network, object-store, ai-training)")
	fl.StringVar(&f.body, "body", "", "`file` with the call's body, - for standard input")
	fl.StringVar(&f.from, "from", "", "`address` that the call would come from, for policies with a condition on it")
	fl.StringArrayVarP(&f.headers, "header", "H", nil, "`header` of the call, as 'Name: value'")
	return c
}

func (a *app) runExplain(ctx context.Context, cl *api.Client, f explainFlags, args []string) error {
	switch {
	case f.list && len(args) == 0:
		return a.listRefusals(ctx, cl, f)
	case f.list || len(args) == 0:
		return usagef("give a request id, or --list, or a call: see 'stackgate explain --help'")
	case len(args) == 1 && f.project == "" && !strings.Contains(args[0], "/"):
		d, err := cl.Decision(ctx, args[0])
		if err != nil {
			return err
		}
		return a.printDecision(d)
	}
	q, err := f.question(a, args)
	if err != nil {
		return err
	}
	d, err := cl.PreviewDecision(ctx, q)
	if err != nil {
		return err
	}
	return a.printDecision(d)
}

// question makes the call that the arguments describe.
func (f *explainFlags) question(a *app, args []string) (q api.DecisionQuestion, err error) {
	if f.account == "" || f.project == "" {
		return q, usagef("say whose call it would be (--service-account) and on which project (--project)")
	}
	q = api.DecisionQuestion{ServiceAccount: f.account, Project: f.project, Service: f.service, Address: f.from, Headers: map[string]string{}}
	if len(args) == 2 {
		q.Method = args[0]
	}
	target := args[len(args)-1]
	if _, rest, ok := strings.Cut(target, "://"); ok && !strings.HasPrefix(target, "/") {
		if f.service != "" {
			return q, usagef("with --service give the path behind the service's root, not a whole URL")
		}
		_, path, _ := strings.Cut(rest, "/")
		target = "/" + path
	}
	q.Path, q.Query, _ = strings.Cut(target, "?")
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return q, usagef("--header %q is not 'Name: value'", h)
		}
		q.Headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	if f.body == "" {
		return q, nil
	}
	body, err := a.readFile(f.body)
	if err == nil && !utf8.Valid(body) {
		err = fmt.Errorf("the body is not UTF-8 text; nothing in such a body decides")
	}
	q.Body = string(body)
	return q, err
}

func (a *app) listRefusals(ctx context.Context, cl *api.Client, f explainFlags) error {
	if f.limit < 1 || f.limit > 1000 {
		return usagef("--limit is from 1 to 1000")
	}
	list, _, err := cl.Refusals(ctx, f.account, "", f.limit)
	if own := os.Getenv("STACKGATE_CLIENT_ID"); f.account == "" && iam.KindOf(err) == iam.Denied { // a service account sees its own
		a.note("Only those of %s: %s", own, message(err))
		list, _, err = cl.Refusals(ctx, own, "", f.limit)
	}
	if err != nil {
		return err
	}
	return printList(a, list, []string{"TIME", "REQUEST", "SERVICE ACCOUNT", "CALL", "VERDICT", "NEEDS"}, func(d api.Decision) (any, []string) {
		return d, []string{timeOf(d.Time), d.ID, d.ServiceAccount, d.Call.Method + " " + d.Call.Service + " " + d.Call.Path, d.Verdict, strings.Join(d.RolesNeeded, " or ")}
	})
}

func (a *app) printDecision(d api.ExplainedDecision) error {
	return a.print(d, func(w io.Writer) {
		table(w, []string{"FIELD", "VALUE"}, decisionRows(d))
		writeStatements(w, d.Rights)
		writeChanges(w, d)
	})
}

func decisionRows(d api.ExplainedDecision) [][]string {
	var rows [][]string
	add := func(field string, values ...string) {
		if value := strings.TrimSpace(strings.Join(values, " ")); value != "" {
			rows = append(rows, []string{field, value})
		}
	}
	add("request", d.ID, d.OtherID)
	if d.Time != nil {
		add("time", when(*d.Time))
	}
	add("service account", d.ServiceAccount)
	add("project", d.Project)
	add("call", d.Call.Method, d.Call.Service, d.Call.Region, d.Call.Path)
	add("from", d.Call.Address)
	add("operation", d.Operation)
	add("verdict", verdict(d.Granted, d.Verdict))
	add("field", d.Field)
	add("message", d.Message)
	add("roles needed", strings.Join(d.RolesNeeded, " or "))
	add("roles held", orNone(d.RolesHeld))
	if d.ID != "" && d.Granted != d.Now.Granted {
		add("now", verdict(d.Now.Granted, "by the policies as they are now"))
		add("roles held now", orNone(d.Now.RolesHeld))
	}
	add("rights held now", orNone(d.Now.RightsHeld))
	add("blocked", d.Now.Blocked)
	return rows
}

func verdict(granted bool, why string) string {
	if granted {
		return "let through: " + why
	}
	return "refused: " + why
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func writeStatements(w io.Writer, rights []api.DecidedRight) {
	var rows [][]string
	for _, r := range rights {
		for _, s := range r.Statements {
			in := s.PolicyName
			if s.PermissionsGroup != "" {
				in += " by " + s.PermissionsGroup
			}
			rows = append(rows, []string{r.Action, s.Effect, s.Statement, in, s.Status})
		}
	}
	if len(rows) > 0 {
		_, _ = fmt.Fprintln(w)
		table(w, []string{"RIGHT THAT WOULD DO", "EFFECT", "STATEMENT", "POLICY", "STATUS"}, rows)
	}
}

func writeChanges(w io.Writer, d api.ExplainedDecision) {
	if d.Advice != "" {
		_, _ = fmt.Fprintf(w, "\n%s\n", d.Advice)
	}
	if len(d.Changes) == 0 {
		return
	}
	_, _ = fmt.Fprintln(w, "\nEach of these would let the call through:")
	for _, c := range d.Changes {
		_, _ = fmt.Fprintf(w, "  * %s\n", c.Text)
		for _, s := range c.Steps {
			if command := commandOf(s, d); command != "" {
				_, _ = fmt.Fprintf(w, "      %s\n", command)
			}
		}
	}
}

// commandOf gives what to type for a step, where one command does it.
func commandOf(s api.ChangeStep, d api.ExplainedDecision) string {
	switch s.Change {
	case "add policy":
		return fmt.Sprintf("stackgate policy create --service-account %s --right %s --project %s", d.ServiceAccount, s.Right, d.Project)
	case "enable service account":
		return "stackgate service-account enable " + d.ServiceAccount
	}
	return ""
}
