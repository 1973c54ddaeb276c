package api

import (
	"context"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/urn"
)

// A Policy is OVHcloud's iam.policy.Response; without its read-only members, iam.policy.Creation and iam.policy.Update.
type Policy struct {
	ID                string                `json:"id,omitzero"`    // read-only
	Owner             string                `json:"owner,omitzero"` // read-only
	Name              string                `json:"name"`
	Description       string                `json:"description"`
	ReadOnly          bool                  `json:"readOnly"` // read-only
	Identities        []string              `json:"identities"`
	Resources         []PolicyResource      `json:"resources"`
	Permissions       *Permissions          `json:"permissions"`
	PermissionsGroups []PermissionsGroupRef `json:"permissionsGroups"`
	Conditions        *Condition            `json:"conditions,omitzero"`
	ExpiredAt         *time.Time            `json:"expiredAt,omitzero"`
	CreatedAt         *time.Time            `json:"createdAt,omitzero"` // read-only
	UpdatedAt         *time.Time            `json:"updatedAt,omitzero"` // read-only; not before the first change
}

// A PolicyResource is one resource of a policy. Resource or Group stand there when details are asked for; they are read-only.
type PolicyResource struct {
	URN      string            `json:"urn"`
	Resource *Resource         `json:"resource,omitzero"`
	Group    *ResourceGroupRef `json:"group,omitzero"`
}

// A ResourceGroupRef is a resource group as a policy shows it.
type ResourceGroupRef struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	ReadOnly bool   `json:"readOnly"`
}

// A PermissionsGroupRef is a permissions group as a policy names it. All but the URN is read-only and comes with details.
type PermissionsGroupRef struct {
	URN         string       `json:"urn"`
	Name        *string      `json:"name,omitzero"`
	Owner       *string      `json:"owner,omitzero"`
	Permissions *Permissions `json:"permissions,omitzero"`
}

// Permissions are lists of actions or of globs of actions.
type Permissions struct {
	Allow  []Action `json:"allow"`
	Deny   []Action `json:"deny"`
	Except []Action `json:"except"`
}

// An Action is one entry of Permissions.
type Action struct {
	Action string `json:"action"`
}

// A Condition is OVHcloud's iam.policy.Condition.
type Condition struct {
	Operator   string            `json:"operator"`
	Values     map[string]string `json:"values,omitzero"`
	Conditions []Condition       `json:"conditions,omitzero"`
}

func wirePolicy(p iam.Policy) Policy {
	permissions := wirePermissions(p.Permissions)
	return Policy{
		ID: p.ID, Owner: p.Owner.Name, Name: p.Name, Description: p.Description, ReadOnly: p.ReadOnly,
		Identities:        mapped(p.Identities, func(u urn.URN) string { return string(u) }),
		Resources:         mapped(p.Resources, func(u urn.URN) PolicyResource { return PolicyResource{URN: string(u)} }),
		Permissions:       &permissions,
		PermissionsGroups: mapped(p.PermissionsGroups, func(u urn.URN) PermissionsGroupRef { return PermissionsGroupRef{URN: string(u)} }),
		Conditions:        wireCondition(p.Condition), ExpiredAt: stamp(p.ExpiredAt), CreatedAt: stamp(p.CreatedAt), UpdatedAt: stamp(p.UpdatedAt),
	}
}

func wirePermissions(p iam.Permissions) Permissions {
	wire := func(a iam.Action) Action { return Action{string(a)} }
	return Permissions{Allow: mapped(p.Allow, wire), Deny: mapped(p.Deny, wire), Except: mapped(p.Except, wire)}
}

func (p *Permissions) domain() iam.Permissions {
	if p == nil {
		return iam.Permissions{}
	}
	read := func(a Action) iam.Action { return iam.Action(a.Action) }
	return iam.Permissions{Allow: mapped(p.Allow, read), Deny: mapped(p.Deny, read), Except: mapped(p.Except, read)}
}

func wireCondition(c *iam.Condition) *Condition {
	if c == nil {
		return nil
	}
	out := &Condition{Operator: string(c.Operator), Values: c.Values}
	for i := range c.Conditions {
		out.Conditions = append(out.Conditions, *wireCondition(&c.Conditions[i]))
	}
	return out
}

func (c *Condition) domain() *iam.Condition {
	if c == nil {
		return nil
	}
	out := &iam.Condition{Operator: iam.Operator(c.Operator), Values: c.Values}
	for i := range c.Conditions {
		out.Conditions = append(out.Conditions, *c.Conditions[i].domain())
	}
	return out
}

// domain gives the policy without its read-only members, which a PUT may carry and which change nothing.
func (in *Policy) domain(owner urn.Account) (iam.Policy, error) {
	switch {
	case in.Name == "":
		return iam.Policy{}, required("name")
	case in.Identities == nil:
		return iam.Policy{}, required("identities")
	case in.Resources == nil:
		return iam.Policy{}, required("resources")
	case in.Permissions == nil && len(in.PermissionsGroups) == 0:
		return iam.Policy{}, required("permissions")
	}
	expires, err := moment("expiredAt", in.ExpiredAt)
	if err != nil {
		return iam.Policy{}, err
	}
	return iam.Policy{
		Owner: owner, Name: in.Name, Description: in.Description, Condition: in.Conditions.domain(), ExpiredAt: expires,
		Permissions:       in.Permissions.domain(),
		Identities:        mapped(in.Identities, func(s string) urn.URN { return urn.URN(s) }),
		Resources:         mapped(in.Resources, func(r PolicyResource) urn.URN { return urn.URN(r.URN) }),
		PermissionsGroups: mapped(in.PermissionsGroups, func(g PermissionsGroupRef) urn.URN { return urn.URN(g.URN) }),
	}, nil
}

