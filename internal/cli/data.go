package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/store"
)

func (a *app) keysCommand() *cobra.Command {
	c := &cobra.Command{Use: "keys", Short: "List and rotate the server's keys"}
	list := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List the keys, without their values", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withServer(c, func(s *server.Server) error { return a.printKeys(s.Ring().Keys()) })
		}}
	var use string
	var emergency bool
	rotate := &cobra.Command{
		Use: "rotate", Short: "Make new keys; running servers take them over by themselves", Args: cobra.NoArgs,
		Long: `Make a new key. Running servers learn of it within seconds and start to use it a little later, so that every server knows it
first; what was made with the former key stays valid until it would have expired anyway.

With --emergency, when a key may have leaked, the new key is used at once and nothing made with the former one is believed
any more: every token of that kind ends. For --use pepper that means every secret: each service account then needs a new one.`,
		RunE: func(c *cobra.Command, _ []string) error {
			uses := []keys.Use{keys.Sign, keys.Seal}
			if use != "" {
				uses = []keys.Use{keys.Use(use)}
			} else if emergency {
				return usagef("say which key has leaked: --use sign, seal or pepper")
			}
			return a.withServer(c, func(s *server.Server) error { return a.rotate(c, s.Ring(), uses, emergency) })
		},
	}
	rotate.Flags().StringVar(&use, "use", "", "sign (id_tokens), seal (tokens) or pepper (secrets); sign and seal if absent")
	rotate.Flags().BoolVar(&emergency, "emergency", false, "without overlap: what the former key made is worthless at once")
	c.AddCommand(list, rotate, a.keysReset())
	return c
}

// keysReset is for a lost master key: the only command that works without it.
func (a *app) keysReset() *cobra.Command {
	var sure bool
	c := &cobra.Command{
		Use: "reset", Short: "After the loss of the master key: drop the keys that nobody can read any more", Args: cobra.NoArgs,
		Long: `Drop the keys in the database and make a new master key, when the old one is lost for good. Accounts, projects, service accounts and
policies stay. Every token ends and every secret is worthless: each service account needs a new one. Stop the servers before.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if !sure {
				return usagef("this ends every token and every secret. If the master key is lost for good, say --yes-every-secret-is-lost")
			}
			conf, err := loadConfig(a.config)
			if err != nil {
				return err
			}
			if _, err := os.Stat(conf.MasterKeyFile); err == nil {
				return fmt.Errorf("there is a master key in %s. Move it away first if it is the wrong one", conf.MasterKeyFile)
			}
			st, err := store.Open(c.Context(), store.Config{URL: conf.Database})
			if err != nil {
				return err
			}
			if err := errors.Join(st.DropKeys(c.Context(), operatorName()), st.Close()); err != nil {
				return err
			}
			if _, _, err := makeKeyFiles(conf.MasterKeyFile, conf.AuditKeyFile); err != nil {
				return err
			}
			a.note("New master key in %s. Make new administrators with 'stackgate account recover', and new secrets for service accounts.", conf.MasterKeyFile)
			return nil
		},
	}
	c.Flags().BoolVar(&sure, "yes-every-secret-is-lost", false, "say so")
	return c
}

func (a *app) rotate(c *cobra.Command, ring *keys.Ring, uses []keys.Use, emergency bool) error {
	var made []keys.Info
	for _, u := range uses {
		if u != keys.Sign && u != keys.Seal && u != keys.Pepper {
			return usagef("--use is sign, seal or pepper, not %q", u)
		}
		info, err := ring.Rotate(c.Context(), u, emergency)
		if err != nil {
			return err
		}
		made = append(made, info)
	}
	return a.printKeys(made)
}

func (a *app) printKeys(list []keys.Info) error {
	return printList(a, list, []string{"KEY", "USE", "ALGORITHM", "CREATED", "ACTIVE", "RETIRED"}, func(k keys.Info) (any, []string) {
		row := []string{k.ID, string(k.Use), k.Algorithm, when(k.CreatedAt), when(k.ActiveAt), when(k.RetiredAt)}
		return map[string]string{"id": row[0], "use": row[1], "algorithm": row[2], "created_at": row[3], "active_at": row[4], "retired_at": row[5]}, row
	})
}

// withServer runs f with the server that the configuration describes, without its listeners and cloud.
func (a *app) withServer(c *cobra.Command, f func(*server.Server) error) (err error) {
	s, _, err := a.open(c.Context())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return f(s)
}

func (a *app) audit() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "Verify and list the audit log"}
	verify := &cobra.Command{
		Use: "verify", Short: "Check that no record was changed, removed or reordered", Args: cobra.NoArgs,
		Long: `Check the hash chain of all audit records and the signatures of the checkpoints. Checkpoints are signed with the audit key, which
is not in the database, so that somebody who can write the database cannot make a chain that verifies.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withRegistry(c.Context(), func(r *registry.Registry, caller iam.Caller) error {
				report, err := r.VerifyAudit(c.Context(), caller)
				if err != nil {
					return err
				}
				return a.print(report, func(w io.Writer) { _, _ = fmt.Fprintln(w, report) })
			})
		},
	}
	c.AddCommand(verify)
	return c
}

