package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/api"
)

func (a *app) serviceAccount() *cobra.Command {
	c := &cobra.Command{Use: "service-account", Aliases: []string{"sa"}, Short: "Create, list, disable and rotate service accounts"}
	c.AddCommand(a.saCreate(), a.saList(), a.saShow(), a.saUpdate(), a.saDelete(), a.saDisable(), a.saEnable(), a.secret())
	return c
}

func (a *app) saCreate() *cobra.Command {
	var in api.ServiceAccountCreation
	var description string
	var life time.Duration
	c := &cobra.Command{
		Use: "create NAME", Short: "Create a service account; prints its secret, this once", Args: cobra.ExactArgs(1),
		Example: "  stackgate service-account create monitoring --description 'reads servers for the dashboard'",
		RunE: func(c *cobra.Command, args []string) error {
			in.Name, in.Description, in.Flow, in.CallbackURLs, in.TokenLife = args[0], &description, "CLIENT_CREDENTIALS", []string{}, int(life/time.Second)
			return a.withClient(func(cl *api.Client) error {
				made, err := cl.CreateServiceAccount(c.Context(), in)
				if err != nil {
					return err
				}
				return a.print(made, func(w io.Writer) {
					table(w, []string{"CLIENT ID", "SECRET (shown this once)", "IDENTITY"}, [][]string{{made.ClientID, made.ClientSecret, made.Identity}})
				})
			})
		},
	}
	c.Flags().StringVar(&description, "description", "", "what it is for")
	c.Flags().StringVar(&in.DefaultProject, "default-project", "", "project that the bare client id logs in to")
	c.Flags().DurationVar(&life, "token-life", 0, "life of its Identity tokens, 10m to 24h; the server's default if absent")
	return c
}

func (a *app) saList() *cobra.Command {
	var unused string
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List service accounts; with --unused 90d those to clean up", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if unused != "" {
				if _, err := parseSpan(unused); err != nil {
					return err
				}
			}
			return a.withClient(func(cl *api.Client) error {
				list, err := cl.ServiceAccounts(c.Context(), unused)
				if err != nil {
					return err
				}
				return printList(a, list, []string{"CLIENT ID", "NAME", "STATE", "CREATED", "LAST USED", "DESCRIPTION"}, func(s api.ServiceAccount) (any, []string) {
					return s, []string{s.ClientID, text(s.Name), state(s.Disabled != nil && *s.Disabled), when(s.CreatedAt), lastUsed(s.Secrets), text(s.Description)}
				})
			})
		},
	}
	c.Flags().StringVar(&unused, "unused", "", "only those unused for this `span`, such as 90d")
	return c
}

// lastUsed is the latest use of any secret.
func lastUsed(list []api.Secret) string {
	var latest time.Time
	for _, s := range list {
		if s.LastUsedAt != nil && s.LastUsedAt.After(latest) {
			latest = *s.LastUsedAt
		}
	}
	return when(latest)
}

func (a *app) saShow() *cobra.Command {
	return &cobra.Command{Use: "show CLIENT_ID", Short: "Show a service account", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(func(cl *api.Client) error {
			s, err := cl.ServiceAccount(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(s, func(w io.Writer) {
				rows := [][]string{
					{"client id", s.ClientID}, {"name", text(s.Name)}, {"description", text(s.Description)}, {"identity", s.Identity},
					{"state", state(s.Disabled != nil && *s.Disabled)}, {"created", when(s.CreatedAt)}, {"default project", text(s.DefaultProject)},
				}
				table(w, []string{"FIELD", "VALUE"}, rows)
				_, _ = fmt.Fprintln(w)
				table(w, secretHead, secretRows(s.Secrets))
			})
		})
	}}
}

func (a *app) saUpdate() *cobra.Command {
	var name, description, project string
	var life time.Duration
	c := &cobra.Command{Use: "update CLIENT_ID", Short: "Change name, description, default project or token life", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withClient(func(cl *api.Client) error {
			s, err := cl.ServiceAccount(c.Context(), args[0])
			if err != nil {
				return err
			}
			flags := c.Flags()
			if flags.Changed("name") {
				s.Name = &name
			}
			if flags.Changed("description") {
				s.Description = &description
			}
			if flags.Changed("default-project") {
				s.DefaultProject = &project
			}
			if flags.Changed("token-life") {
				s.TokenLife = new(int(life / time.Second))
			}
			return cl.UpdateServiceAccount(c.Context(), args[0], s)
		})
	}
	c.Flags().StringVar(&name, "name", "", "new name")
	c.Flags().StringVar(&description, "description", "", "new description")
	c.Flags().StringVar(&project, "default-project", "", "project that the bare client id logs in to; empty for none")
	c.Flags().DurationVar(&life, "token-life", 0, "life of its Identity tokens, 10m to 24h; 0 for the server's default")
	return c
}

func (a *app) saDelete() *cobra.Command {
	return &cobra.Command{Use: "delete CLIENT_ID...", Short: "Delete service accounts, for good; their tokens end at once", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withClient(func(cl *api.Client) error {
				return each(args, func(id string) error { return cl.DeleteServiceAccount(c.Context(), id) })
			})
		}}
}

