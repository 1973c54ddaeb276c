package api

import (
	"context"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/urn"
)

// A ResourceGroup is OVHcloud's iam.group.Response.
type ResourceGroup struct {
	ID        string          `json:"id,omitzero"`    // read-only
	URN       string          `json:"urn,omitzero"`   // read-only
	Owner     string          `json:"owner,omitzero"` // read-only
	Name      string          `json:"name"`
	ReadOnly  bool            `json:"readOnly"` // read-only
	Resources []GroupResource `json:"resources"`
	CreatedAt *time.Time      `json:"createdAt,omitzero"` // read-only
	UpdatedAt *time.Time      `json:"updatedAt,omitzero"` // read-only
}

// A GroupResource is one resource of a group. Written, it has an id or a urn (both: they must agree); read, both as far as the caller can
// see the resource, and with details the rest, which is read-only.
type GroupResource struct {
	ID          string            `json:"id,omitzero"`
	URN         string            `json:"urn,omitzero"`
	Name        string            `json:"name,omitzero"`
	DisplayName string            `json:"displayName,omitzero"`
	Type        string            `json:"type,omitzero"`
	Owner       string            `json:"owner,omitzero"`
	Tags        map[string]string `json:"tags,omitzero"`
}

// groupView shows a group as the caller can see it.
func (s *Server) groupView(ctx context.Context, c iam.Caller, g iam.ResourceGroup, details bool) (ResourceGroup, error) {
	out := ResourceGroup{
		ID: g.ID, URN: string(urn.ResourceGroup(g.Owner.Partition, g.ID)), Owner: g.Owner.Name, Name: g.Name, ReadOnly: g.ReadOnly,
		Resources: make([]GroupResource, len(g.Resources)), CreatedAt: stamp(g.CreatedAt), UpdatedAt: stamp(g.UpdatedAt),
	}
	for i, u := range g.Resources {
		out.Resources[i] = GroupResource{URN: string(u)}
		found, err := s.registry.Resource(ctx, c, u)
		if hidden(err) {
			continue
		}
		if err != nil {
			return ResourceGroup{}, err
		}
		out.Resources[i].ID = found.ID
		if details {
			out.Resources[i] = GroupResource(wireResource(found))
		}
	}
	return out, nil
}

// groupOf gives the group without its read-only members, its resources by URN.
func (s *Server) groupOf(ctx context.Context, c iam.Caller, in ResourceGroup) (iam.ResourceGroup, error) {
	if in.Name == "" {
		return iam.ResourceGroup{}, required("name")
	}
	if in.Resources == nil {
		return iam.ResourceGroup{}, required("resources")
	}
	out := iam.ResourceGroup{Owner: c.Account, Name: in.Name}
	byID, err := s.resourceIDs(ctx, c, in.Resources)
	if err != nil {
		return iam.ResourceGroup{}, err
	}
	for i, r := range in.Resources {
		u, known := byID[r.ID]
		switch {
		case r.ID == "" && r.URN == "":
			return iam.ResourceGroup{}, iam.Errorf(iam.Invalid, "resources[%d] needs an id or a urn.", i)
		case r.ID == "":
			u = urn.URN(r.URN)
		case !known:
			return iam.ResourceGroup{}, iam.Errorf(iam.Invalid, "resources[%d].id names no resource that you can see; GET /v2/iam/resource lists them.", i)
		case r.URN != "" && r.URN != string(u):
			return iam.ResourceGroup{}, iam.Errorf(iam.Invalid, "resources[%d] has the id of one resource and the urn of another.", i)
		}
		out.Resources = append(out.Resources, u)
	}
	return out, nil
}

// resourceIDs gives the URNs of the resources that the caller can see by their ids, if the list names any by id.
func (s *Server) resourceIDs(ctx context.Context, c iam.Caller, named []GroupResource) (map[string]urn.URN, error) {
	wanted := false
	for _, r := range named {
		wanted = wanted || r.ID != ""
	}
	if !wanted {
		return nil, nil
	}
	list, err := all(ctx, func(ctx context.Context, p registry.Page) ([]iam.Resource, string, error) {
		return s.registry.Resources(ctx, c, registry.ResourceFilter{}, p)
	})
	if err != nil {
		return nil, err
	}
	byID := make(map[string]urn.URN, len(list))
	for _, r := range list {
		byID[r.ID] = r.URN
	}
	return byID, nil
}

func (in *ResourceGroup) given() string {
	switch {
	case in.ID != "":
		return "id"
	case in.URN != "":
		return "urn"
	case in.Owner != "":
		return "owner"
	case in.ReadOnly:
		return "readOnly"
	case in.CreatedAt != nil:
		return "createdAt"
	case in.UpdatedAt != nil:
		return "updatedAt"
	}
	return ""
}

func (s *Server) listResourceGroups(ctx context.Context, q *query) (any, error) {
	details, err := q.details()
	if err != nil {
		return nil, err
	}
	p, err := q.page()
	if err != nil {
		return nil, err
	}
	list, next, err := s.registry.ResourceGroups(ctx, q.caller, p)
	if err != nil {
		return nil, err
	}
	q.next(next)
	out := make([]ResourceGroup, len(list))
	for i, g := range list {
		if out[i], err = s.groupView(ctx, q.caller, g, details); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Server) getResourceGroup(ctx context.Context, q *query) (any, error) {
	details, err := q.details()
	if err != nil {
		return nil, err
	}
	g, err := s.registry.ResourceGroup(ctx, q.caller, q.arg(0))
	if err != nil {
		return nil, err
	}
	return s.groupView(ctx, q.caller, g, details)
}

func (s *Server) createResourceGroup(ctx context.Context, q *query) (any, error) {
	var in ResourceGroup
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	if member := in.given(); member != "" {
		return nil, readOnlyGiven(member)
	}
	g, err := s.groupOf(ctx, q.caller, in)
	if err != nil {
		return nil, err
	}
	made, err := s.registry.CreateResourceGroup(ctx, q.caller, g)
	if err != nil {
		return nil, err
	}
	return s.groupView(ctx, q.caller, made, false)
}

func (s *Server) replaceResourceGroup(ctx context.Context, q *query) (any, error) {
	var in ResourceGroup
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	g, err := s.groupOf(ctx, q.caller, in)
	if err != nil {
		return nil, err
	}
	stored, err := s.registry.ReplaceResourceGroup(ctx, q.caller, q.arg(0), g)
	if err != nil {
		return nil, err
	}
	return s.groupView(ctx, q.caller, stored, false)
}

func (s *Server) deleteResourceGroup(ctx context.Context, q *query) (any, error) {
	return nil, s.registry.DeleteResourceGroup(ctx, q.caller, q.arg(0))
}
