package provision

import (
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
)

var (
	trust = Trust{Provider: "ovhcloud-emea", Issuer: "https://stackgate.example/role-adapter/urn:v1:eu:resource:publicCloudProject:pci",
		Audience: "https://keystone.example:5000/v3"}
	one      = iam.Project{ID: "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", Name: "one"}
	two      = iam.Project{ID: "1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f", Name: "two"}
	volumes  = string(one.ID) + ":volumeOperator"
	projects = []iam.Project{one}
)

// satisfied is a Keystone that has all that is needed, made by us.
func satisfied() *state {
	attribute := providerVariable
	s := &state{
		domain:   &domain{ID: "d", Name: trust.Provider, Description: trust.mark(), Enabled: true},
		provider: &identityProvider{trust.Provider, trust.mark(), "d", true, []string{trust.Provider}},
		mapping:  &mapping{trust.Provider, plain(trust.rules())},
		protocol: &protocol{Protocol, trust.Provider, &attribute},
		roles:    map[string]role{}, implied: map[string][]string{}, groups: map[string]group{}, granted: map[grant]bool{}, roleNames: map[string]string{},
		projects: map[iam.ProjectID]*project{one.ID: {string(one.ID), "one", true}},
	}
	for _, name := range roleNames() {
		s.roles[name], s.roleNames["id-"+name] = role{ID: "id-" + name, Name: name, Description: trust.mark()}, name
	}
	s.roleNames["id-admin"] = "admin"
	for _, right := range iam.Rights() {
		name := iam.GroupName(one.ID, right.Action)
		s.groups[name] = group{"id-" + name, name, trust.mark()}
		for _, r := range rolesOf(right) {
			s.granted[grant{one.ID, "id-" + name, "id-" + r}] = true
		}
	}
	return s
}

func changes(p *Plan) string {
	var lines []string
	for _, c := range p.Changes {
		lines = append(lines, c.String())
	}
	return strings.Join(lines, "\n")
}

func TestWhatIsSatisfiedNeedsNothing(t *testing.T) {
	if got := changes(compare(trust, projects, satisfied())); got != "" {
		t.Error(got)
	}
}

// TestAnEmptyKeystoneGetsEverythingInOrder: what another change needs comes before it.
func TestAnEmptyKeystoneGetsEverythingInOrder(t *testing.T) {
	empty := &state{projects: map[iam.ProjectID]*project{one.ID: {string(one.ID), "one", true}}}
	p := compare(trust, projects, empty)
	var kinds []string
	for _, c := range p.Changes {
		if c.Verb != Create || c.run == nil {
			t.Errorf("%s: not a change that makes something", c)
		}
		if len(kinds) == 0 || kinds[len(kinds)-1] != c.Kind {
			kinds = append(kinds, c.Kind)
		}
	}
	if got := strings.Join(kinds, ", "); got != "role, domain, identity provider, mapping, protocol, group" {
		t.Error(got)
	}
	if len(p.Changes) != 16+4+11 || p.Pending() != len(p.Changes) {
		t.Errorf("%d changes, %d pending", len(p.Changes), p.Pending())
	}
}

