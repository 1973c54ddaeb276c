package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/api"
)

// A groupKind is what differs between the two kinds of groups on the command line.
type groupKind[T any] struct {
	use, what, key string // command, name in a sentence, how one is named
	list           func(context.Context, *api.Client) ([]T, error)
	show           func(context.Context, *api.Client, string) (T, error)
	create         func(context.Context, *api.Client, T) (T, error)
	replace        func(context.Context, *api.Client, string, T) (T, error)
	remove         func(context.Context, *api.Client, string) error
	nameOf, keyOf  func(T) string
	head           []string
	row            func(T) []string
}

func (a *app) resourceGroup() *cobra.Command {
	return groupCommand(a, groupKind[api.ResourceGroup]{
		use: "resource-group", what: "resource group", key: "ID",
		list: func(ctx context.Context, c *api.Client) ([]api.ResourceGroup, error) {
			return c.ResourceGroups(ctx, false)
		},
		show: func(ctx context.Context, c *api.Client, id string) (api.ResourceGroup, error) {
			return c.ResourceGroup(ctx, id, true)
		},
		create: func(ctx context.Context, c *api.Client, g api.ResourceGroup) (api.ResourceGroup, error) {
			return c.CreateResourceGroup(ctx, g)
		},
		replace: func(ctx context.Context, c *api.Client, id string, g api.ResourceGroup) (api.ResourceGroup, error) {
			return c.ReplaceResourceGroup(ctx, id, g)
		},
		remove: func(ctx context.Context, c *api.Client, id string) error { return c.DeleteResourceGroup(ctx, id) },
		nameOf: func(g api.ResourceGroup) string { return g.Name }, keyOf: func(g api.ResourceGroup) string { return g.ID },
		head: []string{"ID", "NAME", "RESOURCES", "URN"},
		row: func(g api.ResourceGroup) []string {
			return []string{g.ID, g.Name, fmt.Sprint(len(g.Resources)), g.URN}
		},
	})
}

func (a *app) permissionsGroup() *cobra.Command {
	return groupCommand(a, groupKind[api.PermissionsGroup]{
		use: "permissions-group", what: "permissions group", key: "URN",
		list: func(ctx context.Context, c *api.Client) ([]api.PermissionsGroup, error) {
			return c.PermissionsGroups(ctx)
		},
		show: func(ctx context.Context, c *api.Client, u string) (api.PermissionsGroup, error) {
			return c.PermissionsGroup(ctx, u)
		},
		create: func(ctx context.Context, c *api.Client, g api.PermissionsGroup) (api.PermissionsGroup, error) {
			return c.CreatePermissionsGroup(ctx, g)
		},
		replace: func(ctx context.Context, c *api.Client, u string, g api.PermissionsGroup) (api.PermissionsGroup, error) {
			return c.ReplacePermissionsGroup(ctx, u, g)
		},
		remove: func(ctx context.Context, c *api.Client, u string) error { return c.DeletePermissionsGroup(ctx, u) },
		nameOf: func(g api.PermissionsGroup) string { return g.Name }, keyOf: func(g api.PermissionsGroup) string { return g.URN },
		head: []string{"URN", "NAME", "OWNER", "DESCRIPTION"},
		row: func(g api.PermissionsGroup) []string {
			return []string{g.URN, g.Name, g.Owner, text(g.Description)}
		},
	})
}

func groupCommand[T any](a *app, k groupKind[T]) *cobra.Command {
	c := &cobra.Command{Use: k.use, Short: "Apply, list and delete " + k.what + "s"}
	list := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List " + k.what + "s", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return a.withClient(func(cl *api.Client) error {
			all, err := k.list(c.Context(), cl)
			if err != nil {
				return err
			}
			return printList(a, all, k.head, func(g T) (any, []string) { return g, k.row(g) })
		})
	}}
	show := &cobra.Command{Use: "show " + k.key, Short: "Show a " + k.what + " as JSON, ready for apply -f", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(func(cl *api.Client) error {
			g, err := k.show(c.Context(), cl, args[0])
			if err != nil {
				return err
			}
			a.output = "json"
			return a.print(g, nil)
		})
	}}
	remove := &cobra.Command{Use: "delete " + k.key + "...", Short: "Delete " + k.what + "s", Args: cobra.MinimumNArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(func(cl *api.Client) error {
			return each(args, func(key string) error { return k.remove(c.Context(), cl, key) })
		})
	}}
	c.AddCommand(groupApply(a, k), list, show, remove)
	return c
}

func groupApply[T any](a *app, k groupKind[T]) *cobra.Command {
	var file string
	c := &cobra.Command{Use: "apply -f FILE", Short: "Create the " + k.what + " of this name, or make it be as the file says", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		want, err := decodeFile[T](a, file)
		if err != nil {
			return err
		}
		return a.withClient(func(cl *api.Client) error {
			all, err := k.list(c.Context(), cl)
			if err != nil {
				return err
			}
			got, what := want, "created"
			for _, g := range all {
				if k.nameOf(g) == k.nameOf(want) {
					what = "changed"
					got = g
				}
			}
			if what == "changed" {
				got, err = k.replace(c.Context(), cl, k.keyOf(got), want)
			} else {
				got, err = k.create(c.Context(), cl, want)
			}
			if err != nil {
				return err
			}
			return a.print(got, func(w io.Writer) { _, _ = fmt.Fprintln(w, k.keyOf(got), what) })
		})
	}
	c.Flags().StringVarP(&file, "file", "f", "", k.what+" as JSON, - for standard input (required)")
	_ = c.MarkFlagRequired("file")
	return c
}

func (a *app) whoami() *cobra.Command {
	return &cobra.Command{Use: "whoami", Short: "Show this service account's projects, roles and the policies behind them", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withClient(func(cl *api.Client) error {
				v, err := cl.Access(c.Context())
				if err != nil {
					return err
				}
				return a.print(v, func(w io.Writer) { printAccess(w, v) })
			})
		}}
}

func printAccess(w io.Writer, v api.Access) {
	_, _ = fmt.Fprintf(w, "identity  %s\naccount   %s\n", v.Identity, v.Account)
	if len(v.Projects) == 0 {
		_, _ = fmt.Fprintln(w, "No policy gives it a role on any project.")
		return
	}
	rows := [][]string{}
	for _, p := range v.Projects {
		for _, r := range p.Rights {
			for _, why := range r.Reasons {
				if why.Effect == "allow" {
					rows = append(rows, []string{p.ID, p.Name, r.Action, why.PolicyName, why.PolicyID})
				}
			}
		}
	}
	_, _ = fmt.Fprintln(w)
	table(w, []string{"PROJECT", "NAME", "RIGHT", "BY POLICY", "POLICY ID"}, rows)
	for _, p := range v.Projects {
		_, _ = fmt.Fprintf(w, "\nroles on %s:", p.ID)
		for _, r := range p.Roles {
			_, _ = fmt.Fprintf(w, " %s", r)
		}
	}
	_, _ = fmt.Fprintln(w)
}
