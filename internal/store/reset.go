package store

import (
	"context"

	"github.com/stackgate/stackgate/internal/audit"
)

// DropKeys removes every key, so that new ones are made under another master key, and records who did it. What was made with the
// old keys, tokens and secrets, is worthless from then on. It is the way out when the master key is lost, and nothing else.
func (s *Store) DropKeys(ctx context.Context, operator string) error {
	_, err := s.Update(ctx, func(tx *Tx) error {
		if err := tx.exec(ctx, `DELETE FROM sealed_key`); err != nil {
			return err
		}
		if err := tx.AppendAudit(ctx, audit.Record{Time: tx.Now, Actor: "operator:" + operator, Action: "operator:keys/reset", Outcome: audit.Done}); err != nil {
			return err
		}
		return tx.Changed(ctx, KeysChanged, "")
	})
	return err
}
