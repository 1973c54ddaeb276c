package provision

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/iam"
)

// Plan compares the Keystone with what the projects need. It changes nothing. progress may be nil.
func (k *Keystone) Plan(ctx context.Context, projects []iam.Project, progress func(done, of int)) (*Plan, error) {
	if progress == nil {
		progress = func(int, int) {}
	}
	s, err := k.read(ctx, projects, progress)
	if err != nil {
		return nil, err
	}
	return compare(k.trust, projects, s), nil
}

// Removal plans to take away what was made for the trust. The domain and the roles stay, since others may have put them to use by now.
func (k *Keystone) Removal(ctx context.Context) (*Plan, error) {
	s, err := k.read(ctx, nil, func(int, int) {})
	if err != nil {
		return nil, err
	}
	return removal(k.trust, s), nil
}

// compare is the decision, without a Keystone.
func compare(t Trust, projects []iam.Project, s *state) *Plan {
	p := &Plan{ids: newIDs(s)}
	p.planRoles(t, s)
	p.planDomain(t, s)
	p.planProvider(t, s)
	p.planMapping(t, s)
	p.planProtocol(t, s)
	wanted := map[iam.ProjectID]bool{}
	for _, project := range projects {
		wanted[project.ID] = true
		p.planProject(t, s, project)
	}
	p.planObsolete(t, s, wanted)
	return p
}

func (p *Plan) planRoles(t Trust, s *state) {
	for _, name := range roleNames() {
		r, ok := s.roles[name]
		switch {
		case !ok:
			p.add(Create, "role", name, "", createRole(t, name))
		case !strings.HasPrefix(r.Description, "Made by Stackgate for "):
			p.add(Note, "role", name, "was there before and is used as it is", nil)
		}
		for _, implied := range s.implied[name] {
			p.add(Note, "role", name, "implies the role "+implied+": whoever has the one has the other", nil)
		}
	}
}

func (p *Plan) planDomain(t Trust, s *state) {
	switch {
	case s.domain == nil:
		p.add(Create, "domain", t.Provider, "for the users and groups of service accounts", createDomain(t))
	case !s.domain.Enabled:
		p.add(Note, "domain", t.Provider, "is disabled, and so is every login; that stays as it is", nil)
	}
}

func (p *Plan) planProvider(t Trust, s *state) {
	const kind = "identity provider"
	have := s.provider
	switch {
	case s.namesake != "":
		p.add(Conflict, kind, s.namesake, "has "+t.Provider+" among its remote ids, which only one can have", nil)
	case have == nil:
		p.add(Create, kind, t.Provider, "for "+t.Issuer, createProvider(t))
	case s.domain == nil || have.DomainID != s.domain.ID:
		p.add(Conflict, kind, t.Provider, "has another domain than "+t.Provider+", which cannot be changed: delete it, or give ours another name", nil)
	case !slices.Equal(have.RemoteIDs, []string{t.Provider}) && !t.made(have.Description):
		p.add(Conflict, kind, t.Provider, t.stranger(have.Description)+", and its remote ids are not just "+t.Provider, nil)
	case !slices.Equal(have.RemoteIDs, []string{t.Provider}):
		p.add(Update, kind, t.Provider, "remote id "+t.Provider, updateProvider(t))
	}
	if have != nil && !have.Enabled {
		p.add(Note, kind, t.Provider, "is disabled, and so is every login; that stays as it is", nil)
	}
}

// planMapping takes a mapping of ours for one whose every rule is guarded by our issuer: mappings have no description.
func (p *Plan) planMapping(t Trust, s *state) {
	switch want := plain(t.rules()); {
	case s.mapping == nil:
		p.add(Create, "mapping", t.Provider, "for audience "+t.Audience, putMapping(t, "PUT"))
	case reflect.DeepEqual(s.mapping.Rules, want):
	case !guarded(s.mapping.Rules, t.Issuer):
		p.add(Conflict, "mapping", t.Provider, "has rules that Stackgate did not make", nil)
	default:
		p.add(Update, "mapping", t.Provider, "for audience "+t.Audience, putMapping(t, "PATCH"))
	}
}

// plain turns v into what a JSON reader gives for it.
func plain(v any) (out any) {
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		panic(err) // there is nothing in it that JSON does not have
	}
	return out
}

// guarded reports whether every rule is for tokens of issuer alone.
func guarded(rules any, issuer string) bool {
	list, ok := rules.([]any)
	guard := plain(map[string]any{"type": "OIDC-iss", "any_one_of": []string{issuer}})
	return ok && len(list) > 0 && !slices.ContainsFunc(list, func(r any) bool {
		rule, _ := r.(map[string]any)
		remote, _ := rule["remote"].([]any)
		return !slices.ContainsFunc(remote, func(item any) bool { return reflect.DeepEqual(item, guard) })
	})
}

