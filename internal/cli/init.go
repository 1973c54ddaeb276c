package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/urn"
)

func (a *app) initialise() *cobra.Command {
	var account, description string
	c := &cobra.Command{
		Use: "init --account ACCOUNT", Short: "Make the schema, the keys, an account and its first administrator", Args: cobra.NoArgs,
		Long: `Make what 'serve' needs, where it is missing: the master key and the audit key (files beside the configuration), the
schema, the keys in the database; and an account with its first administrator.

The administrator is a service account like any other: people have no login yet. Its secret is printed this once.
Running init again changes nothing and makes no second administrator; 'stackgate account recover' does.

Keep copies of the master key and the audit key away from the database: without the master key the keys in
the database cannot be read.`,
		Example: "  stackgate init --config stackgate.yaml --account eu/xx11111-ovh",
		RunE: func(c *cobra.Command, _ []string) error {
			id, err := parseAccount(account)
			if err != nil {
				return err
			}
			return a.runInit(c.Context(), id, description)
		},
	}
	c.Flags().StringVar(&account, "account", "", "the account to make, such as eu/xx11111-ovh (required)")
	c.Flags().StringVar(&description, "description", "", "what the account is for")
	_ = c.MarkFlagRequired("account")
	return a.configFlag(c)
}

func (a *app) runInit(ctx context.Context, id urn.Account, description string) error {
	conf, err := loadConfig(a.config)
	if err != nil {
		return err
	}
	if os.Getenv("STACKGATE_MASTER_KEY") == "" {
		if err := a.guardMaster(conf); err != nil {
			return err
		}
		if _, _, err := makeKeyFiles(conf.MasterKeyFile, conf.AuditKeyFile); err != nil {
			return err
		}
	}
	return a.withRegistry(ctx, func(r *registry.Registry, caller iam.Caller) error {
		_, err := r.CreateAccount(ctx, caller, iam.Account{ID: id, Description: description})
		if errors.Is(err, iam.Conflict) {
			a.note("Account %s is there already; nothing changed. A lost administrator: stackgate account recover %s", accountName(id), accountName(id))
			return nil
		}
		if err != nil {
			return err
		}
		return a.makeAdministrator(ctx, r, caller, id)
	})
}

// guardMaster refuses to make a new master key beside a database that was made with another.
func (a *app) guardMaster(conf Config) error {
	_, keyErr := os.Stat(conf.MasterKeyFile)
	_, dbErr := os.Stat(conf.Database)
	if errors.Is(keyErr, os.ErrNotExist) && dbErr == nil {
		return fmt.Errorf("%s is there but its master key %s is not. Restore the key; see docs/operate.md if it is lost", conf.Database, conf.MasterKeyFile)
	}
	return nil
}
