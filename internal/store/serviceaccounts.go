package store

import (
	"context"
	"net/netip"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

const (
	serviceAccountColumns = `id, owner, name, description, callback_urls, disabled, default_project, token_life, created, updated`
	selectServiceAccount  = `SELECT ` + serviceAccountColumns + `, COALESCE((SELECT project FROM service_flag WHERE client_id = service_account.id), '') FROM service_account `
)

func scanServiceAccount(row scanner, s *iam.ServiceAccount) error {
	var owner, urls string
	var life, created, updated int64
	err := row.Scan(&s.ID, &owner, &s.Name, &s.Description, &urls, &s.Disabled, &s.DefaultProject, &life, &created, &updated, &s.ServiceProject)
	if err != nil {
		return err
	}
	s.Owner, s.TokenLife = fromOwnerKey(owner), time.Duration(life)*time.Microsecond
	s.CreatedAt, s.UpdatedAt = fromMicros(created), fromMicros(updated)
	return decode(urls, &s.CallbackURLs)
}

// ServiceAccount reads one service account.
func (t *Tx) ServiceAccount(ctx context.Context, id iam.ClientID) (iam.ServiceAccount, error) {
	return one(ctx, t, scanServiceAccount, selectServiceAccount+`WHERE id = $1`, string(id))
}

// ServiceAccounts reads up to limit service accounts of an account after an id. With unusedSince, only those of which no secret was used at
// that time or later.
func (t *Tx) ServiceAccounts(ctx context.Context, owner urn.Account, unusedSince time.Time, after string, limit int) ([]iam.ServiceAccount, error) {
	return many(ctx, t, scanServiceAccount, selectServiceAccount+`WHERE owner = $1 AND id > $2
		AND (CAST($3 AS BIGINT) = 0 OR NOT EXISTS (SELECT 1 FROM secret WHERE client_id = service_account.id AND used >= CAST($3 AS BIGINT)))
		ORDER BY id LIMIT $4`, OwnerKey(owner), after, micros(unusedSince), limit)
}

// CountServiceAccounts counts an account's service accounts.
func (t *Tx) CountServiceAccounts(ctx context.Context, owner urn.Account) (int, error) {
	return t.count(ctx, `SELECT count(*) FROM service_account WHERE owner = $1`, OwnerKey(owner))
}

// Services reads up to limit service accounts that are services of OpenStack, after an id.
func (t *Tx) Services(ctx context.Context, after string, limit int) ([]iam.ServiceAccount, error) {
	return many(ctx, t, scanServiceAccount, selectServiceAccount+`WHERE id > $1 AND id IN (SELECT client_id FROM service_flag)
		ORDER BY id LIMIT $2`, after, limit)
}

// InsertServiceAccount writes a new service account. Whether it is a service is said here once and for all.
func (t *Tx) InsertServiceAccount(ctx context.Context, s iam.ServiceAccount) error {
	urls, err := encode(append([]string{}, s.CallbackURLs...))
	if err != nil {
		return err
	}
	err = t.exec(ctx, `INSERT INTO service_account (`+serviceAccountColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		string(s.ID), OwnerKey(s.Owner), s.Name, s.Description, urls, s.Disabled, string(s.DefaultProject),
		s.TokenLife.Microseconds(), micros(s.CreatedAt), micros(s.UpdatedAt))
	if err != nil || s.ServiceProject == "" {
		return err
	}
	return t.exec(ctx, `INSERT INTO service_flag (client_id, project) VALUES ($1, $2)`, string(s.ID), string(s.ServiceProject))
}

// UpdateServiceAccount writes what can change of a service account.
func (t *Tx) UpdateServiceAccount(ctx context.Context, s iam.ServiceAccount) error {
	urls, err := encode(append([]string{}, s.CallbackURLs...))
	if err != nil {
		return err
	}
	return t.execOne(ctx, `UPDATE service_account SET name = $1, description = $2, callback_urls = $3, disabled = $4, default_project = $5,
		token_life = $6, updated = $7 WHERE id = $8`,
		s.Name, s.Description, urls, s.Disabled, string(s.DefaultProject), s.TokenLife.Microseconds(), micros(s.UpdatedAt), string(s.ID))
}

// DeleteServiceAccount removes a service account and its secrets, and notes that its id is spent.
func (t *Tx) DeleteServiceAccount(ctx context.Context, id iam.ClientID) error {
	if err := t.execOne(ctx, `DELETE FROM service_account WHERE id = $1`, string(id)); err != nil {
		return err
	}
	return t.exec(ctx, `INSERT INTO deleted_service_account (id, deleted) VALUES ($1, $2)`, string(id), micros(t.Now))
}

// WasServiceAccount reports whether an id belonged to a service account that is gone.
func (t *Tx) WasServiceAccount(ctx context.Context, id iam.ClientID) (bool, error) {
	n, err := t.count(ctx, `SELECT count(*) FROM deleted_service_account WHERE id = $1`, string(id))
	return n > 0, err
}

// A Secret is a row: the secret without its value, but with what its value is compared with.
type Secret struct {
	iam.Secret
	Pepper string
	MAC    []byte
}

const secretColumns = `id, client_id, description, pepper, mac, created, expires, used, used_from, used_agent`

func scanSecret(row scanner, s *Secret) error {
	var from string
	var created, expires, used int64
	err := row.Scan(&s.ID, &s.ClientID, &s.Description, &s.Pepper, &s.MAC, &created, &expires, &used, &from, &s.LastUsedAgent)
	if err != nil {
		return err
	}
	s.CreatedAt, s.ExpiresAt, s.LastUsedAt = fromMicros(created), fromMicros(expires), fromMicros(used)
	if from != "" {
		s.LastUsedFrom, err = netip.ParseAddr(from)
	}
	return err
}

// Secrets reads all secrets of a service account, by id.
func (t *Tx) Secrets(ctx context.Context, id iam.ClientID) ([]Secret, error) {
	return many(ctx, t, scanSecret, `SELECT `+secretColumns+` FROM secret WHERE client_id = $1 ORDER BY id`, string(id))
}

// InsertSecret writes a new secret.
func (t *Tx) InsertSecret(ctx context.Context, s Secret) error {
	return t.exec(ctx, `INSERT INTO secret (`+secretColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, '', '')`,
		s.ID, string(s.ClientID), s.Description, s.Pepper, s.MAC, micros(s.CreatedAt), micros(s.ExpiresAt))
}

// ExpireSecret sets when a secret ends.
func (t *Tx) ExpireSecret(ctx context.Context, id string, at time.Time) error {
	return t.execOne(ctx, `UPDATE secret SET expires = $1 WHERE id = $2`, micros(at), id)
}

// DeleteSecret removes a secret of a service account.
func (t *Tx) DeleteSecret(ctx context.Context, client iam.ClientID, id string) error {
	return t.execOne(ctx, `DELETE FROM secret WHERE client_id = $1 AND id = $2`, string(client), id)
}

// UseSecret notes a use. A secret that is gone, or a use older than the one noted, changes nothing.
func (t *Tx) UseSecret(ctx context.Context, id string, at time.Time, from netip.Addr, agent string) error {
	text := ""
	if from.IsValid() {
		text = from.String()
	}
	return t.exec(ctx, `UPDATE secret SET used = $1, used_from = $2, used_agent = $3 WHERE id = $4 AND used < $1`, micros(at), text, agent, id)
}
