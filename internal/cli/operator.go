package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/urn"
)

func (a *app) operatorCommands() []*cobra.Command {
	list := []*cobra.Command{a.account(), a.project(), a.keystone(), a.service(), a.middleware(), a.keysCommand(), a.audit(), a.backup(), a.restore()}
	for _, c := range list {
		a.configFlag(c)
	}
	return list
}

// open gives the server that the configuration describes, without a listener and without its cloud, and the operator as caller.
func (a *app) open(ctx context.Context) (*server.Server, iam.Caller, error) {
	conf, err := loadConfig(a.config)
	if err != nil {
		return nil, iam.Caller{}, err
	}
	log, err := newLogger(a.err, "text", "warn")
	if err != nil {
		return nil, iam.Caller{}, err
	}
	sc, err := conf.server(log)
	if err != nil {
		return nil, iam.Caller{}, err
	}
	sc.Sandbox = nil
	s, err := server.New(ctx, sc)
	return s, iam.Caller{Operator: operatorName()}, err
}

// withRegistry runs f on the store that the configuration names.
func (a *app) withRegistry(ctx context.Context, f func(*registry.Registry, iam.Caller) error) (err error) {
	s, caller, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return f(s.Registry(), caller)
}

// operatorName is who the audit says has acted on the store.
func operatorName() string {
	for _, v := range []string{"SUDO_USER", "USER", "LOGNAME"} {
		if name := os.Getenv(v); name != "" {
			return name
		}
	}
	return fmt.Sprintf("uid-%d", os.Getuid())
}

// parseAccount reads eu/xx11111-ovh; without a partition it is eu.
func parseAccount(s string) (urn.Account, error) {
	partition, name, ok := strings.Cut(s, "/")
	if !ok {
		partition, name = string(urn.EU), s
	}
	acc := urn.Account{Partition: urn.Partition(partition), Name: name}
	if _, err := urn.Parse(string(urn.AccountIdentity(acc))); err != nil {
		return urn.Account{}, usagef("%q is not an account such as eu/xx11111-ovh", s)
	}
	return acc, nil
}

func accountName(a urn.Account) string { return string(a.Partition) + "/" + a.Name }

func (a *app) account() *cobra.Command {
	c := &cobra.Command{Use: "account", Short: "Create, list, disable and recover accounts"}
	var description string
	create := &cobra.Command{
		Use: "create ACCOUNT", Short: "Create an account and its first administrator", Example: "  stackgate account create eu/xx11111-ovh", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := parseAccount(args[0])
			if err != nil {
				return err
			}
			return a.withRegistry(c.Context(), func(r *registry.Registry, caller iam.Caller) error {
				if _, err := r.CreateAccount(c.Context(), caller, iam.Account{ID: id, Description: description}); err != nil {
					return err
				}
				return a.makeAdministrator(c.Context(), r, caller, id)
			})
		},
	}
	create.Flags().StringVar(&description, "description", "", "what the account is for")
	recover := &cobra.Command{
		Use: "recover ACCOUNT", Short: "Make a new administrator for an account that has lost its own", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := parseAccount(args[0])
			if err != nil {
				return err
			}
			return a.withRegistry(c.Context(), func(r *registry.Registry, caller iam.Caller) error {
				return a.makeAdministrator(c.Context(), r, caller, id)
			})
		},
	}
	c.AddCommand(create, a.accountList(), a.accountSwitch("disable", true), a.accountSwitch("enable", false), recover)
	return c
}

// makeAdministrator makes a service account that may administer the account, and prints its secret, this once.
func (a *app) makeAdministrator(ctx context.Context, r *registry.Registry, caller iam.Caller, id urn.Account) error {
	made, secret, _, err := r.RecoverAdministrator(ctx, caller, id, "administrator")
	if err != nil {
		return err
	}
	v := map[string]string{"account": accountName(id), "client_id": string(made.ID), "client_secret": secret, "identity": string(made.Identity())}
	err = a.print(v, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "# Administrator of %s: a service account like any other. The secret is shown this once.\n"+
			"export STACKGATE_CLIENT_ID=%s\nexport STACKGATE_CLIENT_SECRET=%s\n", accountName(id), quote(string(made.ID)), quote(secret))
	})
	return err
}

func (a *app) accountList() *cobra.Command {
	return &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List all accounts", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return a.withRegistry(c.Context(), func(r *registry.Registry, caller iam.Caller) error {
			list, err := all(func(p registry.Page) ([]iam.Account, string, error) { return r.Accounts(c.Context(), caller, p) })
			if err != nil {
				return err
			}
			return printList(a, list, []string{"ACCOUNT", "DESCRIPTION", "STATE", "CREATED"}, func(v iam.Account) (any, []string) {
				row := []string{accountName(v.ID), v.Description, state(v.Disabled), when(v.CreatedAt)}
				return map[string]any{"account": row[0], "description": v.Description, "disabled": v.Disabled, "created_at": v.CreatedAt}, row
			})
		})
	}}
}

