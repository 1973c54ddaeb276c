package iam_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

// guidePolicy is the guide's.
func guidePolicy() iam.Policy {
	return iam.Policy{
		Owner:       ours,
		Name:        "Demo-service-account",
		Description: "Demo for service account guide with openstack",
		Identities:  []urn.URN{"urn:v1:eu:identity:credential:xx11111-ovh/oauth2-0f0f0f0f0f0f0f0f"},
		Resources:   []urn.URN{urn.Project(urn.EU, projectOne)},
		Permissions: iam.Permissions{Allow: []iam.Action{"publicCloudProject:openstack:infrastructureSupervisor"}},
	}
}

func TestValidatePolicyAccepts(t *testing.T) {
	tests := map[string]func(*iam.Policy){
		"the guide's":    func(p *iam.Policy) {},
		"one for nobody": func(p *iam.Policy) { p.Identities = nil },
		"every kind of identity": func(p *iam.Policy) {
			p.Identities = []urn.URN{urn.AccountIdentity(ours), "urn:v1:eu:identity:user:xx11111-ovh/u", "urn:v1:eu:identity:group:xx11111-ovh/g"}
		},
		"everything":       func(p *iam.Policy) { p.Resources = []urn.URN{"urn:v1:eu:resource:*"} },
		"every project":    func(p *iam.Policy) { p.Resources = []urn.URN{"urn:v1:eu:resource:publicCloudProject:*"} },
		"the account":      func(p *iam.Policy) { p.Resources = []urn.URN{urn.AccountResource(ours)} },
		"a resource group": func(p *iam.Policy) { p.Resources = []urn.URN{groupOne} },
		"globs": func(p *iam.Policy) {
			p.Permissions.Allow = []iam.Action{"*", "*get", "*:apiovh:*", "publicCloudProject:openstack:*"}
		},
		"an own permissions group": func(p *iam.Policy) { p.PermissionsGroups = []urn.URN{urn.PermissionsGroup(urn.EU, ours.Name, "a")} },
		"a built-in permissions group": func(p *iam.Policy) {
			p.PermissionsGroups = []urn.URN{urn.PermissionsGroup(urn.EU, "ovh", "globalReadOnly")}
		},
		"a name beyond ASCII":            func(p *iam.Policy) { p.Name = "Équipe réseau" },
		"a description of several lines": func(p *iam.Policy) { p.Description = "one\n\ttwo" },
		"a MATCH without values":         func(p *iam.Policy) { p.Condition = &iam.Condition{Operator: iam.Match} },
		"a condition three deep":         func(p *iam.Policy) { p.Condition = nested(3) },
	}
	for name, change := range tests {
		p := guidePolicy()
		change(&p)
		if err := iam.ValidatePolicy(p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func nested(depth int) *iam.Condition {
	c := iam.Condition{Operator: iam.Match, Values: map[string]string{"request.IP": "192.0.2.7"}}
	for range depth - 1 {
		c = iam.Condition{Operator: iam.Not, Conditions: []iam.Condition{c}}
	}
	return &c
}

func TestValidatePolicyRefuses(t *testing.T) {
	allow := func(a iam.Action) func(*iam.Policy) {
		return func(p *iam.Policy) { p.Permissions.Allow = []iam.Action{a} }
	}
	resource := func(u urn.URN) func(*iam.Policy) { return func(p *iam.Policy) { p.Resources = []urn.URN{u} } }
	identity := func(u urn.URN) func(*iam.Policy) { return func(p *iam.Policy) { p.Identities = []urn.URN{u} } }
	group := func(u urn.URN) func(*iam.Policy) { return func(p *iam.Policy) { p.PermissionsGroups = []urn.URN{u} } }
	grammar := `urn "resources[0].urn" is malformed, expected urn:v1:region:(resource|resourceGroup):(*|group_id|resource_type):(*|resource_name)`
	tests := []struct {
		name   string
		change func(*iam.Policy)
		code   string
		want   string
	}{
		{"no name", func(p *iam.Policy) { p.Name = "" }, "INVALID_NAME", "1 to 128 characters"},
		{"a long name", func(p *iam.Policy) { p.Name = strings.Repeat("é", 129) }, "INVALID_NAME", "not 129"},
		{"a name with a line end", func(p *iam.Policy) { p.Name = "a\nb" }, "INVALID_NAME", "printable"},
		{"a name that is not UTF-8", func(p *iam.Policy) { p.Name = "a\xff" }, "INVALID_NAME", "printable"},
		{"a name that ends with a space", func(p *iam.Policy) { p.Name = "a " }, "INVALID_NAME", "no space"},
		{"a reserved name", func(p *iam.Policy) { p.Name = "OVH-default" }, "INVALID_NAME", "reserved"},
		{"a long description", func(p *iam.Policy) { p.Description = strings.Repeat("a", 1025) }, "INVALID_DESCRIPTION", "at most 1024"},
		{"a description with a NUL", func(p *iam.Policy) { p.Description = "\x00" }, "INVALID_DESCRIPTION", "control"},

		{"an identity that is no URN", identity("robot"), "INVALID_IDENTITY_URN", `"identities[0]" is malformed`},
		{"an identity that is a resource", identity(urn.AccountResource(ours)), "INVALID_IDENTITY_URN", "(account|user|group|credential)"},
		{"an identity of another account", identity(otherRobot), "INVALID_IDENTITY_URN", "of another account"},
		{"an identity of another partition", identity(urn.AccountIdentity(sameName)), "INVALID_IDENTITY_URN", "of another account"},

		{"a bare star", resource("*"), "INVALID_RESOURCE_URN", grammar + `; did you mean "urn:v1:eu:resource:*"?`},
		{"a bare project id", resource(projectOne), "INVALID_RESOURCE_URN", grammar + `; did you mean "urn:v1:eu:resource:publicCloudProject:` + projectOne + `"?`},
		{"a misspelt kind", resource("urn:v1:eu:ressource:publicCloudProject:" + projectOne), "INVALID_RESOURCE_URN",
			grammar + `; did you mean "urn:v1:eu:resource:publicCloudProject:` + projectOne + `"?`},
		{"nonsense", resource("a:b"), "INVALID_RESOURCE_URN", grammar},
		{"an identity as resource", resource(robot), "INVALID_RESOURCE_URN", grammar},
		{"a resource of another partition", resource(urn.Project(urn.CA, projectOne)), "INVALID_RESOURCE_URN", "another partition"},
		{"a misspelt type", resource("urn:v1:eu:resource:publicCloudProjet:" + projectOne), "INVALID_RESOURCE_URN", `did you mean "publicCloudProject"?`},
		{"an endless type", resource(urn.URN("urn:v1:eu:resource:" + strings.Repeat("a", 300) + ":x")), "INVALID_RESOURCE_URN", "unknown resource type"},
		{"a type that is not here", resource("urn:v1:eu:resource:vps:*"), "INVALID_RESOURCE_URN", "expected account or publicCloudProject"},
		{"a project that is no id", resource("urn:v1:eu:resource:publicCloudProject:pci"), "INVALID_RESOURCE_URN", "32 lower-case hexadecimal"},
		{"another account", resource(urn.AccountResource(other)), "INVALID_RESOURCE_URN", "expected urn:v1:eu:resource:account:xx11111-ovh"},

		{"a misspelt right", allow("publicCloudProject:openstack:infrastructureSupervizor"), "INVALID_ACTION",
			`"permissions.allow[0].action": there is no action "publicCloudProject:openstack:infrastructureSupervizor"; ` +
				`did you mean "publicCloudProject:openstack:infrastructureSupervisor"?`},
		{"a right in lower case", allow("publiccloudproject:openstack:computeoperator"), "INVALID_ACTION", `did you mean "publicCloudProject:openstack:computeOperator"?`},
		{"a right without its beginning", allow("openstack:administrator"), "INVALID_ACTION", `did you mean "publicCloudProject:openstack:administrator"?`},
		{"a right's last word", allow("imageOperator"), "INVALID_ACTION", `did you mean "publicCloudProject:openstack:imageOperator"?`},
		{"a role", allow("compute_read"), "INVALID_ACTION",
			`compute_read is a role, and the right that gives it with the least beside it is "publicCloudProject:openstack:infrastructureSupervisor"`},
		{"a role after the product", allow("publicCloudProject:openstack:volume_manage"), "INVALID_ACTION", `is "publicCloudProject:openstack:volumeOperator"`},
		{"an action that is not here", allow("vps:apiovh:reboot"), "INVALID_ACTION", "there is no action"},
		{"an empty action", allow(""), "INVALID_ACTION", "there is no action"},
		{"a long action", allow(iam.Action(strings.Repeat("*", 257))), "INVALID_ACTION", "256 bytes"},
		{"a misspelt glob", allow("publicCloudProject:openstak:*"), "INVALID_ACTION", `covers no action that exists; did you mean "publicCloudProject:openstack:*"?`},
		{"a misspelt path in a glob", allow("account:apiovh:iam/polciy/*"), "INVALID_ACTION", `did you mean "account:apiovh:iam/policy/*"?`},
		{"a glob that covers nothing", allow("*:vrack:*"), "INVALID_ACTION", "covers no action that exists"},
		{"a misspelt denial", func(p *iam.Policy) { p.Permissions.Deny = []iam.Action{"x"} }, "INVALID_ACTION", "permissions.deny[0]"},
		{"a misspelt exception", func(p *iam.Policy) { p.Permissions.Except = []iam.Action{"*", "x"} }, "INVALID_ACTION", "permissions.except[1]"},

		{"a permissions group that is no URN", group("globalAdmin"), "INVALID_PERMISSIONS_GROUP_URN", "is malformed"},
		{"a permissions group of another partition", group(urn.PermissionsGroup(urn.CA, "ovh", "globalAdmin")), "INVALID_PERMISSIONS_GROUP_URN", "another partition"},
		{"a permissions group of another account", group(urn.PermissionsGroup(urn.EU, other.Name, "a")), "INVALID_PERMISSIONS_GROUP_URN", "another account"},
		{"a misspelt built-in group", group(urn.PermissionsGroup(urn.EU, "ovh", "globaladmin")), "INVALID_PERMISSIONS_GROUP_URN",
			`did you mean "urn:v1:eu:permissionsGroup:ovh:globalAdmin"?`},

		{"a condition four deep", func(p *iam.Policy) { p.Condition = nested(4) }, "INVALID_CONDITION", "at most 3 deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := guidePolicy()
			tt.change(&p)
			wantInvalid(t, iam.ValidatePolicy(p), iam.Invalid, tt.code, tt.want)
		})
	}
}

func TestNoSuggestionGoesFarBeyondWhatWasMeant(t *testing.T) {
	p := guidePolicy()
	p.Permissions.Allow = []iam.Action{"publicCloudProject:openstack:compute:*"}
	if err := iam.ValidatePolicy(p); err == nil || strings.Contains(err.Error(), "did you mean") {
		t.Error(err)
	}
}

func wantInvalid(t *testing.T, err error, kind iam.Kind, code, want string) {
	t.Helper()
	e, ok := errors.AsType[*iam.Error](err)
	if !ok || e.Kind != kind || e.Code != code || !strings.Contains(e.Message, want) {
		t.Errorf("got %+v, want %s %s with %q", e, kind, code, want)
	}
}

func TestBounds(t *testing.T) {
	policy := func(change func(*iam.Policy)) error {
		p := guidePolicy()
		change(&p)
		return iam.ValidatePolicy(p)
	}
	many := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprintf("resource.Tag(k%d)", i)] = "v"
		}
		return m
	}
	tests := map[string]func(more int) error{
		"identities": func(more int) error {
			return policy(func(p *iam.Policy) { p.Identities = repeat(robot, iam.MaxIdentities+more) })
		},
		"resources": func(more int) error {
			return policy(func(p *iam.Policy) { p.Resources = repeat(urn.Project(urn.EU, projectOne), iam.MaxResources+more) })
		},
		"statements": func(more int) error {
			return policy(func(p *iam.Policy) {
				p.Permissions.Allow, p.Permissions.Deny = repeat(iam.Action("*"), iam.MaxStatements-1), repeat(iam.Action("*"), 1+more)
			})
		},
		"permissions groups": func(more int) error {
			return policy(func(p *iam.Policy) {
				p.PermissionsGroups = repeat(urn.PermissionsGroup(urn.EU, "ovh", "globalAdmin"), iam.MaxPolicyGroups+more)
			})
		},
		"entries of conditions": func(more int) error {
			return iam.ValidateCondition(&iam.Condition{Operator: iam.Match, Values: many(iam.MaxConditionEntries - 1 + more)})
		},
		"members of a resource group": func(more int) error {
			return iam.ValidateResourceGroup(iam.ResourceGroup{Owner: ours, Name: "g", Resources: repeat(urn.AccountResource(ours), iam.MaxResources+more)})
		},
		"tags": func(more int) error {
			tags := map[string]string{}
			for i := range iam.MaxTags + more {
				tags[fmt.Sprint(i)] = "v"
			}
			return iam.ValidateTags(tags)
		},
	}
	for name, validate := range tests {
		if err := validate(0); err != nil {
			t.Errorf("%s: as many as allowed: %v", name, err)
		}
		t.Run(name, func(t *testing.T) { wantInvalid(t, validate(1), iam.TooLarge, "TOO_MANY", "at most") })
	}
}

