package store

import (
	"context"
	"iter"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/urn"
)

const recordColumns = `seq, at, actor, owner, action, subject, outcome, request_id, details, prev, hash`

func scanRecord(row scanner, r *audit.Record) error {
	var at int64
	var owner string
	var prev, hash []byte
	err := row.Scan(&r.Seq, &at, &r.Actor, &owner, &r.Action, &r.Subject, &r.Outcome, &r.RequestID, &r.Details, &prev, &hash)
	r.Time, r.Account = fromMicros(at), fromOwnerKey(owner)
	copy(r.Prev[:], prev)
	copy(r.Hash[:], hash)
	return err
}

// AppendAudit adds a record to the chain, in this transaction and with its time.
func (t *Tx) AppendAudit(ctx context.Context, r audit.Record) error {
	r.Time = t.Now
	r = t.Audit.Append(r)
	return t.exec(ctx, `INSERT INTO audit_record (`+recordColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		r.Seq, micros(r.Time), r.Actor, OwnerKey(r.Account), r.Action, string(r.Subject), string(r.Outcome), r.RequestID, r.Details,
		r.Prev[:], r.Hash[:])
}

// AuditRecords reads up to limit records after a number, of one account, or of all if it is zero.
func (t *Tx) AuditRecords(ctx context.Context, owner urn.Account, after int64, limit int) ([]audit.Record, error) {
	if owner == (urn.Account{}) {
		return many(ctx, t, scanRecord, `SELECT `+recordColumns+` FROM audit_record WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
	}
	return many(ctx, t, scanRecord, `SELECT `+recordColumns+` FROM audit_record WHERE owner = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
		OwnerKey(owner), after, limit)
}

// AllAuditRecords yields every record in order, a page at a time.
func (t *Tx) AllAuditRecords(ctx context.Context) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for after := int64(-1 << 62); ; {
			page, err := t.AuditRecords(ctx, urn.Account{}, after, 1000)
			if err != nil {
				yield(audit.Record{}, err)
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
				after = r.Seq
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

func scanCheckpoint(row scanner, c *audit.Checkpoint) error {
	var at int64
	var hash []byte
	err := row.Scan(&c.Seq, &hash, &at, &c.Signature)
	c.Time = fromMicros(at)
	copy(c.Hash[:], hash)
	return err
}

// Checkpoints reads up to limit checkpoints after a record, in order.
func (t *Tx) Checkpoints(ctx context.Context, after int64, limit int) ([]audit.Checkpoint, error) {
	return many(ctx, t, scanCheckpoint, `SELECT seq, hash, at, signature FROM audit_checkpoint WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
}

// LastCheckpoint reads the newest checkpoint, or ErrNotFound.
func (t *Tx) LastCheckpoint(ctx context.Context) (audit.Checkpoint, error) {
	return one(ctx, t, scanCheckpoint, `SELECT seq, hash, at, signature FROM audit_checkpoint ORDER BY seq DESC LIMIT 1`)
}

// InsertCheckpoint writes a checkpoint.
func (t *Tx) InsertCheckpoint(ctx context.Context, c audit.Checkpoint) error {
	return t.exec(ctx, `INSERT INTO audit_checkpoint (seq, hash, at, signature) VALUES ($1, $2, $3, $4)`, c.Seq, c.Hash[:], micros(c.Time), c.Signature)
}