func (p *Plan) planProtocol(t Trust, s *state) {
	have := s.protocol
	switch {
	case have == nil:
		p.add(Create, "protocol", Protocol, "of "+t.Provider+", with its mapping", putProtocol(t, "PUT"))
	case have.Mapping == t.Provider && (have.Attribute == nil || *have.Attribute == providerVariable):
	case s.provider == nil || !t.made(s.provider.Description):
		p.add(Conflict, "protocol", Protocol, fmt.Sprintf("of %s has the mapping %s, and Stackgate did not make the identity provider", t.Provider, have.Mapping), nil)
	default:
		p.add(Update, "protocol", Protocol, "of "+t.Provider+", with its mapping", putProtocol(t, "PATCH"))
	}
}

func (p *Plan) planProject(t Trust, s *state, project iam.Project) {
	there := s.projects[project.ID]
	if there == nil {
		p.add(Note, "project", string(project.ID), project.Name+" is not in the Keystone: no groups for it", nil)
		return
	}
	if !there.Enabled {
		p.add(Note, "project", string(project.ID), there.Name+" is disabled in the Keystone", nil)
	}
	for _, right := range iam.Rights() {
		p.planGroup(t, s, project.ID, right)
	}
}

func (p *Plan) planGroup(t Trust, s *state, id iam.ProjectID, right iam.Right) {
	name, roles := iam.GroupName(id, right.Action), rolesOf(right)
	have, ok := s.groups[name]
	if !ok {
		p.add(Create, "group", name, "with "+strings.Join(roles, " "), createGroup(t, id, name, roles))
		return
	}
	missing, excess, foreign := s.difference(id, have, roles)
	ours := t.made(have.Description)
	switch {
	case len(missing) > 0 && !ours:
		p.add(Conflict, "group", name, t.stranger(have.Description)+", and it has not the roles "+strings.Join(missing, " "), nil)
	case len(missing) > 0:
		p.add(Grant, "group", name, strings.Join(missing, " "), changeGrants("PUT", id, name, missing))
	}
	if len(excess) > 0 && ours {
		p.add(Revoke, "group", name, strings.Join(excess, " "), changeGrants("DELETE", id, name, excess))
	} else {
		foreign = append(foreign, excess...)
	}
	if len(foreign) > 0 {
		p.add(Note, "group", name, "has more than its right: "+strings.Join(foreign, " ")+"; that stays as it is", nil)
	}
}

// difference says which roles a group lacks on its project, which of the sixteen it has beyond those of its right, and which others it has.
func (s *state) difference(id iam.ProjectID, have group, want []string) (missing, excess, foreign []string) {
	for _, name := range want {
		if r, ok := s.roles[name]; !ok || !s.granted[grant{id, have.ID, r.ID}] {
			missing = append(missing, name)
		}
	}
	sixteen := roleNames()
	for g := range s.granted {
		name := s.roleNames[g.role]
		switch {
		case g.project != id || g.group != have.ID || slices.Contains(want, name) && s.roles[name].ID == g.role:
		case slices.Contains(sixteen, name) && s.roles[name].ID == g.role:
			excess = append(excess, name)
		case name == "":
			foreign = append(foreign, g.role) // a role of a domain
		default:
			foreign = append(foreign, name)
		}
	}
	slices.Sort(excess)
	slices.Sort(foreign)
	return missing, excess, foreign
}

// planObsolete deletes groups of projects that we no longer serve.
func (p *Plan) planObsolete(t Trust, s *state, wanted map[iam.ProjectID]bool) {
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		if id, ok := projectOf(name); ok && !wanted[id] && t.made(s.groups[name].Description) {
			p.add(Delete, "group", name, "the project is gone or disabled here", remove("groups", s.groups[name].ID))
		}
	}
}

func removal(t Trust, s *state) *Plan {
	p := &Plan{ids: newIDs(s)}
	if s.provider != nil && t.made(s.provider.Description) {
		if s.protocol != nil {
			p.add(Delete, "protocol", Protocol, "of "+t.Provider, remove("OS-FEDERATION", "identity_providers", t.Provider, "protocols", Protocol))
		}
		p.add(Delete, "identity provider", t.Provider, "", remove("OS-FEDERATION", "identity_providers", t.Provider))
	}
	if s.mapping != nil && guarded(s.mapping.Rules, t.Issuer) {
		p.add(Delete, "mapping", t.Provider, "", remove("OS-FEDERATION", "mappings", t.Provider))
	}
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		if t.made(s.groups[name].Description) {
			p.add(Delete, "group", name, "", remove("groups", s.groups[name].ID))
		}
	}
	if s.domain != nil && t.made(s.domain.Description) {
		p.add(Note, "domain", t.Provider, "stays, with the users it has: delete it yourself if nothing else is in it", nil)
	}
	if n := s.madeRoles(); n > 0 {
		p.add(Note, "role", fmt.Sprintf("(%d)", n), "stay: others may have been given them by now", nil)
	}
	return p
}

// madeRoles counts the roles that a Stackgate made.
func (s *state) madeRoles() (n int) {
	for _, name := range roleNames() {
		if strings.HasPrefix(s.roles[name].Description, "Made by Stackgate for ") {
			n++
		}
	}
	return n
}
