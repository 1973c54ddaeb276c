package api

import (
	"context"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/urn"
)

// An AuthDetails says who the caller is, as OVHcloud's auth.Details.
type AuthDetails struct {
	Account       string    `json:"account"`
	AllowedRoutes *[]string `json:"allowedRoutes"` // null: IAM decides, not the credential
	Description   string    `json:"description"`
	Identities    []string  `json:"identities"`
	Method        string    `json:"method"`
	Roles         []string  `json:"roles"`
	User          *string   `json:"user"` // null: no person
}

// authDetails needs no IAM action: programs ask it first, to learn whose credential they hold.
func (s *Server) authDetails(_ context.Context, q *query) (any, error) {
	return AuthDetails{
		Account: q.caller.Account.Name, Description: q.account.Description, Identities: []string{string(q.caller.Identity)},
		Method: "oauth2_client_credentials", Roles: []string{},
	}, nil
}

// An Access is what the caller may do on OpenStack and why. The route is ours.
type Access struct {
	Account  string          `json:"account"`
	Identity string          `json:"identity"`
	Projects []ProjectAccess `json:"projects"` // those with at least one role
}

// A ProjectAccess is the caller's access to one project.
type ProjectAccess struct {
	ID     string        `json:"id"`
	Name   string        `json:"name"`
	URN    string        `json:"urn"`
	Roles  []string      `json:"roles"`
	Rights []RightAccess `json:"rights"`
}

// A RightAccess is one right and the statements that decided on it.
type RightAccess struct {
	Action  string   `json:"action"`
	Reasons []Reason `json:"reasons"`
}

// A Reason is one statement of a policy.
type Reason struct {
	Effect           string `json:"effect"` // allow, deny, except
	PolicyID         string `json:"policyId"`
	PolicyName       string `json:"policyName"`
	PermissionsGroup string `json:"permissionsGroup,omitzero"`
	Statement        string `json:"statement"`
}

// authAccess needs no IAM action: what a credential can do is no secret to who holds it.
func (s *Server) authAccess(ctx context.Context, q *query) (any, error) {
	list, err := s.registry.ProjectRights(ctx, q.account.ID, q.caller.Address)
	if err != nil {
		return nil, err
	}
	out := Access{Account: q.caller.Account.Name, Identity: string(q.caller.Identity), Projects: make([]ProjectAccess, len(list))}
	for i, p := range list {
		if out.Projects[i], err = s.projectAccess(ctx, q.caller, p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Server) projectAccess(ctx context.Context, c iam.Caller, p registry.ProjectRights) (ProjectAccess, error) {
	u := urn.Project(p.Project.Owner.Partition, string(p.Project.ID))
	out := ProjectAccess{ID: string(p.Project.ID), Name: p.Project.Name, URN: string(u), Roles: []string{}, Rights: make([]RightAccess, len(p.Rights))}
	for role := range p.Roles.All() {
		out.Roles = append(out.Roles, role.String())
	}
	for i, action := range p.Rights {
		d, err := s.registry.Decide(ctx, c, action, u)
		if err != nil {
			return ProjectAccess{}, err
		}
		out.Rights[i] = RightAccess{Action: string(action), Reasons: mapped(d.Reasons, wireReason)}
	}
	return out, nil
}

func wireReason(r iam.Reason) Reason {
	return Reason{
		Effect: string(r.Effect), PolicyID: r.PolicyID, PolicyName: r.PolicyName, PermissionsGroup: string(r.Group), Statement: string(r.Statement),
	}
}

// A Me is the account, in the members of OVHcloud's nichandle that mean something here, and the two identities that policies know it by.
type Me struct {
	Nichandle    string    `json:"nichandle"`
	CustomerCode string    `json:"customerCode"`
	Name         string    `json:"name"`
	State        string    `json:"state"` // complete, or disabled
	Partition    string    `json:"partition"`
	IdentityURN  string    `json:"identityURN"`
	ResourceURN  string    `json:"resourceURN"`
	CreationDate time.Time `json:"creationDate"`
}

func (s *Server) me(ctx context.Context, q *query) (any, error) {
	a, err := s.registry.Account(ctx, q.caller, q.caller.Account)
	if err != nil {
		return nil, err
	}
	out := Me{
		Nichandle: a.ID.Name, CustomerCode: a.ID.Name, Name: a.Description, State: "complete", Partition: string(a.ID.Partition),
		IdentityURN: string(urn.AccountIdentity(a.ID)), ResourceURN: string(urn.AccountResource(a.ID)), CreationDate: a.CreatedAt.UTC(),
	}
	if a.Disabled {
		out.State = "disabled"
	}
	return out, nil
}

// A Project is OVHcloud's cloud.Project.
type Project struct {
	ProjectID    string           `json:"project_id"`
	ProjectName  string           `json:"projectName"`
	Description  string           `json:"description"`
	PlanCode     string           `json:"planCode"`
	Status       string           `json:"status"` // ok, or suspended
	Access       string           `json:"access"` // full, or restricted
	ManualQuota  bool             `json:"manualQuota"`
	Unleash      bool             `json:"unleash"`
	CreationDate time.Time        `json:"creationDate"`
	Expiration   *time.Time       `json:"expiration"`
	OrderID      *int64           `json:"orderId"`
	IAM          ResourceMetadata `json:"iam"`
}

// A ResourceMetadata is OVHcloud's iam.ResourceMetadata.
type ResourceMetadata struct {
	ID          string            `json:"id,omitzero"`
	URN         string            `json:"urn"`
	DisplayName string            `json:"displayName"`
	Tags        map[string]string `json:"tags"`
}

func (s *Server) listProjects(ctx context.Context, q *query) (any, error) {
	list, err := all(ctx, func(ctx context.Context, p registry.Page) ([]iam.Project, string, error) {
		return s.registry.Projects(ctx, q.caller, p)
	})
	if err != nil {
		return nil, err
	}
	return mapped(list, func(p iam.Project) string { return string(p.ID) }), nil
}

func (s *Server) getProject(ctx context.Context, q *query) (any, error) {
	p, err := s.registry.Project(ctx, q.caller, iam.ProjectID(q.arg(0)))
	if err != nil {
		return nil, err
	}
	out := Project{
		ProjectID: string(p.ID), ProjectName: p.Name, Description: p.Description, PlanCode: "project.2018", Status: "ok", Access: "full",
		CreationDate: p.CreatedAt.UTC(),
	}
	if p.Disabled {
		out.Status, out.Access = "suspended", "restricted"
	}
	u := urn.Project(p.Owner.Partition, string(p.ID))
	out.IAM = ResourceMetadata{URN: string(u), DisplayName: p.Name, Tags: map[string]string{}}
	r, err := s.registry.Resource(ctx, q.caller, u)
	if hidden(err) {
		return out, nil
	}
	shown := wireResource(r)
	out.IAM = ResourceMetadata{ID: shown.ID, URN: shown.URN, DisplayName: shown.DisplayName, Tags: shown.Tags}
	return out, err
}
