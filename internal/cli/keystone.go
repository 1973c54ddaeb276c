package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/provision"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/urn"
)

// keystoneFlags say which Keystone, and who its administrator is.
type keystoneFlags struct {
	provider, cloud string
	remove          bool
}

func (a *app) keystone() *cobra.Command {
	var f keystoneFlags
	c := &cobra.Command{
		Use: "keystone", Short: "Bring an operator's own Keystone in line with the accounts and projects",
		Long: `Bring an operator's own Keystone in line with the accounts and projects, so that it trusts one of our identity providers.

The provider has the key "keystone" in the configuration, which makes its id_tokens be for that Keystone. In the Keystone it needs a
domain, an identity provider, a mapping, a protocol and the sixteen roles, and for each project and right a group with the right's roles.
docs/run-with-your-keystone.md goes through all of it.`,
	}
	c.PersistentFlags().StringVar(&f.provider, "identity-provider", "", "`name`; needed where several have a keystone")
	c.AddCommand(a.keystonePlan(&f), a.keystoneApply(&f), a.keystonePrint(&f))
	return c
}

func (f *keystoneFlags) register(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.cloud, "cloud", "", "`entry` of clouds.yaml that is an administrator of the Keystone; that of OS_CLOUD if absent")
	c.Flags().BoolVar(&f.remove, "remove", false, "take away what was made for the identity provider")
	return c
}

func (a *app) keystonePlan(f *keystoneFlags) *cobra.Command {
	return f.register(&cobra.Command{
		Use: "plan --cloud NAME", Short: "Compare and print what apply would change", Args: cobra.NoArgs,
		Long: `Compare the Keystone with what the accounts and projects need, and print what apply would change. Nothing is changed.

A note is something to know, a conflict something in the way that Stackgate did not make and so does not touch.`,
		Example: "  stackgate keystone plan --cloud admin",
		RunE: func(c *cobra.Command, _ []string) error {
			_, plan, err := a.plan(c.Context(), f)
			if err != nil {
				return err
			}
			return a.printPlan(plan)
		},
	})
}

func (a *app) keystoneApply(f *keystoneFlags) *cobra.Command {
	return f.register(&cobra.Command{
		Use: "apply --cloud NAME", Short: "Compare, print and change", Args: cobra.NoArgs,
		Long: `Compare the Keystone with what the accounts and projects need, print the plan and carry it out. What fails half-way is continued by
the next run. What Stackgate did not make is never changed or removed. Run it again when a project was created, disabled or enabled.`,
		Example: "  stackgate keystone apply --cloud admin",
		RunE: func(c *cobra.Command, _ []string) error {
			k, plan, err := a.plan(c.Context(), f)
			if err != nil {
				return err
			}
			if err := a.printPlan(plan); err != nil {
				return err
			}
			return k.Apply(c.Context(), plan, func(done, of int, c provision.Change) {
				a.note("%d/%d %s %s %s", done, of, c.Verb, c.Kind, c.Name)
			})
		},
	})
}

// plan logs in and compares.
func (a *app) plan(ctx context.Context, f *keystoneFlags) (*provision.Keystone, *provision.Plan, error) {
	trust, partition, err := a.trust(f.provider)
	if err != nil {
		return nil, nil, err
	}
	if f.cloud == "" {
		f.cloud = os.Getenv("OS_CLOUD")
	}
	if f.cloud == "" {
		return nil, nil, usagef("name the administrator's entry of clouds.yaml with --cloud")
	}
	projects, err := a.provisioned(ctx, partition)
	if err != nil {
		return nil, nil, err
	}
	client, err := identityClient(ctx, f.cloud)
	if err != nil {
		return nil, nil, err
	}
	k := provision.New(client, trust)
	if f.remove {
		plan, err := k.Removal(ctx)
		return k, plan, err
	}
	plan, err := k.Plan(ctx, projects, func(done, of int) {
		if done%50 == 0 && of > 50 {
			a.note("Comparing: %d of %d projects", done, of)
		}
	})
	return k, plan, err
}

// trust finds the identity provider that has a Keystone of its own.
func (a *app) trust(name string) (provision.Trust, urn.Partition, error) {
	conf, err := loadConfig(a.config)
	if err != nil {
		return provision.Trust{}, "", err
	}
	var found []ProviderEntry
	for _, p := range conf.Providers {
		if p.Keystone != "" && (name == "" || name == p.Name) {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 0:
		return provision.Trust{}, "", fmt.Errorf("configuration %s: no identity provider %shas the key keystone, the address of the Keystone that trusts it", a.config,
			strings.TrimLeft(name+" ", " "))
	case len(found) > 1:
		return provision.Trust{}, "", usagef("several identity providers have a keystone: choose one with --identity-provider")
	}
	p := found[0]
	partition := urn.Partition(p.Partition)
	return provision.Trust{Provider: p.Name, Issuer: server.Issuer(conf.PublicURL, partition), Audience: p.Keystone}, partition, nil
}

// provisioned lists the projects of a partition that anybody can have rights on now.
func (a *app) provisioned(ctx context.Context, partition urn.Partition) (out []iam.Project, err error) {
	err = a.withRegistry(ctx, func(r *registry.Registry, caller iam.Caller) error {
		accounts, err := all(func(p registry.Page) ([]iam.Account, string, error) { return r.Accounts(ctx, caller, p) })
		if err != nil {
			return err
		}
		off := map[urn.Account]bool{}
		for _, account := range accounts {
			off[account.ID] = account.Disabled
		}
		projects, err := all(func(p registry.Page) ([]iam.Project, string, error) { return r.Projects(ctx, caller, p) })
		for _, p := range projects {
			if p.Owner.Partition == partition && !p.Disabled && !off[p.Owner] {
				out = append(out, p)
			}
		}
		return err
	})
	return out, err
}

func (a *app) printPlan(plan *provision.Plan) error {
	if plan.Pending()+len(plan.Conflicts()) == 0 && a.output != "json" {
		defer a.note("Nothing to do.")
	}
	if len(plan.Changes) == 0 && a.output != "json" {
		return nil
	}
	return printList(a, plan.Changes, []string{"CHANGE", "KIND", "NAME", "DETAIL"}, func(c provision.Change) (any, []string) {
		row := []string{string(c.Verb), c.Kind, c.Name, c.Detail}
		return map[string]any{"change": c.Verb, "kind": c.Kind, "name": c.Name, "detail": c.Detail}, row
	})
}

func (a *app) keystonePrint(f *keystoneFlags) *cobra.Command {
	return &cobra.Command{
		Use: "print apache|keystone.conf|mapping", Short: "Print what the Keystone's configuration needs, and the mapping for those who make it by hand",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] != "apache" && args[0] != "keystone.conf" && args[0] != "mapping" {
				return usagef("print one of apache, keystone.conf and mapping")
			}
			return nil
		},
		ValidArgs: []string{"apache", "keystone.conf", "mapping"},
		Example:   "  stackgate keystone print apache >/etc/apache2/stackgate.conf",
		RunE: func(_ *cobra.Command, args []string) error {
			trust, _, err := a.trust(f.provider)
			if err != nil {
				return err
			}
			var text string
			switch args[0] {
			case "apache":
				text, err = trust.Apache(rand.Text())
			case "keystone.conf":
				text = trust.KeystoneConf()
			case "mapping":
				text = trust.Mapping()
			}
			if err != nil {
				return err
			}
			_, err = io.WriteString(a.out, text)
			return err
		},
	}
}
