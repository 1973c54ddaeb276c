package store

import (
	"context"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

const accountColumns = `owner, description, disabled, created`

func scanAccount(row scanner, a *iam.Account) error {
	var owner string
	var created int64
	err := row.Scan(&owner, &a.Description, &a.Disabled, &created)
	a.ID, a.CreatedAt = fromOwnerKey(owner), fromMicros(created)
	return err
}

// Account reads one account.
func (t *Tx) Account(ctx context.Context, id urn.Account) (iam.Account, error) {
	return one(ctx, t, scanAccount, `SELECT `+accountColumns+` FROM account WHERE owner = $1`, OwnerKey(id))
}

// Accounts reads up to limit accounts after one, in order of partition and name.
func (t *Tx) Accounts(ctx context.Context, after string, limit int) ([]iam.Account, error) {
	return many(ctx, t, scanAccount, `SELECT `+accountColumns+` FROM account WHERE owner > $1 ORDER BY owner LIMIT $2`, after, limit)
}

// InsertAccount writes a new account.
func (t *Tx) InsertAccount(ctx context.Context, a iam.Account) error {
	return t.exec(ctx, `INSERT INTO account (`+accountColumns+`) VALUES ($1, $2, $3, $4)`,
		OwnerKey(a.ID), a.Description, a.Disabled, micros(a.CreatedAt))
}

// UpdateAccount writes what can change of an account.
func (t *Tx) UpdateAccount(ctx context.Context, a iam.Account) error {
	return t.execOne(ctx, `UPDATE account SET description = $1, disabled = $2 WHERE owner = $3`, a.Description, a.Disabled, OwnerKey(a.ID))
}

const projectColumns = `id, owner, name, description, disabled, created`

func scanProject(row scanner, p *iam.Project) error {
	var owner string
	var created int64
	err := row.Scan(&p.ID, &owner, &p.Name, &p.Description, &p.Disabled, &created)
	p.Owner, p.CreatedAt = fromOwnerKey(owner), fromMicros(created)
	return err
}

// Project reads one project.
func (t *Tx) Project(ctx context.Context, id iam.ProjectID) (iam.Project, error) {
	return one(ctx, t, scanProject, `SELECT `+projectColumns+` FROM project WHERE id = $1`, string(id))
}

// ProjectByName reads an account's project by its name.
func (t *Tx) ProjectByName(ctx context.Context, owner urn.Account, name string) (iam.Project, error) {
	return one(ctx, t, scanProject, `SELECT `+projectColumns+` FROM project WHERE owner = $1 AND name = $2`, OwnerKey(owner), name)
}

// Projects reads up to limit projects after an id; of all accounts if owner is zero.
func (t *Tx) Projects(ctx context.Context, owner urn.Account, after string, limit int) ([]iam.Project, error) {
	if owner == (urn.Account{}) {
		return many(ctx, t, scanProject, `SELECT `+projectColumns+` FROM project WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	}
	return many(ctx, t, scanProject, `SELECT `+projectColumns+` FROM project WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $3`,
		OwnerKey(owner), after, limit)
}

// InsertProject writes a new project.
func (t *Tx) InsertProject(ctx context.Context, p iam.Project) error {
	return t.exec(ctx, `INSERT INTO project (`+projectColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`,
		string(p.ID), OwnerKey(p.Owner), p.Name, p.Description, p.Disabled, micros(p.CreatedAt))
}

// UpdateProject writes what can change of a project.
func (t *Tx) UpdateProject(ctx context.Context, p iam.Project) error {
	return t.execOne(ctx, `UPDATE project SET name = $1, description = $2, disabled = $3 WHERE id = $4`,
		p.Name, p.Description, p.Disabled, string(p.ID))
}

// CountProjects counts an account's projects.
func (t *Tx) CountProjects(ctx context.Context, owner urn.Account) (int, error) {
	return t.count(ctx, `SELECT count(*) FROM project WHERE owner = $1`, OwnerKey(owner))
}

const resourceColumns = `id, urn, owner, name, display_name, tags`

func scanResource(row scanner, r *iam.Resource) error {
	var owner, tags string
	if err := row.Scan(&r.ID, &r.URN, &owner, &r.Name, &r.DisplayName, &tags); err != nil {
		return err
	}
	r.Owner = fromOwnerKey(owner)
	return decode(tags, &r.Tags)
}

// Resource reads one resource by its URN.
func (t *Tx) Resource(ctx context.Context, u urn.URN) (iam.Resource, error) {
	return one(ctx, t, scanResource, `SELECT `+resourceColumns+` FROM resource WHERE urn = $1`, string(u))
}

// Resources reads up to limit resources of an account after an id.
func (t *Tx) Resources(ctx context.Context, owner urn.Account, after string, limit int) ([]iam.Resource, error) {
	return many(ctx, t, scanResource, `SELECT `+resourceColumns+` FROM resource WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $3`,
		OwnerKey(owner), after, limit)
}

// InsertResource writes a new resource.
func (t *Tx) InsertResource(ctx context.Context, r iam.Resource) error {
	tags, err := encode(nonNil(r.Tags))
	if err != nil {
		return err
	}
	return t.exec(ctx, `INSERT INTO resource (`+resourceColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`,
		r.ID, string(r.URN), OwnerKey(r.Owner), r.Name, r.DisplayName, tags)
}

// UpdateTags replaces a resource's tags.
func (t *Tx) UpdateTags(ctx context.Context, u urn.URN, tags map[string]string) error {
	text, err := encode(nonNil(tags))
	if err != nil {
		return err
	}
	return t.execOne(ctx, `UPDATE resource SET tags = $1 WHERE urn = $2`, text, string(u))
}

func nonNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// RevokeToken notes that a token is revoked; repeating it is no error.
func (t *Tx) RevokeToken(ctx context.Context, auditID string, until time.Time) error {
	return t.exec(ctx, `INSERT INTO revoked_token (audit_id, until) VALUES ($1, $2) ON CONFLICT (audit_id) DO NOTHING`, auditID, micros(until))
}

// A RevokedToken is a token that stands no more, and when it can be forgotten.
type RevokedToken struct {
	AuditID string
	Until   time.Time
}

func scanRevokedToken(row scanner, r *RevokedToken) error {
	var until int64
	err := row.Scan(&r.AuditID, &until)
	r.Until = fromMicros(until)
	return err
}

// RevokedToken reads one by its audit id.
func (t *Tx) RevokedToken(ctx context.Context, auditID string) (RevokedToken, error) {
	return one(ctx, t, scanRevokedToken, `SELECT audit_id, until FROM revoked_token WHERE audit_id = $1`, auditID)
}

// RevokedTokens reads those that cannot be forgotten yet.
func (t *Tx) RevokedTokens(ctx context.Context) ([]RevokedToken, error) {
	return many(ctx, t, scanRevokedToken, `SELECT audit_id, until FROM revoked_token WHERE until > $1`, micros(t.Now))
}

// PruneRevokedTokens forgets those that can be.
func (t *Tx) PruneRevokedTokens(ctx context.Context) error {
	return t.exec(ctx, `DELETE FROM revoked_token WHERE until <= $1`, micros(t.Now))
}
