package store

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

var (
	//go:embed schema.sql
	schema1 string
	//go:embed schema2.sql
	schema2 string
	//go:embed schema3.sql
	schema3 string
)

// migrate brings the schema up to this program's version, each step in a transaction of its own, with PostgreSQL under a lock that
// keeps a second replica waiting.
func (s *Store) migrate(ctx context.Context) error {
	dialect := goose.DialectSQLite3
	steps := []*goose.Migration{s.step(1, schema1), s.step(2, schema2), s.step(3, schema3)}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(steps...)}
	if s.postgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("prepare migrations: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, s.write, nil, options...)
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return classify(away(fmt.Errorf("read the schema's version: %w", err)))
	}
	if have > want {
		return fmt.Errorf("the database has schema %d, this program knows up to %d: run a newer stackgate", have, want)
	}
	if have == want {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// step makes a migration of an SQL text written for PostgreSQL. SQLite has no collation "C"; bytewise is what it does anyway.
func (s *Store) step(version int64, text string) *goose.Migration {
	if !s.postgres {
		text = strings.ReplaceAll(text, ` COLLATE "C"`, "")
	}
	run := func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, text)
		return err
	}
	return goose.NewGoMigration(version, &goose.GoFunc{RunTx: run}, nil)
}