func repeat[T any](v T, n int) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = v
	}
	return list
}

func TestValidateCondition(t *testing.T) {
	if err := iam.ValidateCondition(nil); err != nil {
		t.Error(err)
	}
	leaf := iam.Condition{Operator: iam.Match}
	for want, c := range map[string]iam.Condition{
		"unknown operator \"XOR\"":                                       {Operator: "XOR"},
		"unknown operator \"and\"":                                       {Operator: "and"},
		"AND needs at least one condition":                               {Operator: iam.And},
		"conditions.conditions[1]: OR needs":                             {Operator: iam.And, Conditions: []iam.Condition{leaf, {Operator: iam.Or}}},
		"NOT has conditions, not values":                                 {Operator: iam.Not, Conditions: []iam.Condition{leaf}, Values: map[string]string{"a": "b"}},
		"MATCH has values, not conditions":                               {Operator: iam.Match, Conditions: []iam.Condition{leaf}},
		"a key has at most 256 bytes":                                    {Operator: iam.Match, Values: map[string]string{strings.Repeat("a", 257): ""}},
		"a value 2048":                                                   {Operator: iam.Match, Values: map[string]string{"request.IP": strings.Repeat("a", 2049)}},
		`conditions.values["request.Port"]: unknown key`:                 {Operator: iam.Match, Values: map[string]string{"request.Port": "1"}},
		`conditions: unknown operator "` + strings.Repeat("x", 32) + `"`: {Operator: iam.Operator(strings.Repeat("x", 1000))},
	} {
		t.Run(want, func(t *testing.T) { wantInvalid(t, iam.ValidateCondition(&c), iam.Invalid, "INVALID_CONDITION", want) })
	}
}

