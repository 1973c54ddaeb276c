package store

import (
	"context"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

type permissionsBody struct {
	Allow  []iam.Action `json:"allow,omitempty"`
	Deny   []iam.Action `json:"deny,omitempty"`
	Except []iam.Action `json:"except,omitempty"`
}

const permissionsGroupColumns = `urn, id, owner, name, description, body, created, updated`

func scanPermissionsGroup(row scanner, g *iam.PermissionsGroup) error {
	var owner, text string
	var created, updated int64
	if err := row.Scan(&g.URN, &g.ID, &owner, &g.Name, &g.Description, &text, &created, &updated); err != nil {
		return err
	}
	var body permissionsBody
	if err := decode(text, &body); err != nil {
		return err
	}
	g.Owner, g.Permissions = fromOwnerKey(owner), iam.Permissions(body)
	g.CreatedAt, g.UpdatedAt = fromMicros(created), fromMicros(updated)
	return nil
}

// PermissionsGroup reads one permissions group.
func (t *Tx) PermissionsGroup(ctx context.Context, u urn.URN) (iam.PermissionsGroup, error) {
	return one(ctx, t, scanPermissionsGroup, `SELECT `+permissionsGroupColumns+` FROM permissions_group WHERE urn = $1`, string(u))
}

// PermissionsGroups reads up to limit permissions groups of an account after an id.
func (t *Tx) PermissionsGroups(ctx context.Context, owner urn.Account, after string, limit int) ([]iam.PermissionsGroup, error) {
	return many(ctx, t, scanPermissionsGroup, `SELECT `+permissionsGroupColumns+` FROM permissions_group
		WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $3`, OwnerKey(owner), after, limit)
}

// CountPermissionsGroups counts an account's permissions groups.
func (t *Tx) CountPermissionsGroups(ctx context.Context, owner urn.Account) (int, error) {
	return t.count(ctx, `SELECT count(*) FROM permissions_group WHERE owner = $1`, OwnerKey(owner))
}

// InsertPermissionsGroup writes a new permissions group.
func (t *Tx) InsertPermissionsGroup(ctx context.Context, g iam.PermissionsGroup) error {
	body, err := encode(permissionsBody(g.Permissions))
	if err != nil {
		return err
	}
	return t.exec(ctx, `INSERT INTO permissions_group (`+permissionsGroupColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		string(g.URN), g.ID, OwnerKey(g.Owner), g.Name, g.Description, body, micros(g.CreatedAt), micros(g.UpdatedAt))
}

// UpdatePermissionsGroup writes what can change of a permissions group; its URN, which has its name, cannot.
func (t *Tx) UpdatePermissionsGroup(ctx context.Context, g iam.PermissionsGroup) error {
	body, err := encode(permissionsBody(g.Permissions))
	if err != nil {
		return err
	}
	return t.execOne(ctx, `UPDATE permissions_group SET description = $1, body = $2, updated = $3 WHERE urn = $4`,
		g.Description, body, micros(g.UpdatedAt), string(g.URN))
}

// DeletePermissionsGroup removes a permissions group.
func (t *Tx) DeletePermissionsGroup(ctx context.Context, u urn.URN) error {
	return t.execOne(ctx, `DELETE FROM permissions_group WHERE urn = $1`, string(u))
}

const resourceGroupColumns = `id, owner, name, read_only, body, created, updated`

func scanResourceGroup(row scanner, g *iam.ResourceGroup) error {
	var owner, text string
	var created, updated int64
	if err := row.Scan(&g.ID, &owner, &g.Name, &g.ReadOnly, &text, &created, &updated); err != nil {
		return err
	}
	g.Owner, g.CreatedAt, g.UpdatedAt = fromOwnerKey(owner), fromMicros(created), fromMicros(updated)
	return decode(text, &g.Resources)
}

// ResourceGroup reads one resource group.
func (t *Tx) ResourceGroup(ctx context.Context, id string) (iam.ResourceGroup, error) {
	return one(ctx, t, scanResourceGroup, `SELECT `+resourceGroupColumns+` FROM resource_group WHERE id = $1`, id)
}

// ResourceGroups reads up to limit resource groups of an account after an id.
func (t *Tx) ResourceGroups(ctx context.Context, owner urn.Account, after string, limit int) ([]iam.ResourceGroup, error) {
	return many(ctx, t, scanResourceGroup, `SELECT `+resourceGroupColumns+` FROM resource_group WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $3`,
		OwnerKey(owner), after, limit)
}

// CountResourceGroups counts an account's resource groups.
func (t *Tx) CountResourceGroups(ctx context.Context, owner urn.Account) (int, error) {
	return t.count(ctx, `SELECT count(*) FROM resource_group WHERE owner = $1`, OwnerKey(owner))
}

// InsertResourceGroup writes a new resource group.
func (t *Tx) InsertResourceGroup(ctx context.Context, g iam.ResourceGroup) error {
	body, err := encode(append([]urn.URN{}, g.Resources...))
	if err != nil {
		return err
	}
	return t.exec(ctx, `INSERT INTO resource_group (`+resourceGroupColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		g.ID, OwnerKey(g.Owner), g.Name, g.ReadOnly, body, micros(g.CreatedAt), micros(g.UpdatedAt))
}

// UpdateResourceGroup writes what can change of a resource group.
func (t *Tx) UpdateResourceGroup(ctx context.Context, g iam.ResourceGroup) error {
	body, err := encode(append([]urn.URN{}, g.Resources...))
	if err != nil {
		return err
	}
	return t.execOne(ctx, `UPDATE resource_group SET name = $1, body = $2, updated = $3 WHERE id = $4`, g.Name, body, micros(g.UpdatedAt), g.ID)
}

// DeleteResourceGroup removes a resource group.
func (t *Tx) DeleteResourceGroup(ctx context.Context, id string) error {
	return t.execOne(ctx, `DELETE FROM resource_group WHERE id = $1`, id)
}
