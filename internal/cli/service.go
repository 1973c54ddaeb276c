package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/urn"
)

func (a *app) service() *cobra.Command {
	c := &cobra.Command{
		Use: "service", Short: "Create, list, rotate and delete the service accounts of OpenStack's own services",
		Long: `Create, list, rotate and delete the service accounts with which real services (Glance, Swift, …) validate everybody's tokens
here. Such an account has the role service on a project of its own, which no policy grants. It is one from its creation on,
and nobody can change it, or give it a secret, but whoever runs these commands.`,
	}
	c.AddCommand(a.serviceCreate(), a.serviceList(), a.serviceRotate(), a.serviceSwitch("disable", true), a.serviceSwitch("enable", false), a.serviceDelete())
	return c
}

func (a *app) serviceCreate() *cobra.Command {
	var account, project, file string
	c := &cobra.Command{
		Use: "create NAME", Short: "Create the service account of a service", Args: cobra.ExactArgs(1),
		Long: `Create the service account of a service. Its account, which should be one for services alone, and its project there are made
where they are missing. The secret is written to --secret-file, or else printed, this once.`,
		Example: `  stackgate service create glance --secret-file /root/glance.secret
  stackgate middleware print glance --service EU.0f0f0f0f0f0f0f0f --secret-file /root/glance.secret`,
		RunE: func(c *cobra.Command, args []string) error {
			owner, err := parseAccount(account)
			if err != nil {
				return err
			}
			return a.withSecretFile(file, func(secrets *secretFile) error {
				return a.withRegistry(c.Context(), func(r *registry.Registry, caller iam.Caller) error {
					caller.Account = owner
					id, err := serviceProject(c.Context(), r, caller, project)
					if err != nil {
						return err
					}
					made, secret, err := r.CreateServiceAccount(c.Context(), caller, iam.ServiceAccount{Owner: owner, Name: args[0], ServiceProject: id})
					if err != nil {
						return err
					}
					return a.showService(secrets, made, secret)
				})
			})
		},
	}
	c.Flags().StringVar(&account, "account", "eu/services", "owner")
	c.Flags().StringVar(&project, "project", "service", "`name` of the project on which it is a service")
	c.Flags().StringVar(&file, "secret-file", "", "new `file` for the secret, readable by its owner")
	return c
}

// serviceProject finds or makes the caller's account and a project of it.
func serviceProject(ctx context.Context, r *registry.Registry, caller iam.Caller, name string) (iam.ProjectID, error) {
	_, err := r.CreateAccount(ctx, caller, iam.Account{ID: caller.Account, Description: "OpenStack's services"})
	if err != nil && !errors.Is(err, iam.Conflict) {
		return "", err
	}
	list, err := all(func(p registry.Page) ([]iam.Project, string, error) { return r.Projects(ctx, caller, p) })
	if err != nil {
		return "", err
	}
	for _, p := range list {
		if p.Name == name && p.Owner == caller.Account {
			return p.ID, nil
		}
	}
	made, err := r.CreateProject(ctx, caller, iam.Project{Owner: caller.Account, Name: name, Description: "OpenStack's services"})
	return made.ID, err
}

// showService prints a service account; its secret only where no file takes it.
func (a *app) showService(secrets *secretFile, s iam.ServiceAccount, secret string) error {
	shown, head, row := map[string]any{}, []string{"CLIENT ID", "PROJECT"}, []string{string(s.ID), string(s.ServiceProject)}
	if secrets == nil {
		shown["client_secret"], head, row = secret, append(head, "SECRET (shown this once)"), append(row, secret)
	} else if err := secrets.write(secret); err != nil {
		return err
	}
	shown["client_id"], shown["project_id"] = s.ID, s.ServiceProject
	return a.print(shown, func(w io.Writer) { table(w, head, [][]string{row}) })
}

