package registry

import (
	"context"
	"crypto/ed25519"
	"strconv"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/store"
)

// VerifyAudit checks the whole audit chain, its checkpoints and its end. An error that is an *audit.Break says where it is broken. Without an
// AuditKey no signature is checked, and the report says so. The operator's.
func (r *Registry) VerifyAudit(ctx context.Context, c iam.Caller) (report audit.Report, err error) {
	var public ed25519.PublicKey
	if r.auditKey != nil {
		public, _ = r.auditKey.Public().(ed25519.PublicKey)
	}
	err = r.read(ctx, c, attempt{name: "operator:audit/verify"}, func(tx *store.Tx) error {
		checkpoints, err := allCheckpoints(ctx, tx)
		if err != nil {
			return err
		}
		report, err = audit.Verify(tx.AllAuditRecords(ctx), checkpoints, public)
		if err == nil && report.End != tx.Audit {
			err = &audit.Break{Seq: report.End.Seq + 1, Reason: "the last records are missing: the end of the chain is " + strconv.FormatInt(tx.Audit.Seq, 10)}
		}
		return err
	})
	return report, err
}

func allCheckpoints(ctx context.Context, tx *store.Tx) (list []audit.Checkpoint, err error) {
	for after := int64(-1 << 62); ; {
		page, err := tx.Checkpoints(ctx, after, 1000)
		if err != nil || len(page) == 0 {
			return list, err
		}
		list = append(list, page...)
		after = page[len(page)-1].Seq
	}
}

// AuditRecords reads an account's audit records in order (all accounts' for an operator whose Account is zero); the cursor is the record's
// number. The operator's, for now.
func (r *Registry) AuditRecords(ctx context.Context, c iam.Caller, p Page) (list []audit.Record, next string, err error) {
	after := int64(0)
	if p.After != "" {
		if after, err = strconv.ParseInt(p.After, 10, 64); err != nil {
			return nil, "", iam.Errorf(iam.Invalid, "malformed cursor %q", p.After)
		}
	}
	err = r.read(ctx, c, attempt{name: "operator:audit/get"}, func(tx *store.Tx) (err error) {
		list, err = tx.AuditRecords(ctx, c.Account, after, p.limit()+1)
		return err
	})
	list, next = cut(list, p.limit(), func(rec *audit.Record) string { return strconv.FormatInt(rec.Seq, 10) })
	return list, next, err
}