// each does f for every argument and reports every failure.
func each(args []string, f func(string) error) error {
	var errs []error
	for _, arg := range args {
		if err := f(arg); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s", arg, message(err)))
		}
	}
	return errors.Join(errs...)
}

func (a *app) saDisable() *cobra.Command {
	return &cobra.Command{Use: "disable CLIENT_ID", Short: "Stop a service account at once; says what goes on all the same", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withClient(func(cl *api.Client) error {
				if err := cl.DisableServiceAccount(c.Context(), args[0]); err != nil {
					return err
				}
				a.note(`Service account %s is disabled.
Stopped: logging in, every token it holds (the next call is refused), open connections through the gateway within seconds.
Not stopped: what it has set up in the cloud goes on without it: servers it started, TempURL keys, container ACLs and
container synchronisation, SSH keys on servers. Look through them, and change TempURL keys it may know.
Undo: stackgate service-account enable %s`, args[0], args[0])
				return nil
			})
		}}
}

func (a *app) saEnable() *cobra.Command {
	return &cobra.Command{Use: "enable CLIENT_ID", Short: "Let a disabled service account in again", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withClient(func(cl *api.Client) error { return cl.EnableServiceAccount(c.Context(), args[0]) })
		}}
}

func (a *app) secret() *cobra.Command {
	c := &cobra.Command{Use: "secret", Short: "List, add, rotate and delete the secrets of a service account"}
	c.AddCommand(a.secretList(), a.secretAdd(), a.secretRotate(), &cobra.Command{
		Use: "delete CLIENT_ID SECRET_ID", Short: "Delete a secret; tokens made with it end at once", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withClient(func(cl *api.Client) error { return cl.DeleteSecret(c.Context(), args[0], args[1]) })
		},
	})
	return c
}

var secretHead = []string{"SECRET ID", "DESCRIPTION", "CREATED", "EXPIRES", "LAST USED", "FROM", "CLIENT"}

func secretRows(list []api.Secret) (rows [][]string) {
	for _, s := range list {
		rows = append(rows, secretRow(s))
	}
	return rows
}

func secretRow(s api.Secret) []string {
	agent, _, _ := strings.Cut(s.LastUsedAgent, " ")
	return []string{s.ID, s.Description, when(s.CreatedAt), timeOf(s.ExpiresAt), timeOf(s.LastUsedAt), s.LastUsedFrom, agent}
}

func (a *app) secretList() *cobra.Command {
	return &cobra.Command{Use: "list CLIENT_ID", Aliases: []string{"ls"}, Short: "List secrets with expiry and last use; never their values", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withClient(func(cl *api.Client) error {
				list, err := cl.Secrets(c.Context(), args[0])
				if err != nil {
					return err
				}
				return printList(a, list, secretHead, func(s api.Secret) (any, []string) { return s, secretRow(s) })
			})
		}}
}

func (a *app) secretAdd() *cobra.Command {
	var in api.SecretCreation
	var expires string
	c := &cobra.Command{Use: "add CLIENT_ID", Short: "Add a further secret; prints it, this once", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		if expires != "" {
			d, err := parseSpan(expires)
			if err != nil {
				return err
			}
			in.ExpiresIn = int64(d / time.Second)
		}
		return a.withClient(func(cl *api.Client) error {
			made, err := cl.AddSecret(c.Context(), args[0], in)
			if err != nil {
				return err
			}
			return a.print(made, func(w io.Writer) { printSecret(w, made) })
		})
	}
	c.Flags().StringVar(&in.Description, "description", "", "where it is used")
	c.Flags().StringVar(&expires, "expires", "", "`span` after which it ends, such as 90d; never if absent")
	return c
}

func printSecret(w io.Writer, s api.NewSecret) {
	table(w, []string{"SECRET ID", "SECRET (shown this once)", "EXPIRES"}, [][]string{{s.ID, s.ClientSecret, timeOf(s.ExpiresAt)}})
}

func (a *app) secretRotate() *cobra.Command {
	var in api.Rotation
	var overlap string
	c := &cobra.Command{Use: "rotate CLIENT_ID", Short: "Make a new secret and let the others end after an overlap", Args: cobra.ExactArgs(1),
		Example: "  stackgate service-account secret rotate EU.0f0f0f0f0f0f0f0f --overlap 24h"}
	c.RunE = func(c *cobra.Command, args []string) error {
		in.Overlap = new(int64(0))
		if overlap != "0" {
			d, err := parseSpan(overlap)
			if err != nil {
				return err
			}
			*in.Overlap = int64(d / time.Second)
		}
		return a.withClient(func(cl *api.Client) error {
			made, err := cl.RotateSecrets(c.Context(), args[0], in)
			if err != nil {
				return err
			}
			return a.print(made, func(w io.Writer) { printSecret(w, made) })
		})
	}
	c.Flags().StringVar(&in.Description, "description", "", "where it is used")
	c.Flags().StringVar(&overlap, "overlap", "24h", "`span` for which the other secrets still work; 0 ends them at once")
	return c
}