func TestConditionEntries(t *testing.T) {
	tests := []struct{ key, value, want string }{ // want "": accepted
		{"date(Europe/Paris).Date.EQ", "2024-02-29", ""},
		{"date.WeekDay.IN", "Saturday,sunday", ""},
		{"date(UTC).Hour.before", "1", ""},
		{"resource.Tag(lz:tenant)", "a", ""},
		{"resource.Tag(a).STARTS_WITH", "", ""},
		{"request.IP.IN", "192.0.2.7,2001:db8::7", ""},
		{"request.IP", "::ffff:192.0.2.7", ""},
		{"", "a", "unknown key"},
		{"date", "a", "unknown key"},
		{"date(UTC)", "a", "unknown key"},
		{"date(UTC.Hour", "3", "unknown key"},
		{"date(UTC).Minute", "3", "unknown key"},
		{"date(UTC).Hour.IN.IN", "3", "unknown key"},
		{"resource.Na(x)me", "a", "unknown key"},
		{"resource.Tag", "a", "unknown key"},
		{"resource.name", "a", "unknown key"},
		{"resource.Tag()", "a", "a tag's key has"},
		{"resource.Tag(a b)", "a", "a tag's key has"},
		{"resource.Tag(a)", "b c", "a tag's value has"},
		{"resource.Tag(a).IN", "a,b", "resource.Tag has EQ, STARTS_WITH, ENDS_WITH"},
		{"resource.Name.START_WITH", "a", "STARTS_WITH"},
		{"resource.Name.", "a", "unknown operator"},
		{"request.IP.NEQ", "192.0.2.7", "EQ, IN, IN_RANGE"},
		{"date(UTC).Date.GT", "2024-01-01", "EQ, BEFORE, AFTER, IN"},
		{"date(Europe/Pariss).Hour", "3", "unknown time zone"},
		{"date(Local).Hour", "3", "unknown time zone"},
		{"date(../etc/passwd).Hour", "3", "unknown time zone"},
		{"date(UTC).Date", "2024-02-30", "existing day"},
		{"date(UTC).Date", "24-12-2024", "existing day"},
		{"date(UTC).Date.IN", "2024-01-01, 2024-01-02", "existing day"},
		{"date(UTC).Hour", "24", "0 to 23"},
		{"date(UTC).Hour", "-1", "0 to 23"},
		{"date(UTC).Hour", "+1", "0 to 23"},
		{"date(UTC).Hour", "", "0 to 23"},
		{"date(UTC).Hour.IN", "7,,9", "0 to 23"},
		{"date(UTC).Hour.LT", "0", "never hold"},
		{"date(UTC).Hour.GT", "23", "never hold"},
		{"date(UTC).WeekDay.BEFORE", "monday", "never hold"},
		{"date(UTC).WeekDay.GT", "Sunday", "never hold"},
		{"date(UTC).WeekDay", "lundi", "monday to sunday"},
		{"resource.Name", "", "matches nothing"},
		{"resource.Type.IN", "a,", "matches nothing"},
		{"request.IP", "192.0.2", "not an IP address"},
		{"request.IP", "192.0.2.0/24", "not an IP address"},
		{"request.IP", "fe80::1%eth0", "not an IP address"},
		{"request.IP.IN", "192.0.2.1, 192.0.2.2", "not an IP address"},
		{"request.IP.IN_RANGE", "192.0.2.7", "not an address range"},
		{"request.IP.IN_RANGE", "192.0.2.0/33", "not an address range"},
		{"request.IP.IN_RANGE", "::ffff:10.0.0.0/104", "write it as IPv4"},
	}
	for _, tt := range tests {
		err := iam.ValidateCondition(&iam.Condition{Operator: iam.Match, Values: map[string]string{tt.key: tt.value}})
		if tt.want == "" && err == nil {
			continue
		}
		if e, ok := errors.AsType[*iam.Error](err); tt.want == "" || !ok || e.Kind != iam.Invalid || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%s = %q: %v, want %q", tt.key, tt.value, err, tt.want)
		}
	}
}