// all walks the pages of a list.
func all[T any](page func(registry.Page) ([]T, string, error)) ([]T, error) {
	var out []T
	for after := ""; ; {
		list, next, err := page(registry.Page{After: after, Limit: 1000})
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
		if next == "" {
			return out, nil
		}
		after = next
	}
}

// printList prints a list as a table, or as JSON objects.
func printList[T any](a *app, list []T, head []string, show func(T) (any, []string)) error {
	objects, rows := []any{}, [][]string{}
	for _, v := range list {
		o, row := show(v)
		objects, rows = append(objects, o), append(rows, row)
	}
	return a.print(objects, func(w io.Writer) { table(w, head, rows) })
}

func state(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}

func (a *app) accountSwitch(verb string, disabled bool) *cobra.Command {
	return &cobra.Command{Use: verb + " ACCOUNT", Short: strings.ToUpper(verb[:1]) + verb[1:] + " an account; its service accounts are out (or in) at once", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := parseAccount(args[0])
			if err != nil {
				return err
			}
			return a.withRegistry(c.Context(), func(r *registry.Registry, caller iam.Caller) error {
				if err := r.SetAccountDisabled(c.Context(), caller, id, disabled); err != nil {
					return err
				}
				a.note("Account %s is %s.", accountName(id), state(disabled))
				return nil
			})
		}}
}

func (a *app) project() *cobra.Command {
	c := &cobra.Command{Use: "project", Short: "Create, list and disable projects"}
	var account, id, description string
	create := &cobra.Command{
		Use: "create NAME --account ACCOUNT", Short: "Create a project in an account", Args: cobra.ExactArgs(1),
		Long: "Create a project in an account. With --id it has the id of a project that the cloud behind already knows.",
		RunE: func(c *cobra.Command, args []string) error {
			owner, err := parseAccount(account)
			if err != nil {
				return err
			}
			if id == "" && c.Flags().Changed("id") {
				return usagef("--id is empty: what should have given the id did not")
			}
			return a.withRegistry(c.Context(), func(r *registry.Registry, caller iam.Caller) error {
				caller.Account = owner
				made, err := r.CreateProject(c.Context(), caller, iam.Project{ID: iam.ProjectID(id), Owner: owner, Name: args[0], Description: description})
				if err != nil {
					return err
				}
				return a.print(projectJSON(made), func(w io.Writer) { _, _ = fmt.Fprintln(w, made.ID) })
			})
		},
	}
	create.Flags().StringVar(&account, "account", "", "owner, such as eu/xx11111-ovh (required)")
	create.Flags().StringVar(&id, "id", "", "32 lower-case hexadecimal digits; generated if absent")
	create.Flags().StringVar(&description, "description", "", "what the project is for")
	_ = create.MarkFlagRequired("account")
	c.AddCommand(create, a.projectList(), a.projectSwitch("disable", true), a.projectSwitch("enable", false))
	return c
}

func projectJSON(p iam.Project) any {
	return map[string]any{"id": p.ID, "name": p.Name, "account": accountName(p.Owner), "description": p.Description, "disabled": p.Disabled, "created_at": p.CreatedAt}
}

func (a *app) projectList() *cobra.Command {
	return &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List the projects of all accounts", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return a.withRegistry(c.Context(), func(r *registry.Registry, caller iam.Caller) error {
			list, err := all(func(p registry.Page) ([]iam.Project, string, error) { return r.Projects(c.Context(), caller, p) })
			if err != nil {
				return err
			}
			return printList(a, list, []string{"PROJECT", "NAME", "ACCOUNT", "STATE", "CREATED"}, func(v iam.Project) (any, []string) {
				return projectJSON(v), []string{string(v.ID), v.Name, accountName(v.Owner), state(v.Disabled), when(v.CreatedAt)}
			})
		})
	}}
}

func (a *app) projectSwitch(verb string, disabled bool) *cobra.Command {
	return &cobra.Command{Use: verb + " PROJECT", Short: strings.ToUpper(verb[:1]) + verb[1:] + " a project, at once", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRegistry(c.Context(), func(r *registry.Registry, caller iam.Caller) error {
				if err := r.SetProjectDisabled(c.Context(), caller, iam.ProjectID(args[0]), disabled); err != nil {
					return err
				}
				a.note("Project %s is %s.", args[0], state(disabled))
				return nil
			})
		}}
}
