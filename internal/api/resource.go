package api

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/urn"
)

// A Resource is OVHcloud's iam.resource.Resource. Only its tags can be changed.
type Resource struct {
	ID          string            `json:"id,omitzero"`
	URN         string            `json:"urn,omitzero"`
	Name        string            `json:"name,omitzero"`
	DisplayName string            `json:"displayName,omitzero"`
	Type        string            `json:"type,omitzero"`
	Owner       string            `json:"owner,omitzero"`
	Tags        map[string]string `json:"tags"`
}

// A Tag is one tag of a resource.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// A TagFilter narrows a list of resources by one tag: EQ (when empty), NEQ, EXISTS, NEXISTS, LIKE, ILIKE.
type TagFilter struct {
	Operator string `json:"operator,omitzero"`
	Value    string `json:"value,omitzero"`
}

func wireResource(r iam.Resource) Resource {
	tags := r.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return Resource{
		ID: r.ID, URN: string(r.URN), Name: r.Name, DisplayName: r.DisplayName, Type: r.URN.Type(), Owner: r.Owner.Name, Tags: tags,
	}
}

// resourceURN reads the variable segment of the path.
func (q *query) resourceURN() (urn.URN, error) { return parsed(urn.ParseResource(q.arg(0))) }

func (s *Server) listResources(ctx context.Context, q *query) (any, error) {
	f := registry.ResourceFilter{Names: q.params["resourceName"], Types: q.params["resourceType"]}
	for _, v := range q.params["resourceURN"] {
		u, err := urn.ParseResource(v)
		if err != nil {
			return nil, iam.Errorf(iam.Invalid, "The query parameter resourceURN[] is no resource: %v.", err)
		}
		f.URNs = append(f.URNs, u)
	}
	var err error
	if f.Tags, err = q.tagFilters(); err != nil {
		return nil, err
	}
	p, err := q.page()
	if err != nil {
		return nil, err
	}
	list, next, err := s.registry.Resources(ctx, q.caller, f, p)
	if err != nil {
		return nil, err
	}
	q.next(next)
	return mapped(list, wireResource), nil
}

// tagFilters reads the query parameter tags, an object of lists of filters by tag key.
func (q *query) tagFilters() ([]registry.TagFilter, error) {
	text, err := q.one("tags")
	if err != nil || text == "" {
		return nil, err
	}
	var in map[string][]TagFilter
	if err := json.Unmarshal([]byte(text), &in, json.RejectUnknownMembers(true)); err != nil {
		return nil, iam.Errorf(iam.Invalid, `The query parameter tags is not the JSON expected, such as {"environment":[{"operator":"EQ","value":"production"}]}.`)
	}
	var out []registry.TagFilter
	for key, filters := range in {
		for _, f := range filters {
			if f.Operator == "" {
				f.Operator = "EQ"
			}
			out = append(out, registry.TagFilter{Key: key, Operator: f.Operator, Value: f.Value})
		}
	}
	return out, nil
}

func (s *Server) getResource(ctx context.Context, q *query) (any, error) {
	u, err := q.resourceURN()
	if err != nil {
		return nil, err
	}
	r, err := s.registry.Resource(ctx, q.caller, u)
	return wireResource(r), err
}

func (s *Server) replaceTags(ctx context.Context, q *query) (any, error) {
	u, err := q.resourceURN()
	if err != nil {
		return nil, err
	}
	var in Resource
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	if in.Tags == nil {
		return nil, required("tags")
	}
	r, err := s.registry.SetTags(ctx, q.caller, u, in.Tags)
	return wireResource(r), err
}

func (s *Server) addTag(ctx context.Context, q *query) (any, error) {
	u, err := q.resourceURN()
	if err != nil {
		return nil, err
	}
	var in struct {
		Key   string  `json:"key"`
		Value *string `json:"value"`
	}
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	if in.Key == "" {
		return nil, required("key")
	}
	if in.Value == nil {
		return nil, required("value")
	}
	return nil, s.registry.AddTag(ctx, q.caller, u, in.Key, *in.Value)
}

func (s *Server) removeTag(ctx context.Context, q *query) (any, error) {
	u, err := q.resourceURN()
	if err != nil {
		return nil, err
	}
	return nil, s.registry.RemoveTag(ctx, q.caller, u, q.arg(1))
}

// maxChecks bounds one request to the authorization check: actions times resources.
const maxChecks = 1000

// A CheckResult says which actions the caller may do on one resource.
type CheckResult struct {
	ResourceURN         string   `json:"resourceURN,omitzero"` // of a check of several resources
	AuthorizedActions   []string `json:"authorizedActions"`
	UnauthorizedActions []string `json:"unauthorizedActions"`
}

// A Check asks which of the actions the caller may do, on each of the resources; a check of one resource names it in the path.
type Check struct {
	Actions      []string `json:"actions"`
	ResourceURNs []string `json:"resourceURNs,omitzero"`
}

func (s *Server) checkResource(ctx context.Context, q *query) (any, error) {
	u, err := q.resourceURN()
	if err != nil {
		return nil, err
	}
	var in struct {
		Actions []string `json:"actions"`
	}
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	if err := checkable(len(in.Actions), 1); err != nil {
		return nil, err
	}
	return s.check(ctx, q.caller, in.Actions, u)
}

func (s *Server) checkResources(ctx context.Context, q *query) (any, error) {
	var in Check
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	if len(in.ResourceURNs) == 0 {
		return nil, required("resourceURNs")
	}
	if err := checkable(len(in.Actions), len(in.ResourceURNs)); err != nil {
		return nil, err
	}
	out := make([]CheckResult, len(in.ResourceURNs))
	for i, text := range in.ResourceURNs {
		u, err := urn.ParseResource(text)
		if err != nil {
			return nil, &iam.Error{Kind: iam.Invalid, Code: "INVALID_RESOURCE_URN", Message: "The member resourceURNs names no resource: " + err.Error() + "."}
		}
		if out[i], err = s.check(ctx, q.caller, in.Actions, u); err != nil {
			return nil, err
		}
		out[i].ResourceURN = text
	}
	return out, nil
}

func checkable(actions, resources int) error {
	if actions == 0 {
		return required("actions")
	}
	if actions*resources > maxChecks {
		return iam.Errorf(iam.TooLarge, "One request checks at most %d pairs of an action and a resource.", maxChecks)
	}
	return nil
}

// check answers for a resource that the caller cannot see as for one that does not exist: nothing is granted.
func (s *Server) check(ctx context.Context, c iam.Caller, actions []string, u urn.URN) (CheckResult, error) {
	out := CheckResult{AuthorizedActions: []string{}, UnauthorizedActions: []string{}}
	for _, a := range actions {
		d, err := s.registry.Decide(ctx, c, iam.Action(a), u)
		if err != nil && iam.KindOf(err) != iam.NotFound {
			return CheckResult{}, err
		}
		if err == nil && d.Allowed {
			out.AuthorizedActions = append(out.AuthorizedActions, a)
		} else {
			out.UnauthorizedActions = append(out.UnauthorizedActions, a)
		}
	}
	return out, nil
}