func TestValidateGroups(t *testing.T) {
	good := iam.PermissionsGroup{Owner: ours, Name: "backup", Permissions: iam.Permissions{Allow: []iam.Action{"*"}}}
	if err := iam.ValidatePermissionsGroup(good); err != nil {
		t.Error(err)
	}
	for name, tt := range map[string]struct {
		change     func(*iam.PermissionsGroup)
		code, want string
	}{
		"no name":             {func(g *iam.PermissionsGroup) { g.Name = "" }, "INVALID_NAME", "1 to 128"},
		"a name with a colon": {func(g *iam.PermissionsGroup) { g.Name = "a:b" }, "INVALID_NAME", "1 to 128"},
		"the built-in owner":  {func(g *iam.PermissionsGroup) { g.Owner.Name = "ovh" }, "INVALID_NAME", "1 to 128"},
		"another's URN": {func(g *iam.PermissionsGroup) { g.URN = urn.PermissionsGroup(urn.EU, other.Name, "backup") }, "INVALID_PERMISSIONS_GROUP_URN",
			"must be urn:v1:eu:permissionsGroup:xx11111-ovh:backup"},
		"a bad description": {func(g *iam.PermissionsGroup) { g.Description = "\x01" }, "INVALID_DESCRIPTION", "control"},
		"a bad action":      {func(g *iam.PermissionsGroup) { g.Permissions.Allow = []iam.Action{"x"} }, "INVALID_ACTION", "no action"},
	} {
		g := good
		tt.change(&g)
		t.Run(name, func(t *testing.T) { wantInvalid(t, iam.ValidatePermissionsGroup(g), iam.Invalid, tt.code, tt.want) })
	}
	group := iam.ResourceGroup{Owner: ours, Name: "production", Resources: []urn.URN{urn.Project(urn.EU, projectOne)}}
	if err := iam.ValidateResourceGroup(group); err != nil {
		t.Error(err)
	}
	group.Resources = []urn.URN{groupOne}
	wantInvalid(t, iam.ValidateResourceGroup(group), iam.Invalid, "INVALID_RESOURCE_URN", "cannot hold another")
	group.Name = ""
	wantInvalid(t, iam.ValidateResourceGroup(group), iam.Invalid, "INVALID_NAME", "1 to 128")
}

