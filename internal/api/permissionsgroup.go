package api

import (
	"context"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

// A PermissionsGroup is OVHcloud's iam.PermissionsGroup.
type PermissionsGroup struct {
	ID          string       `json:"id,omitzero"`    // read-only
	URN         string       `json:"urn,omitzero"`   // read-only
	Owner       string       `json:"owner,omitzero"` // read-only; ovh for those built in
	Name        string       `json:"name"`
	Description *string      `json:"description"`
	Permissions *Permissions `json:"permissions"`
	CreatedAt   *time.Time   `json:"createdAt,omitzero"` // read-only
	UpdatedAt   *time.Time   `json:"updatedAt,omitzero"` // read-only
}

func wirePermissionsGroup(g iam.PermissionsGroup) PermissionsGroup {
	permissions := wirePermissions(g.Permissions)
	return PermissionsGroup{
		ID: g.ID, URN: string(g.URN), Owner: g.Owner.Name, Name: g.Name, Description: new(g.Description), Permissions: &permissions,
		CreatedAt: stamp(g.CreatedAt), UpdatedAt: stamp(g.UpdatedAt),
	}
}

// domain gives the group without its read-only members.
func (in *PermissionsGroup) domain(owner urn.Account) (iam.PermissionsGroup, error) {
	switch {
	case in.Name == "":
		return iam.PermissionsGroup{}, required("name")
	case in.Description == nil:
		return iam.PermissionsGroup{}, required("description")
	case in.Permissions == nil:
		return iam.PermissionsGroup{}, required("permissions")
	}
	return iam.PermissionsGroup{Owner: owner, Name: in.Name, Description: *in.Description, Permissions: in.Permissions.domain()}, nil
}

func (in *PermissionsGroup) given() string {
	switch {
	case in.ID != "":
		return "id"
	case in.URN != "":
		return "urn"
	case in.Owner != "":
		return "owner"
	case in.CreatedAt != nil:
		return "createdAt"
	case in.UpdatedAt != nil:
		return "updatedAt"
	}
	return ""
}

// permissionsGroupURN reads the variable segment of the path.
func (q *query) permissionsGroupURN() (urn.URN, error) {
	return parsed(urn.ParsePermissionsGroup(q.arg(0)))
}

// parsed makes what package urn says about a malformed URN a refusal.
func parsed(u urn.URN, err error) (urn.URN, error) {
	if err != nil {
		return "", &iam.Error{Kind: iam.Invalid, Code: "INVALID_URN", Message: "The path names no such thing: " + err.Error() + "."}
	}
	return u, nil
}

func (s *Server) listPermissionsGroups(ctx context.Context, q *query) (any, error) {
	p, err := q.page()
	if err != nil {
		return nil, err
	}
	list, next, err := s.registry.PermissionsGroups(ctx, q.caller, p)
	if err != nil {
		return nil, err
	}
	q.next(next)
	return mapped(list, wirePermissionsGroup), nil
}

func (s *Server) getPermissionsGroup(ctx context.Context, q *query) (any, error) {
	u, err := q.permissionsGroupURN()
	if err != nil {
		return nil, err
	}
	g, err := s.registry.PermissionsGroup(ctx, q.caller, u)
	return wirePermissionsGroup(g), err
}

func (s *Server) createPermissionsGroup(ctx context.Context, q *query) (any, error) {
	var in PermissionsGroup
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	if member := in.given(); member != "" {
		return nil, readOnlyGiven(member)
	}
	g, err := in.domain(q.caller.Account)
	if err != nil {
		return nil, err
	}
	made, err := s.registry.CreatePermissionsGroup(ctx, q.caller, g)
	return wirePermissionsGroup(made), err
}

func (s *Server) replacePermissionsGroup(ctx context.Context, q *query) (any, error) {
	u, err := q.permissionsGroupURN()
	if err != nil {
		return nil, err
	}
	var in PermissionsGroup
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	g, err := in.domain(q.caller.Account)
	if err != nil {
		return nil, err
	}
	stored, err := s.registry.ReplacePermissionsGroup(ctx, q.caller, u, g)
	return wirePermissionsGroup(stored), err
}

func (s *Server) deletePermissionsGroup(ctx context.Context, q *query) (any, error) {
	u, err := q.permissionsGroupURN()
	if err != nil {
		return nil, err
	}
	return nil, s.registry.DeletePermissionsGroup(ctx, q.caller, u)
}
