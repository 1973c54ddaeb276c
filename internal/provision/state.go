package provision

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/iam"
)

// A state is what a Keystone has of what we need. Absent things are nil.
type state struct {
	domain    *domain
	roles     map[string]role
	implied   map[string][]string // by role, the names of those it brings along
	provider  *identityProvider
	namesake  string // id of another identity provider that has our remote id
	mapping   *mapping
	protocol  *protocol
	groups    map[string]group // of the domain, by name
	projects  map[iam.ProjectID]*project
	granted   map[grant]bool // what the groups of the domain have on those projects
	roleNames map[string]string
}

// A grant is a role of a group on a project.
type grant struct {
	project iam.ProjectID
	group   string // id
	role    string // id
}

// read asks the Keystone for all of it, without changing anything.
func (k *Keystone) read(ctx context.Context, projects []iam.Project, progress func(done, of int)) (*state, error) {
	s := &state{
		roles: map[string]role{}, implied: map[string][]string{}, groups: map[string]group{}, projects: map[iam.ProjectID]*project{},
		granted: map[grant]bool{}, roleNames: map[string]string{},
	}
	for _, step := range []func(context.Context, *state) error{k.readRoles, k.readDomain, k.readFederation} {
		if err := step(ctx, s); err != nil {
			return nil, err
		}
	}
	for i, p := range projects {
		progress(i, len(projects))
		if err := k.readProject(ctx, s, p.ID); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (k *Keystone) readRoles(ctx context.Context, s *state) error {
	roles, _, err := read[[]role](ctx, k.wire, "roles", nil, "roles")
	if err != nil {
		return err
	}
	for _, r := range roles {
		s.roleNames[r.ID] = r.Name
		if r.DomainID == "" {
			s.roles[r.Name] = r
		}
	}
	inferences, _, err := read[[]inference](ctx, k.wire, "role_inferences", nil, "role_inferences")
	for _, i := range inferences {
		for _, implied := range i.Implies {
			s.implied[i.Prior.Name] = append(s.implied[i.Prior.Name], implied.Name)
		}
	}
	return err
}

func (k *Keystone) readDomain(ctx context.Context, s *state) error {
	domains, _, err := read[[]domain](ctx, k.wire, "domains", url.Values{"name": {k.trust.Provider}}, "domains")
	if err != nil || len(domains) == 0 {
		return err
	}
	s.domain = &domains[0]
	groups, _, err := read[[]group](ctx, k.wire, "groups", url.Values{"domain_id": {s.domain.ID}}, "groups")
	for _, g := range groups {
		s.groups[g.Name] = g
	}
	return err
}

func (k *Keystone) readFederation(ctx context.Context, s *state) error {
	providers, _, err := read[[]identityProvider](ctx, k.wire, "identity_providers", nil, "OS-FEDERATION", "identity_providers")
	if err != nil {
		return err
	}
	for _, p := range providers {
		if p.ID == k.trust.Provider {
			s.provider = &p
		} else if slices.Contains(p.RemoteIDs, k.trust.Provider) {
			s.namesake = p.ID
		}
	}
	m, found, err := read[mapping](ctx, k.wire, "mapping", nil, "OS-FEDERATION", "mappings", k.trust.Provider)
	if err != nil {
		return err
	}
	if found {
		s.mapping = &m
	}
	if s.provider == nil {
		return nil
	}
	p, found, err := read[protocol](ctx, k.wire, "protocol", nil, "OS-FEDERATION", "identity_providers", k.trust.Provider, "protocols", Protocol)
	if found {
		s.protocol = &p
	}
	return err
}

func (k *Keystone) readProject(ctx context.Context, s *state, id iam.ProjectID) error {
	p, found, err := read[project](ctx, k.wire, "project", nil, "projects", string(id))
	if err != nil || !found {
		return err
	}
	s.projects[id] = &p
	if !s.hasGroups(id) {
		return nil
	}
	list, _, err := read[[]assignment](ctx, k.wire, "role_assignments", url.Values{"scope.project.id": {string(id)}}, "role_assignments")
	for _, a := range list {
		s.granted[grant{id, a.Group.ID, a.Role.ID}] = true
	}
	return err
}

// hasGroups reports whether there is any group of a project, so that there may be grants.
func (s *state) hasGroups(id iam.ProjectID) bool {
	for _, right := range iam.Rights() {
		if _, ok := s.groups[iam.GroupName(id, right.Action)]; ok {
			return true
		}
	}
	return false
}

// projectOf gives the project that the name of a group is about; false if it is none of ours.
func projectOf(name string) (iam.ProjectID, bool) {
	id, right, _ := strings.Cut(name, ":")
	p, err := iam.ParseProjectID(id)
	if err != nil {
		return "", false
	}
	for _, r := range iam.Rights() {
		if iam.GroupName(p, r.Action) == id+":"+right {
			return p, true
		}
	}
	return "", false
}
