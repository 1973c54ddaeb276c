package api

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
)

// A Decision is how one call of OpenStack was judged. The routes are ours.
type Decision struct {
	ID             string       `json:"id,omitzero"`      // X-Stackgate-Request-Id of the answer; absent before the fact
	OtherID        string       `json:"otherId,omitzero"` // the answer's X-Openstack-Request-Id, where it is another
	Time           *time.Time   `json:"time,omitzero"`
	Granted        bool         `json:"granted"`
	Verdict        string       `json:"verdict"` // granted, open, missing role, administrator's call, administrator's field, …
	Message        string       `json:"message,omitzero"`
	Identity       string       `json:"identity"`
	ServiceAccount string       `json:"serviceAccount"`
	Project        string       `json:"project,omitzero"` // the token's
	Call           DecisionCall `json:"call"`
	Operation      string       `json:"operation,omitzero"`
	Field          string       `json:"field,omitzero"` // the member, header or parameter that decided
	RolesNeeded    []string     `json:"rolesNeeded"`    // any one of them; "any": of all
	RolesHeld      []string     `json:"rolesHeld"`
	RightsHeld     []string     `json:"rightsHeld"`
}

// A DecisionCall is the call itself, without its query.
type DecisionCall struct {
	Service string `json:"service"`
	Region  string `json:"region,omitzero"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	Address string `json:"address,omitzero"`
}

// An ExplainedDecision is a Decision and how the same call stands now.
type ExplainedDecision struct {
	Decision
	Now     DecisionNow    `json:"now"`
	Rights  []DecidedRight `json:"rights"`  // that bring a needed role
	Changes []Change       `json:"changes"` // each of them would let the call through
	Advice  string         `json:"advice,omitzero"`
}

// A DecisionNow is what would be decided now about the same call from the same address.
type DecisionNow struct {
	Granted    bool     `json:"granted"`
	RolesHeld  []string `json:"rolesHeld"`
	RightsHeld []string `json:"rightsHeld"`
	Blocked    string   `json:"blocked,omitzero"` // why no policy gives anything
}

// A DecidedRight is a right and every statement that speaks of it.
type DecidedRight struct {
	Action     string             `json:"action"`
	Held       bool               `json:"held"`
	Statements []DecidedStatement `json:"statements"`
}

// A DecidedStatement is a statement and whether it counts.
type DecidedStatement struct {
	Reason
	Status string `json:"status"` // counts, or why not
}

// A Change is what would let a call through: all its steps together.
type Change struct {
	Text  string       `json:"text"`
	Right string       `json:"right,omitzero"`
	Steps []ChangeStep `json:"steps"`
}

// A ChangeStep is a change to one thing.
type ChangeStep struct {
	Change           string `json:"change"` // add policy, remove deny, remove except, renew policy, add resource, enable …, leave out, …
	Text             string `json:"text"`
	Right            string `json:"right,omitzero"`
	PolicyID         string `json:"policyId,omitzero"`
	PolicyName       string `json:"policyName,omitzero"`
	PermissionsGroup string `json:"permissionsGroup,omitzero"`
	Statement        string `json:"statement,omitzero"`
	Field            string `json:"field,omitzero"`
}

// A DecisionQuestion asks about a call before the fact.
type DecisionQuestion struct {
	ServiceAccount string            `json:"serviceAccount"`    // client id
	Project        string            `json:"project"`           // that the token would be for
	Service        string            `json:"service,omitzero"`  // type in the catalog; "": the path starts with region and service
	Method         string            `json:"method,omitzero"`   // GET if absent
	Path           string            `json:"path"`              // raw
	Query          string            `json:"query,omitzero"`    // raw
	Headers        map[string]string `json:"headers,omitempty"` // those that may matter
	Body           string            `json:"body,omitzero"`
	Address        string            `json:"address,omitzero"` // from where; the caller's own if it asks about itself, else unknown
}

// A Call is a call of OpenStack that nobody has made.
type Call struct {
	Project iam.ProjectID
	Service string
	Method  string
	Target  string
	Header  http.Header
	Body    []byte
	Address netip.Addr
}

func (s *Server) listRefusals(ctx context.Context, q *query) (any, error) {
	p, err := q.page()
	if err != nil {
		return nil, err
	}
	account, err := q.one("serviceAccount")
	if err != nil {
		return nil, err
	}
	list, next, err := s.registry.Refusals(ctx, q.caller, registry.RefusalFilter{ServiceAccount: iam.ClientID(account)}, p)
	if err != nil {
		return nil, err
	}
	q.next(next)
	return mapped(list, wireDecision), nil
}

func (s *Server) getDecision(ctx context.Context, q *query) (any, error) {
	e, err := s.registry.Decision(ctx, q.caller, q.arg(0))
	if err != nil {
		return nil, err
	}
	return wireExplanation(e), nil
}

func (s *Server) previewDecision(ctx context.Context, q *query) (any, error) {
	var in DecisionQuestion
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	call, err := in.call(q.caller)
	if err != nil {
		return nil, err
	}
	if s.preview == nil {
		return nil, iam.Errorf(iam.NotFound, "There is no gateway here to judge the call.")
	}
	e, err := s.registry.Preview(ctx, q.caller, iam.ClientID(in.ServiceAccount), func(account iam.ServiceAccount) (audit.Decision, error) {
		return s.preview(ctx, account, call)
	})
	if err != nil {
		return nil, err
	}
	return wireExplanation(e), nil
}

// call reads a question.
func (in *DecisionQuestion) call(c iam.Caller) (out Call, err error) {
	if in.ServiceAccount == "" || in.Project == "" || in.Path == "" {
		return out, iam.Errorf(iam.Invalid, "Say whose call (serviceAccount), on which project (project), and which (path; method, service, query, headers, body).")
	}
	out = Call{Service: in.Service, Method: in.Method, Target: in.Path, Header: http.Header{}, Body: []byte(in.Body)}
	if out.Project, err = iam.ParseProjectID(in.Project); err != nil {
		return out, err
	}
	if out.Method == "" {
		out.Method = http.MethodGet
	}
	if in.Query != "" {
		if strings.Contains(in.Path, "?") {
			return out, iam.Errorf(iam.Invalid, "The query stands in the path and in query; give it once.")
		}
		out.Target += "?" + in.Query
	}
	for name, value := range in.Headers {
		out.Header.Add(name, value)
	}
	if id, ok := c.Identity.ClientID(); ok && id == in.ServiceAccount {
		out.Address = c.Address
	}
	if in.Address != "" {
		if out.Address, err = netip.ParseAddr(in.Address); err != nil {
			return out, iam.Errorf(iam.Invalid, "The member address is an IP address, not %q.", cut(in.Address))
		}
	}
	return out, nil
}

func wireDecision(d audit.Decision) Decision {
	client, _ := d.Identity.ClientID()
	out := Decision{
		ID: d.ID, OtherID: d.OtherID, Granted: d.Verdict.Yes(), Verdict: string(d.Verdict), Message: d.Message, Identity: string(d.Identity),
		ServiceAccount: client, Project: d.Project, Operation: d.Operation, Field: d.Field,
		RolesNeeded: some(d.Needed), RolesHeld: some(d.Held), RightsHeld: some(d.Rights),
		Call: DecisionCall{Service: d.Service, Region: d.Region, Method: d.Method, Path: d.Path},
	}
	if d.Address.IsValid() {
		out.Call.Address = d.Address.String()
	}
	if d.ID != "" {
		out.Time = stamp(d.Time)
	}
	return out
}

func wireExplanation(e registry.Explanation) ExplainedDecision {
	out := ExplainedDecision{
		Decision: wireDecision(e.Decision), Advice: e.Advice, Rights: mapped(e.Considered, wireConsidered), Changes: mapped(e.Ways, wireWay),
		Now: DecisionNow{Granted: e.Granted, Blocked: e.Blocked, RolesHeld: []string{}, RightsHeld: mapped(e.Rights, text[iam.Action])},
	}
	for role := range e.Roles.All() {
		out.Now.RolesHeld = append(out.Now.RolesHeld, role.String())
	}
	if out.ID == "" { // before the fact there is no other now
		out.RightsHeld = out.Now.RightsHeld
	}
	return out
}

func wireConsidered(c registry.Considered) DecidedRight {
	return DecidedRight{string(c.Right), c.Held, mapped(c.Statements, func(s iam.Statement) DecidedStatement {
		return DecidedStatement{wireReason(s.Reason), string(s.Status)}
	})}
}

func wireWay(w iam.Way) Change {
	out := Change{Right: string(w.Right), Steps: mapped(w.Steps, wireStep)}
	texts := mapped(out.Steps, func(s ChangeStep) string { return s.Text })
	all := strings.Join(texts, ", and ")
	out.Text = strings.ToUpper(all[:1]) + all[1:] + "."
	return out
}

func wireStep(s iam.Step) ChangeStep {
	return ChangeStep{
		Change: string(s.Change), Text: s.String(), Right: string(s.Right), PolicyID: s.PolicyID, PolicyName: s.PolicyName,
		PermissionsGroup: string(s.Group), Statement: string(s.Statement), Field: s.Field,
	}
}

func text[T ~string](v T) string { return string(v) }

// some gives an empty list for none, which JSON writes as [].
func some(list []string) []string { return append([]string{}, list...) }
