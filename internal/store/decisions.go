package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/urn"
)

const decisionColumns = `id, other_id, owner, identity, at, verdict, body`

func scanDecision(row scanner, d *audit.Decision) error {
	var owner, body string
	var at int64
	if err := row.Scan(&d.ID, &d.OtherID, &owner, &d.Identity, &at, &d.Verdict, &body); err != nil {
		return err
	}
	d.Account, d.Time = fromOwnerKey(owner), fromMicros(at)
	return decode(body, d)
}

// decisionsPerInsert bounds the parameters of one statement; every statement costs a round trip.
const decisionsPerInsert = 100

// InsertDecisions writes decisions. One that is there already stays as it is.
func (t *Tx) InsertDecisions(ctx context.Context, list []audit.Decision) error {
	for len(list) > 0 {
		n := min(len(list), decisionsPerInsert)
		if err := t.insertDecisions(ctx, list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

func (t *Tx) insertDecisions(ctx context.Context, list []audit.Decision) error {
	var places []string
	var args []any
	for i := range list {
		d := &list[i]
		body, err := encode(d)
		if err != nil {
			return err
		}
		n := len(args)
		places = append(places, fmt.Sprintf("($%d, $%d, $%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8))
		args = append(args, d.ID, d.OtherID, OwnerKey(d.Account), string(d.Identity), micros(d.Time), string(d.Verdict), body, !d.Verdict.Yes())
	}
	return t.exec(ctx, `INSERT INTO decision (`+decisionColumns+`, refused) VALUES `+strings.Join(places, ", ")+` ON CONFLICT (id) DO NOTHING`, args...)
}

// Decision reads an account's decision by one of its ids. Where a cloud gave an id twice it is the latest.
func (t *Tx) Decision(ctx context.Context, owner urn.Account, id string) (audit.Decision, error) {
	if id == "" {
		return audit.Decision{}, ErrNotFound
	}
	return one(ctx, t, scanDecision, `SELECT `+decisionColumns+` FROM decision WHERE owner = $1 AND (id = $2 OR other_id = $2)
		ORDER BY at DESC, id DESC LIMIT 1`, OwnerKey(owner), id)
}

// Refusals reads up to limit refusals of an account, the latest first, from before one's time and id (zero: from the latest on), of one identity
// or, if it is "", of all.
func (t *Tx) Refusals(ctx context.Context, owner urn.Account, identity urn.URN, before time.Time, id string, limit int) ([]audit.Decision, error) {
	return many(ctx, t, scanDecision, `SELECT `+decisionColumns+` FROM decision WHERE owner = $1 AND refused
		AND (CAST($2 AS TEXT) = '' OR identity = $2) AND (CAST($3 AS BIGINT) = 0 OR at < CAST($3 AS BIGINT) OR at = CAST($3 AS BIGINT) AND id < $4)
		ORDER BY at DESC, id DESC LIMIT $5`, OwnerKey(owner), string(identity), micros(before), id, limit)
}

// PruneDecisions forgets what is from before a time, and of each account all but the latest so many.
func (t *Tx) PruneDecisions(ctx context.Context, before time.Time, number int) error {
	if err := t.exec(ctx, `DELETE FROM decision WHERE at < $1`, micros(before)); err != nil {
		return err
	}
	scan := func(row scanner, owner *string) error { return row.Scan(owner) }
	owners, err := many(ctx, t, scan, `SELECT owner FROM decision GROUP BY owner HAVING count(*) > $1`, number)
	if err != nil {
		return err
	}
	for _, owner := range owners {
		err := t.exec(ctx, `DELETE FROM decision WHERE owner = $1
			AND id NOT IN (SELECT id FROM decision WHERE owner = $1 ORDER BY at DESC, id DESC LIMIT $2)`, owner, number)
		if err != nil {
			return err
		}
	}
	return nil
}