// given names the read-only member that a creation must not bring, or "".
func (in *Policy) given() string {
	switch {
	case in.ID != "":
		return "id"
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

func readOnlyGiven(member string) error {
	return iam.Errorf(iam.Invalid, "The member %s is set by the server; leave it out.", member)
}

func (s *Server) listPolicies(ctx context.Context, q *query) (any, error) {
	f := registry.PolicyFilter{
		Actions:    mapped(q.params["action"], func(v string) iam.Action { return iam.Action(v) }),
		Identities: mapped(q.params["identity"], func(v string) urn.URN { return urn.URN(v) }),
		Resources:  mapped(q.params["resourceURN"], func(v string) urn.URN { return urn.URN(v) }),
	}
	var err error
	if f.ReadOnly, err = q.boolean("readOnly"); err != nil {
		return nil, err
	}
	details, err := q.details()
	if err != nil {
		return nil, err
	}
	p, err := q.page()
	if err != nil {
		return nil, err
	}
	list, next, err := s.registry.Policies(ctx, q.caller, f, p)
	if err != nil {
		return nil, err
	}
	q.next(next)
	out := mapped(list, wirePolicy)
	if details {
		err = s.expand(ctx, q.caller, pointers(out)...)
	}
	return out, err
}

func pointers[T any](list []T) []*T {
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

func (s *Server) getPolicy(ctx context.Context, q *query) (any, error) {
	details, err := q.details()
	if err != nil {
		return nil, err
	}
	p, err := s.registry.Policy(ctx, q.caller, q.arg(0))
	if err != nil {
		return nil, err
	}
	out := wirePolicy(p)
	if details {
		err = s.expand(ctx, q.caller, &out)
	}
	return out, err
}

func (s *Server) createPolicy(ctx context.Context, q *query) (any, error) {
	var in Policy
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	if member := in.given(); member != "" {
		return nil, readOnlyGiven(member)
	}
	p, err := in.domain(q.caller.Account)
	if err != nil {
		return nil, err
	}
	made, err := s.registry.CreatePolicy(ctx, q.caller, p)
	return wirePolicy(made), err
}

func (s *Server) replacePolicy(ctx context.Context, q *query) (any, error) {
	var in Policy
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	p, err := in.domain(q.caller.Account)
	if err != nil {
		return nil, err
	}
	stored, err := s.registry.ReplacePolicy(ctx, q.caller, q.arg(0), p)
	return wirePolicy(stored), err
}

func (s *Server) deletePolicy(ctx context.Context, q *query) (any, error) {
	return nil, s.registry.DeletePolicy(ctx, q.caller, q.arg(0))
}

// A sight is what the caller may see of what policies name.
type sight struct{ permissionsGroups, resourceGroups bool }

func (s *Server) sight(ctx context.Context, c iam.Caller) (v sight, err error) {
	if v.permissionsGroups, err = s.may(ctx, c, iam.ActionPermissionsGroupGet); err != nil {
		return v, err
	}
	v.resourceGroups, err = s.may(ctx, c, iam.ActionResourceGroupGet)
	return v, err
}

// expand fills in what details=true asks for, as far as the caller can see it.
func (s *Server) expand(ctx context.Context, c iam.Caller, policies ...*Policy) error {
	v, err := s.sight(ctx, c)
	if err != nil {
		return err
	}
	for _, p := range policies {
		for i := range p.Resources {
			if err := s.expandResource(ctx, c, v, &p.Resources[i]); err != nil {
				return err
			}
		}
		for i := range p.PermissionsGroups {
			if err := s.expandGroup(ctx, c, v, &p.PermissionsGroups[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Server) expandGroup(ctx context.Context, c iam.Caller, v sight, g *PermissionsGroupRef) error {
	if !v.permissionsGroups {
		return nil
	}
	group, err := s.registry.PermissionsGroup(ctx, c, urn.URN(g.URN))
	if err != nil {
		return unlessHidden(err)
	}
	permissions := wirePermissions(group.Permissions)
	g.Name, g.Owner, g.Permissions = &group.Name, &group.Owner.Name, &permissions
	return nil
}

func (s *Server) expandResource(ctx context.Context, c iam.Caller, v sight, r *PolicyResource) error {
	u := urn.URN(r.URN)
	if u.Kind() != urn.KindResourceGroup {
		found, err := s.registry.Resource(ctx, c, u)
		if err == nil {
			r.Resource = new(wireResource(found))
		}
		return unlessHidden(err)
	}
	if !v.resourceGroups {
		return nil
	}
	g, err := s.registry.ResourceGroup(ctx, c, u.Name())
	if err == nil {
		r.Group = &ResourceGroupRef{ID: g.ID, Name: g.Name, ReadOnly: g.ReadOnly}
	}
	return unlessHidden(err)
}

func unlessHidden(err error) error {
	if hidden(err) {
		return nil
	}
	return err
}

// hidden reports whether err says that the caller cannot see a thing, which an expansion then leaves out. A pattern is Invalid as the
// name of one resource.
func hidden(err error) bool {
	switch iam.KindOf(err) {
	case iam.Denied, iam.NotFound, iam.Invalid:
		return true
	}
	return false
}