func (a *app) backup() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "backup", Short: "Write a backup of database and keys, while the server runs", Args: cobra.NoArgs,
		Long: `Write a consistent backup of the whole database, the keys in it still encrypted under the master key. The server may run. Keep the
master key and the audit key elsewhere: a backup is of no use without the first.`,
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := loadConfig(a.config)
			if err != nil {
				return err
			}
			st, err := store.Open(c.Context(), store.Config{URL: conf.Database})
			if err != nil {
				return err
			}
			err = a.writeBackup(c, st, out)
			return errors.Join(err, st.Close())
		},
	}
	c.Flags().StringVarP(&out, "file", "f", "", "file to write (required)")
	_ = c.MarkFlagRequired("file")
	return c
}

// writeBackup writes to a new file beside out and moves it there when it is whole.
func (a *app) writeBackup(c *cobra.Command, st *store.Store, out string) error {
	f, err := os.OpenFile(out+".part", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = st.Backup(c.Context(), f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), out); err != nil {
		return err
	}
	a.note("Backup written to %s.", out)
	return nil
}

func (a *app) restore() *cobra.Command {
	var in string
	c := &cobra.Command{
		Use: "restore", Short: "Restore a backup into an empty database", Args: cobra.NoArgs,
		Long: "Restore a backup into the database that the configuration names, which must be empty; of either kind, SQLite or PostgreSQL. Stop the server before.",
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := loadConfig(a.config)
			if err != nil {
				return err
			}
			f, err := os.Open(in)
			if err != nil {
				return err
			}
			st, err := store.Open(c.Context(), store.Config{URL: conf.Database})
			if err != nil {
				return errors.Join(err, f.Close())
			}
			if err = errors.Join(st.Restore(c.Context(), f), f.Close(), st.Close()); err == nil {
				a.note("Restored from %s. Start the server with the master key that the backup was made under.", in)
			}
			return err
		},
	}
	c.Flags().StringVarP(&in, "file", "f", "", "file that 'stackgate backup' wrote (required)")
	_ = c.MarkFlagRequired("file")
	return c
}

func (a *app) rights() *cobra.Command {
	return &cobra.Command{Use: "rights", Short: "Print the eleven rights and the sixteen roles they grant", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		list := []any{}
		for _, r := range iam.Rights() {
			roles := []string{}
			for role := range r.Roles.All() {
				roles = append(roles, role.String())
			}
			list = append(list, map[string]any{"right": r.Action, "roles": roles})
		}
		return a.print(list, func(w io.Writer) { _, _ = io.WriteString(w, iam.RightsTable()) })
	}}
}