// TestEachDifferenceIsOneChange takes a satisfied Keystone and changes one thing.
func TestEachDifferenceIsOneChange(t *testing.T) {
	const foreign = "somebody's"
	for name, c := range map[string]struct {
		change func(*state)
		want   string // its beginning; empty: none
	}{
		"a role is missing": {func(s *state) {
			delete(s.roles, "ai_training_all")
			delete(s.granted, grant{one.ID, "id-" + string(one.ID) + ":aiTrainingOperator", "id-ai_training_all"})
		}, "create role ai_training_all\n" +
			"grant group " + string(one.ID) + ":aiTrainingOperator ai_training_all"},
		"a role was there before":         {func(s *state) { s.roles["volume_read"] = role{ID: "id-volume_read", Name: "volume_read"} }, "note role volume_read was there before"},
		"a role implies another":          {func(s *state) { s.implied["volume_read"] = []string{"admin"} }, "note role volume_read implies the role admin"},
		"the domain is another's":         {func(s *state) { s.domain.Description = foreign }, ""},
		"the domain is disabled":          {func(s *state) { s.domain.Enabled = false }, "note domain ovhcloud-emea is disabled"},
		"the provider is disabled":        {func(s *state) { s.provider.Enabled = false }, "note identity provider ovhcloud-emea is disabled"},
		"the provider has a further name": {func(s *state) { s.provider.RemoteIDs = append(s.provider.RemoteIDs, "https://x") }, "update identity provider ovhcloud-emea"},
		"another's provider does":         {func(s *state) { s.provider.Description = foreign }, ""},
		"another's provider does not": {func(s *state) { s.provider.Description, s.provider.RemoteIDs = foreign, nil },
			"conflict identity provider ovhcloud-emea Stackgate did not make it"},
		"the provider is another Stackgate's": {func(s *state) {
			s.provider.Description, s.provider.RemoteIDs = "Made by Stackgate for https://other", []string{"https://other"}
		}, "conflict identity provider ovhcloud-emea another Stackgate made it, for https://other"},
		"the provider has another domain":     {func(s *state) { s.provider.DomainID = "e" }, "conflict identity provider ovhcloud-emea has another domain"},
		"another provider has our name":       {func(s *state) { s.namesake = "google" }, "conflict identity provider google"},
		"the mapping is for another audience": {func(s *state) { s.mapping.Rules = plain(Trust{trust.Provider, trust.Issuer, "x"}.rules()) }, "update mapping ovhcloud-emea"},
		"the mapping is another issuer's":     {func(s *state) { s.mapping.Rules = plain(Trust{trust.Provider, "x", trust.Audience}.rules()) }, "conflict mapping ovhcloud-emea"},
		"a rule of another was added":         {func(s *state) { s.mapping.Rules = append(s.mapping.Rules.([]any), map[string]any{}) }, "conflict mapping ovhcloud-emea"},
		"the mapping has no rules":            {func(s *state) { s.mapping.Rules = []any{} }, "conflict mapping ovhcloud-emea"},
		"the mapping is gone":                 {func(s *state) { s.mapping = nil }, "create mapping ovhcloud-emea"},
		"the protocol has another mapping":    {func(s *state) { s.protocol.Mapping = "x" }, "update protocol openid"},
		"the protocol of another's provider":  {func(s *state) { s.protocol.Mapping, s.provider.Description = "x", foreign }, "conflict protocol openid"},
		"the protocol reads the name as told": {func(s *state) { s.protocol.Attribute = nil }, ""},
		"the protocol is gone":                {func(s *state) { s.protocol = nil }, "create protocol openid"},
		"the project is not there":            {func(s *state) { s.projects[one.ID] = nil }, "note project " + string(one.ID) + " one is not in the Keystone"},
		"the project is disabled":             {func(s *state) { s.projects[one.ID].Enabled = false }, "note project " + string(one.ID) + " one is disabled"},
		"a group is missing":                  {func(s *state) { delete(s.groups, volumes) }, "create group " + volumes + " with volume_manage volume_snapshot_manage volume_read"},
		"a group lacks a role":                {func(s *state) { delete(s.granted, grant{one.ID, "id-" + volumes, "id-volume_manage"}) }, "grant group " + volumes + " volume_manage"},
		"a group of another lacks a role": {func(s *state) {
			s.groups[volumes] = group{"id-" + volumes, volumes, foreign}
			delete(s.granted, grant{one.ID, "id-" + volumes, "id-volume_manage"})
		}, "conflict group " + volumes + " Stackgate did not make it, and it has not the roles volume_manage"},
		"a group of another does":         {func(s *state) { s.groups[volumes] = group{"id-" + volumes, volumes, foreign} }, ""},
		"a group has a role of the table": {func(s *state) { s.granted[grant{one.ID, "id-" + volumes, "id-compute_read"}] = true }, "revoke group " + volumes + " compute_read"},
		"a group has a role of others":    {func(s *state) { s.granted[grant{one.ID, "id-" + volumes, "id-admin"}] = true }, "note group " + volumes + " has more than its right: admin"},
		"a user has a role":               {func(s *state) { s.granted[grant{one.ID, "", "id-admin"}] = true }, ""},
		"a group of another project": {func(s *state) { s.groups["x"] = group{"x", string(two.ID) + ":volumeOperator", trust.mark()} },
			""}, // its name is what counts
		"a group of a project that is gone": {func(s *state) {
			s.groups[string(two.ID)+":volumeOperator"] = group{"x", string(two.ID) + ":volumeOperator", trust.mark()}
		}, "delete group " + string(two.ID) + ":volumeOperator"},
		"another's group of a project that is gone": {func(s *state) {
			s.groups[string(two.ID)+":volumeOperator"] = group{"x", string(two.ID) + ":volumeOperator", "Made by Stackgate for https://other"}
		}, ""},
		"a group that no right of ours names": {func(s *state) {
			s.groups[string(two.ID)+":wizard"] = group{"x", string(two.ID) + ":wizard", trust.mark()}
		}, ""},
	} {
		s := satisfied()
		c.change(s)
		if got := changes(compare(trust, projects, s)); !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") ||
			strings.Count(got, "\n") != strings.Count(c.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// TestConflictsKeepAPlanFromBeingApplied needs no Keystone: nothing is sent to any.
func TestConflictsKeepAPlanFromBeingApplied(t *testing.T) {
	s := satisfied()
	s.namesake, s.mapping = "google", nil
	p := compare(trust, projects, s)
	if p.Pending() != 1 || len(p.Conflicts()) != 1 {
		t.Fatal(changes(p))
	}
	if err := (&Keystone{}).Apply(t.Context(), p, nil); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Error(err)
	}
}

// TestRemovalTakesAwayWhatIsOursAlone leaves the domain, the roles, and what others made.
func TestRemovalTakesAwayWhatIsOursAlone(t *testing.T) {
	s := satisfied()
	s.groups[volumes] = group{"x", volumes, "somebody's"}
	p := removal(trust, s)
	var deleted []string
	for _, c := range p.Changes {
		if c.run != nil {
			deleted = append(deleted, c.Kind+" "+c.Name)
		}
	}
	if len(deleted) != 3+10 || strings.Contains(strings.Join(deleted, "\n"), volumes) || deleted[0] != "protocol openid" {
		t.Error(deleted)
	}
	s.provider.Description, s.mapping.Rules = "somebody's", []any{}
	for name, g := range s.groups {
		s.groups[name] = group{g.ID, name, "Made by Stackgate for https://other"}
	}
	if p := removal(trust, s); p.Pending() != 0 {
		t.Error(changes(p))
	}
}

// TestNoGroupNameConfusesTheMapping: Keystone reads a claim with the word "name" in it as JSON, and Apache joins values with a semicolon.
func TestNoGroupNameConfusesTheMapping(t *testing.T) {
	for _, right := range iam.Rights() {
		if name := iam.GroupName(one.ID, right.Action); strings.Contains(name, "name") || strings.ContainsAny(name, `;,"'[]{} `) {
			t.Error(name)
		}
	}
}

func TestPrinted(t *testing.T) {
	apache, err := trust.Apache("random")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`OIDCOAuthVerifyJwksUri "` + trust.Issuer + `/jwks"`, `OIDCCryptoPassphrase "random"`,
		`<LocationMatch "^/v3/OS-FEDERATION/identity_providers/ovhcloud-emea/protocols/openid/auth$">`,
	} {
		if !strings.Contains(apache, want) {
			t.Errorf("no %s in\n%s", want, apache)
		}
	}
	if _, err := (Trust{"x", "http://stackgate.example/x", "https://keystone.example/v3"}).Apache(""); err == nil {
		t.Error("keys over plain HTTP")
	}
	for _, want := range []string{`"OIDC-aud"`, trust.Audience, `"OIDC-iss"`, trust.Issuer} {
		if !strings.Contains(trust.Mapping(), want) {
			t.Errorf("no %s in\n%s", want, trust.Mapping())
		}
	}
}
