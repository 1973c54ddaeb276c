package store

import (
	"context"
	"time"
)

// A ChangeKind says what sort of thing a change touched.
type ChangeKind string

// The kinds of change. They are stored.
const (
	ClientChanged   ChangeKind = "client"   // subject: client id; the service account, its secrets or the policies that name it
	AccountChanged  ChangeKind = "account"  // subject: <partition>:<name>
	ProjectChanged  ChangeKind = "project"  // subject: project id
	ProjectsChanged ChangeKind = "projects" // subject: <partition>:<name>; a project of the account, or their list
	GroupChanged    ChangeKind = "group"    // subject: URN of a permissions group or resource group
	TokenRevoked    ChangeKind = "token"    // subject: audit id
	KeysChanged     ChangeKind = "keys"     // no subject
)

// A Change names something that whoever caches it must drop.
type Change struct {
	Revision int64
	Kind     ChangeKind
	Subject  string
}

// Changed names something that this transaction changes.
func (t *Tx) Changed(ctx context.Context, kind ChangeKind, subject string) error {
	c := Change{t.Revision, kind, subject}
	t.changes = append(t.changes, c)
	return t.exec(ctx, `INSERT INTO change (rev, part, kind, subject, at) VALUES ($1, $2, $3, $4, $5)`,
		c.Revision, len(t.changes), string(kind), subject, micros(t.Now))
}

// Changes reads up to limit changes after a revision, in order. What is at or below Pruned is gone.
func (t *Tx) Changes(ctx context.Context, after int64, limit int) ([]Change, error) {
	scan := func(row scanner, c *Change) error { return row.Scan(&c.Revision, &c.Kind, &c.Subject) }
	return many(ctx, t, scan, `SELECT rev, kind, subject FROM change WHERE rev > $1 ORDER BY rev, part LIMIT $2`, after, limit)
}

// PruneChanges forgets the changes from before a time and moves the mark, so that a reader who missed them can tell.
func (t *Tx) PruneChanges(ctx context.Context, before time.Time) error {
	err := t.exec(ctx, `UPDATE revision SET pruned = COALESCE((SELECT max(rev) FROM change WHERE at < $1), pruned)`, micros(before))
	if err != nil {
		return err
	}
	return t.exec(ctx, `DELETE FROM change WHERE rev <= (SELECT pruned FROM revision)`)
}
