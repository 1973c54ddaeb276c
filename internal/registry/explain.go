package registry

import (
	"context"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/store"
)

// An Explanation is a decision and how the same call stands now.
type Explanation struct {
	Decision audit.Decision

	Granted    bool         // the same call would be let through now, from the same address
	Roles      rbac.Roles   // held now
	Rights     []iam.Action // held now
	Blocked    string       // why no policy gives anything now, a sentence; "" where policies decide
	Considered []Considered // the rights that bring a needed role
	Ways       []iam.Way    // each of them would let the call through; none where it already is, or where nothing would
	Advice     string       // a sentence, where no right opens the call
}

// A Considered is a right that would let the call through, and every statement that speaks of it.
type Considered struct {
	Right      iam.Action
	Held       bool
	Statements []iam.Statement
}

// explain evaluates everything about a decision anew, as of now.
func (r *Registry) explain(ctx context.Context, tx *store.Tx, d audit.Decision) (Explanation, error) {
	e := Explanation{Decision: d, Advice: advice[d.Verdict]}
	s, err := loadFooting(ctx, tx, d)
	if err != nil {
		return e, err
	}
	if e.Blocked = s.blocked; s.project == nil {
		e.Granted = d.Verdict == audit.Open
		return e, nil
	}
	set, err := policySet(ctx, tx, d.Account, d.Identity)
	if err != nil {
		return e, err
	}
	e.evaluate(set, s, iam.Request{Identity: d.Identity, Resource: s.project.resource, Time: r.now(), Address: d.Address})
	return e, nil
}

// evaluate says what the policies give, and what else they would have to say.
func (e *Explanation) evaluate(set *iam.PolicySet, s footing, req iam.Request) {
	needed, c := rolesNeeded(e.Decision.Needed), iam.Compile(set, req.Identity)
	roles, _ := c.Roles(req.Resource, req.Time, req.Address)
	if s.blocked == "" {
		e.Roles, e.Rights = roles, c.Rights(req.Resource, req.Time, req.Address)
	}
	for _, right := range iam.RightsThatBring(needed) {
		held, _ := c.Allows(right, req.Resource, req.Time, req.Address)
		e.Considered = append(e.Considered, Considered{right, held && s.blocked == "", c.Consider(right, req.Resource, req.Time, req.Address)})
	}
	before, byRoles := stepsBefore(e.Decision)
	e.Granted = e.Decision.Verdict == audit.Open || byRoles && len(before) == 0 && e.Roles.Intersects(needed)
	if byRoles && needed == 0 {
		e.Advice = advice[audit.AdministratorCall]
	}
	if e.Granted || !byRoles || needed == 0 {
		return
	}
	if before = append(before, s.steps...); roles.Intersects(needed) {
		e.Ways = []iam.Way{{Steps: before}}
		return
	}
	for _, w := range iam.Ways(set, req, needed) {
		e.Ways = append(e.Ways, iam.Way{Right: w.Right, Steps: append(before[:len(before):len(before)], w.Steps...)})
	}
}

// stepsBefore gives what must change in the call itself, and whether roles decide after that.
func stepsBefore(d audit.Decision) (steps []iam.Step, byRoles bool) {
	switch d.Verdict {
	case audit.Granted, audit.MissingRole:
		return nil, true
	case audit.AdministratorField:
		return []iam.Step{{Change: iam.LeaveOut, Field: d.Field}}, true
	case audit.AnotherProject:
		return []iam.Step{{Change: iam.NameOwnProject, Field: d.Field}}, true
	}
	return nil, false
}

// advice is for calls that no right opens.
var advice = map[audit.Verdict]string{
	audit.AdministratorCall: "No right opens this call: it is the cloud administrator's, a manager's or another service's.",
	audit.ClosedCall:        "The operator of the gateway has turned this call off for this cloud; no right opens it.",
	audit.UnknownOperation: "No line of the operation table is this call, so nobody may make it. If it is no slip, whoever runs the server can add a line " +
		"(operations: in its configuration).",
	audit.NotTaken:  "The gateway takes no call of this kind, whoever makes it; the message says why, and what to do instead.",
	audit.NoProject: "Ask for a token with a project as its scope.",
	audit.Malformed: "The call can be read in more than one way, or not at all; the message says where.",
}

// rolesNeeded reads the roles of a decision.
func rolesNeeded(names []string) (roles rbac.Roles) {
	for _, name := range names {
		if name == "any" {
			return rbac.AllRoles
		}
		if role, ok := rbac.ParseRole(name); ok {
			roles |= rbac.RolesOf(role)
		}
	}
	return roles
}

// A footing is whether there is anything for policies to decide.
type footing struct {
	project *project // nil: nothing can be decided
	blocked string
	steps   []iam.Step // that lift it
}

func loadFooting(ctx context.Context, tx *store.Tx, d audit.Decision) (s footing, err error) {
	id, _ := d.Identity.ClientID()
	sa, err := tx.ServiceAccount(ctx, iam.ClientID(id))
	if err != nil {
		return footing{blocked: "The service account is gone."}, orKind(err, nil)
	}
	account, err := tx.Account(ctx, d.Account)
	if err != nil {
		return s, err
	}
	p, err := loadProject(ctx, tx, iam.ProjectID(d.Project))
	if d.Project == "" || err == nil && p.Owner != d.Account || err != nil && orKind(err, nil) == nil {
		return footing{blocked: noSuchProject(d.Project)}, nil
	}
	if err != nil {
		return s, err
	}
	s.project = p
	s.lift(account.Disabled, "The account is disabled.", iam.EnableAccount)
	s.lift(sa.Disabled, "The service account is disabled.", iam.EnableServiceAccount)
	s.lift(p.Disabled, "The project is disabled.", iam.EnableProject)
	return s, nil
}

func noSuchProject(id string) string {
	if id == "" {
		return "The token was for no project."
	}
	return "There is no such project in this account."
}

func (s *footing) lift(when bool, sentence string, change iam.Change) {
	if when {
		s.blocked = sentence
		s.steps = append(s.steps, iam.Step{Change: change})
	}
}
