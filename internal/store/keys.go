package store

import (
	"context"
	"strings"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/keys"
)

const keyColumns = `id, purpose, algorithm, sealed, created, active, retired`

func scanKey(row scanner, k *keys.Stored) error {
	var created, active, retired int64
	err := row.Scan(&k.ID, &k.Use, &k.Algorithm, &k.Sealed, &created, &active, &retired)
	k.CreatedAt, k.ActiveAt, k.RetiredAt = fromMicros(created), fromMicros(active), fromMicros(retired)
	return err
}

// LoadKeys reads every key, encrypted as it is: keys.Config.Load.
func (s *Store) LoadKeys(ctx context.Context) (list []keys.Stored, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		list, err = many(ctx, tx, scanKey, `SELECT `+keyColumns+` FROM sealed_key ORDER BY active, id`)
		return err
	})
	return list, err
}

// InsertKey writes a key if there is none of its use yet and reports whether it did: keys.Config.Insert.
func (s *Store) InsertKey(ctx context.Context, k keys.Stored) (inserted bool, err error) {
	_, err = s.Update(ctx, func(tx *Tx) error {
		n, err := tx.count(ctx, `SELECT count(*) FROM sealed_key WHERE purpose = $1`, string(k.Use))
		if inserted = err == nil && n == 0; !inserted {
			return err
		}
		return tx.saveKeys(ctx, []keys.Stored{k})
	})
	return inserted && err == nil, err
}

// SaveKeys inserts or updates keys in one transaction: keys.Config.Save.
func (s *Store) SaveKeys(ctx context.Context, list []keys.Stored) error {
	_, err := s.Update(ctx, func(tx *Tx) error { return tx.saveKeys(ctx, list) })
	return err
}

func (t *Tx) saveKeys(ctx context.Context, list []keys.Stored) error {
	ids := make([]string, 0, len(list))
	for _, k := range list {
		ids = append(ids, k.ID)
		err := t.exec(ctx, `INSERT INTO sealed_key (`+keyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (id) DO UPDATE SET purpose = excluded.purpose, algorithm = excluded.algorithm, sealed = excluded.sealed,
			created = excluded.created, active = excluded.active, retired = excluded.retired`,
			k.ID, string(k.Use), k.Algorithm, k.Sealed, micros(k.CreatedAt), micros(k.ActiveAt), micros(k.RetiredAt))
		if err != nil {
			return err
		}
	}
	err := t.AppendAudit(ctx, audit.Record{Actor: "system", Action: "system:keys/save", Outcome: audit.Done, Details: strings.Join(ids, " ")})
	if err != nil {
		return err
	}
	return t.Changed(ctx, KeysChanged, "")
}