func TestValidateTags(t *testing.T) {
	if err := iam.ValidateTags(map[string]string{"environment": "production", "lz:tenant": "", "a_.:/=+@-": "a_.:/=+@-", strings.Repeat("k", 128): strings.Repeat("v", 256)}); err != nil {
		t.Error(err)
	}
	for want, tags := range map[string]map[string]string{
		"a tag's key has":     {"": "v"},
		"key has 1 to 128":    {strings.Repeat("k", 129): "v"},
		"got \"a b\"":         {"a b": "v"},
		"value has at most":   {"a": strings.Repeat("v", 257)},
		"got \"line\\n\"":     {"a": "line\n"},
		"\"ovh:\" is reserve": {"ovh:x": "v"},
	} {
		t.Run(want, func(t *testing.T) { wantInvalid(t, iam.ValidateTags(tags), iam.Invalid, "INVALID_TAG", want) })
	}
}

// TestBuiltInGroupsNameActionsThatExist lets out the two globs that stand for what other OVHcloud servers have.
func TestBuiltInGroupsNameActionsThatExist(t *testing.T) {
	for _, p := range urn.Partitions() {
		groups := iam.BuiltInPermissionsGroups(p)
		if len(groups) != 3 || groups[0].ID != "00000000-0000-0000-0001-000000000001" {
			t.Fatalf("%+v", groups)
		}
		for _, g := range groups {
			for _, a := range append(g.Permissions.Allow, g.Permissions.Except...) {
				known := strings.HasPrefix(string(a), "account:apiovh:me/identity/") || strings.HasPrefix(string(a), "account:apiovh:me/accessRestriction/")
				for _, r := range iam.ReferenceActions() {
					known = known || a.Matches(r.Action)
				}
				if !known {
					t.Errorf("%s: no action is %s", g.Name, a)
				}
			}
			if _, err := urn.ParsePermissionsGroup(string(g.URN)); err != nil || g.Owner.Partition != p {
				t.Errorf("%+v: %v", g, err)
			}
		}
	}
}

func TestReferenceActions(t *testing.T) {
	seen := map[iam.Action]bool{}
	for _, r := range iam.ReferenceActions() {
		if seen[r.Action] || r.Description == "" || len(r.Categories) != 1 || !strings.HasPrefix(string(r.Action), r.ResourceType+":") {
			t.Errorf("%+v", r)
		}
		if strings.HasSuffix(string(r.Action), "get") != (r.Categories[0] == iam.Read) && strings.Contains(string(r.Action), ":apiovh:") {
			t.Errorf("%s is %v: globalReadOnly would not fit", r.Action, r.Categories)
		}
		seen[r.Action] = true
	}
	for _, row := range iam.Rights() {
		if !seen[row.Action] {
			t.Errorf("%s is missing", row.Action)
		}
	}
	for _, u := range []urn.URN{urn.AccountResource(ours), urn.Project(urn.EU, projectOne)} {
		if !seen[iam.TagAddAction(u)] || !seen[iam.TagRemoveAction(u)] {
			t.Errorf("no actions for the tags of %s", u)
		}
	}
	iam.ReferenceActions()[0].Categories[0] = "X"
	if iam.ReferenceActions()[0].Categories[0] == "X" {
		t.Error("the reference changed")
	}
}
