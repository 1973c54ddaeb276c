// Package store keeps rows: one SQL text for SQLite and PostgreSQL, with migrations. It has no rules in it.
//
// Every write goes through Update, whose first statement takes the one row of the revision table. Writers queue there, so commit
// order is revision order, and everything that a transaction reads afterwards is the last committed state.
//
//	st, err := store.Open(ctx, store.Config{URL: "sqlite:/var/lib/stackgate/db", Now: time.Now})
//	err = st.Update(ctx, func(tx *store.Tx) error { return tx.InsertAccount(ctx, a) })
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	// The two drivers.
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/stackgate/stackgate/internal/audit"
)

// What a row operation can come back with. Anything else is a failure of the database.
var (
	ErrNotFound = errors.New("no such row")
	ErrExists   = errors.New("a row with this key exists")
	ErrAway     = errors.New("the database cannot be reached")
)

// Config configures a Store.
type Config struct {
	URL string           // sqlite:<path>, a bare path, or postgres://…
	Now func() time.Time // nil: time.Now
}

// A Store is safe for concurrent use.
type Store struct {
	write, read *sql.DB
	postgres    bool
	now         func() time.Time
}

// Open opens the database, makes or brings up to date its schema, and refuses one that is newer than this program.
func Open(ctx context.Context, c Config) (*Store, error) {
	s := &Store{now: c.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if err := s.open(c.URL); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open(raw string) (err error) {
	if strings.HasPrefix(raw, "postgres://") || strings.HasPrefix(raw, "postgresql://") {
		s.postgres = true
		// Writers wait for the revision row; in a pool of their own they cannot keep readers from a connection.
		if s.write, err = openPool(raw, 4); err != nil {
			return err
		}
		s.read, err = openPool(raw, 16)
		return err
	}
	path := strings.TrimPrefix(raw, "sqlite:")
	if path == "" || strings.Contains(path, "://") {
		return fmt.Errorf("want sqlite:<path> or postgres://…")
	}
	// The file holds what secrets are compared with: SQLite would let everybody read it. Its companions get the same mode.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if s.write, err = sql.Open("sqlite", sqliteDSN(path, "immediate")); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", sqliteDSN(path, "deferred")+"&_pragma=query_only(1)"); err != nil {
		return errors.Join(err, s.write.Close())
	}
	s.read.SetMaxOpenConns(8)
	s.read.SetMaxIdleConns(8)
	return nil
}

// openPool opens PostgreSQL. It does not connect yet.
func openPool(raw string, size int) (*sql.DB, error) {
	db, err := sql.Open("pgx", raw)
	if err != nil {
		return nil, errors.New("malformed postgres URL") // the driver's text may hold the password
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// sqliteDSN gives settings per connection: a pooled handle would otherwise have some connections without them.
func sqliteDSN(path, txlock string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	return u.String() + "?_txlock=" + txlock + "&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=cache_size(-4000)"
}

// Close closes the database.
func (s *Store) Close() error {
	return errors.Join(s.read.Close(), s.write.Close())
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var n int64
	return classify(s.read.QueryRowContext(ctx, `SELECT n FROM revision`).Scan(&n))
}

// A Tx is a transaction. In Update it may write; in View it sees one snapshot.
type Tx struct {
	tx       *sql.Tx
	Now      time.Time // the one reading of the clock, cut to microseconds
	Revision int64     // Update: of this change; View: of the snapshot
	Pruned   int64     // changes up to here have been forgotten
	Audit    audit.Chain

	writable bool
	changes  []Change
}

// attempts bounds how often a transaction that lost against another is run again.
const attempts = 10

// Update runs fn in a transaction that has taken the revision row, and commits if fn returns nil. Fn may run more than once. When Update
// returns nil the change is durable. It returns the changes that fn named.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) ([]Change, error) {
	for try := 1; ; try++ {
		changes, err := s.update(ctx, fn)
		if err == nil || try == attempts || !isConflict(err) {
			return changes, classify(err)
		}
	}
}

func (s *Store) update(ctx context.Context, fn func(*Tx) error) ([]Change, error) {
	// PostgreSQL's READ COMMITTED is wanted: each statement after the lock sees all that committed before it.
	sqlTx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, away(err)
	}
	defer func() { _ = sqlTx.Rollback() }() // after Commit it does nothing
	tx := &Tx{tx: sqlTx, Now: s.now().UTC().Truncate(time.Microsecond), writable: true}
	row := sqlTx.QueryRowContext(ctx, `UPDATE revision SET n = n + 1 RETURNING n, pruned, audit_seq, audit_hash`)
	if err := tx.scanRevision(row); err != nil {
		return nil, away(err)
	}
	if err := fn(tx); err != nil {
		return nil, err
	}
	if err := tx.finish(ctx); err != nil {
		return nil, err
	}
	return tx.changes, sqlTx.Commit()
}

// finish writes the end of the audit chain beside the revision.
func (t *Tx) finish(ctx context.Context) error {
	_, err := t.tx.ExecContext(ctx, `UPDATE revision SET audit_seq = $1, audit_hash = $2`, t.Audit.Seq, t.Audit.Hash[:])
	return err
}

func (t *Tx) scanRevision(row *sql.Row) error {
	var hash []byte
	if err := row.Scan(&t.Revision, &t.Pruned, &t.Audit.Seq, &hash); err != nil {
		return err
	}
	copy(t.Audit.Hash[:], hash)
	return nil
}

// View runs fn on one snapshot of the database.
func (s *Store) View(ctx context.Context, fn func(*Tx) error) error {
	opts := &sql.TxOptions{ReadOnly: true}
	if s.postgres {
		opts.Isolation = sql.LevelRepeatableRead
	}
	sqlTx, err := s.read.BeginTx(ctx, opts)
	if err != nil {
		return classify(away(err))
	}
	defer func() { _ = sqlTx.Rollback() }()
	tx := &Tx{tx: sqlTx, Now: s.now().UTC().Truncate(time.Microsecond)}
	if err := tx.scanRevision(sqlTx.QueryRowContext(ctx, `SELECT n, pruned, audit_seq, audit_hash FROM revision`)); err != nil {
		return classify(away(err))
	}
	return classify(fn(tx))
}
