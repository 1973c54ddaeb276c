package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/urn"
)

// micros is a time as a column holds it.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// OwnerKey is an account as a column holds it. A partition has no colon.
func OwnerKey(a urn.Account) string { return string(a.Partition) + ":" + a.Name }

func fromOwnerKey(key string) urn.Account {
	partition, name, _ := strings.Cut(key, ":")
	return urn.Account{Partition: urn.Partition(partition), Name: name}
}

// encode writes a value that SQL never looks into.
func encode(v any) (string, error) {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("encode a column: %w", err)
	}
	return string(b), nil
}

func decode(text string, v any) error {
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("decode a column: %w", err)
	}
	return nil
}

// A scanner is a row in either of its two forms.
type scanner interface{ Scan(dest ...any) error }

// one reads one row.
func one[T any](ctx context.Context, t *Tx, scan func(scanner, *T) error, query string, args ...any) (T, error) {
	var v T
	err := scan(t.tx.QueryRowContext(ctx, query, args...), &v)
	if err != nil {
		var zero T
		return zero, classify(err)
	}
	return v, nil
}

// many reads all rows of a query, which bounds itself.
func many[T any](ctx context.Context, t *Tx, scan func(scanner, *T) error, query string, args ...any) (list []T, err error) {
	rows, err := t.tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, classify(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, classify(err)
		}
		list = append(list, v)
	}
	return list, classify(rows.Err())
}

// exec runs a statement that may touch any number of rows.
func (t *Tx) exec(ctx context.Context, query string, args ...any) error {
	_, err := t.tx.ExecContext(ctx, query, args...)
	return classify(err)
}

// execOne runs a statement that must touch a row, else ErrNotFound.
func (t *Tx) execOne(ctx context.Context, query string, args ...any) error {
	res, err := t.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return classify(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return classify(orNotFound(err))
	}
	return nil
}

func orNotFound(err error) error {
	if err == nil {
		return sql.ErrNoRows
	}
	return err
}

// count reads one number.
func (t *Tx) count(ctx context.Context, query string, args ...any) (int, error) {
	var n int
	err := t.tx.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, classify(err)
}