func (a *app) serviceList() *cobra.Command {
	return &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List the service accounts of services", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return a.withRegistry(c.Context(), func(r *registry.Registry, caller iam.Caller) error {
			list, err := all(func(p registry.Page) ([]iam.ServiceAccount, string, error) { return r.Services(c.Context(), caller, p) })
			if err != nil {
				return err
			}
			return printList(a, list, []string{"CLIENT ID", "NAME", "ACCOUNT", "PROJECT", "STATE", "CREATED"}, func(s iam.ServiceAccount) (any, []string) {
				row := []string{string(s.ID), s.Name, accountName(s.Owner), string(s.ServiceProject), state(s.Disabled), when(s.CreatedAt)}
				return map[string]any{"client_id": s.ID, "name": s.Name, "account": row[2], "project_id": s.ServiceProject, "disabled": s.Disabled, "created_at": s.CreatedAt}, row
			})
		})
	}}
}

func (a *app) serviceRotate() *cobra.Command {
	var file string
	var overlap time.Duration
	c := &cobra.Command{Use: "rotate CLIENT_ID", Short: "Make a new secret; the others end after --overlap", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withSecretFile(file, func(secrets *secretFile) error {
			return a.withService(c.Context(), args[0], func(r *registry.Registry, caller iam.Caller, s iam.ServiceAccount) error {
				_, secret, err := r.RotateSecrets(c.Context(), caller, s.ID, "stackgate service rotate", overlap)
				if err != nil {
					return err
				}
				return a.showService(secrets, s, secret)
			})
		})
	}
	c.Flags().StringVar(&file, "secret-file", "", "new `file` for the secret, readable by its owner")
	c.Flags().DurationVar(&overlap, "overlap", time.Hour, "how long the other secrets still work")
	return c
}

func (a *app) serviceSwitch(verb string, disabled bool) *cobra.Command {
	return &cobra.Command{Use: verb + " CLIENT_ID", Short: "Let a service validate tokens no more, or again; at once", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withService(c.Context(), args[0], func(r *registry.Registry, caller iam.Caller, s iam.ServiceAccount) error {
				if err := r.SetServiceAccountDisabled(c.Context(), caller, s.ID, disabled); err != nil {
					return err
				}
				a.note("Service %s is %s.", s.ID, state(disabled))
				return nil
			})
		}}
}

func (a *app) serviceDelete() *cobra.Command {
	return &cobra.Command{Use: "delete CLIENT_ID", Short: "Delete the service account of a service, for good", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withService(c.Context(), args[0], func(r *registry.Registry, caller iam.Caller, s iam.ServiceAccount) error {
				return r.DeleteServiceAccount(c.Context(), caller, s.ID)
			})
		}}
}

// withService runs f on a service account that is a service, and on no other: those are their accounts' business.
func (a *app) withService(ctx context.Context, id string, f func(*registry.Registry, iam.Caller, iam.ServiceAccount) error) error {
	return a.withRegistry(ctx, func(r *registry.Registry, caller iam.Caller) error {
		s, err := r.ServiceAccount(ctx, caller, iam.ClientID(id))
		if err != nil {
			return err
		}
		if s.ServiceProject == "" {
			return fmt.Errorf("%s is no service: 'stackgate service list' shows which are", id)
		}
		caller.Account = s.Owner
		return f(r, caller, s)
	})
}

// A secretFile is a new file that only its owner can read. It is made before the secret is, so that no secret is lost.
type secretFile struct{ *os.File }

func (f *secretFile) write(secret string) error {
	if _, err := fmt.Fprintln(f, secret); err != nil {
		return fmt.Errorf("write the secret: %w", err)
	}
	return nil
}

// withSecretFile runs f with a new file, or with none if no name is given. The file is gone again if f fails.
func (a *app) withSecretFile(name string, f func(*secretFile) error) error {
	if name == "" {
		return f(nil)
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("the file for the secret: %w", err)
	}
	err = errors.Join(f(&secretFile{file}), file.Close())
	if err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// providerOf is the name of a partition's identity provider, which is the domain of its users.
func (c *Config) providerOf(partition urn.Partition) (string, error) {
	providers := server.DefaultProviders()
	if c.Providers != nil {
		providers = nil
	}
	for _, p := range c.Providers {
		providers = append(providers, server.Provider{Name: p.Name, Partition: urn.Partition(p.Partition)})
	}
	for _, p := range providers {
		if p.Partition == partition {
			return p.Name, nil
		}
	}
	return "", fmt.Errorf("no identity provider is configured for the partition %s", partition)
}
