package iam_test

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/urn"
)

const (
	projectOne = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	projectTwo = "1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f"

	groupOne urn.URN = "urn:v1:eu:resourceGroup:aa0713ab-ed13-4f1a-89a5-32aa0cb936d8"
	groupTwo urn.URN = "urn:v1:eu:resourceGroup:bb0713ab-ed13-4f1a-89a5-32aa0cb936d8"
)

var (
	ours     = urn.Account{Partition: urn.EU, Name: "xx11111-ovh"}
	other    = urn.Account{Partition: urn.EU, Name: "yy22222-ovh"}
	sameName = urn.Account{Partition: urn.CA, Name: "xx11111-ovh"}

	robot      = urn.ServiceAccount(ours, "EU.0f0f0f0f0f0f0f0f")
	otherRobot = urn.ServiceAccount(other, "EU.1f1f1f1f1f1f1f1f")
	noon       = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) // a Tuesday
	office     = netip.MustParseAddr("192.0.2.7")
)

func TestEvaluateAgreesWithTheNaiveEvaluator(t *testing.T) {
	allowed, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t)
		for range 10 {
			if checkRequest(t, set, drawRequest(t)) {
				allowed++
			} else {
				refused++
			}
		}
	})
	if allowed < refused/20 {
		t.Errorf("%d allowed and %d refused show little", allowed, refused)
	}
}

func checkRequest(t *rapid.T, set *iam.PolicySet, req iam.Request) bool {
	want := naive(set, req)
	got := iam.Evaluate(set, req)
	if got.Allowed != want.Allowed || !slices.Equal(got.Reasons, want.Reasons) {
		t.Fatalf("%+v\n%+v\n got %+v\nwant %+v", set, req, got, want)
	}
	c := iam.Compile(set, req.Identity)
	allowed, constant := c.Allows(req.Action, req.Resource, req.Time, req.Address)
	if allowed != want.Allowed {
		t.Fatalf("%+v\n%+v\nAllows says %v, want %+v", set, req, allowed, want)
	}
	rights, roles := naiveRoles(set, req)
	gotRoles, rolesConstant := c.Roles(req.Resource, req.Time, req.Address)
	if gotRoles != roles || !slices.Equal(c.Rights(req.Resource, req.Time, req.Address), rights) {
		t.Fatalf("%+v\n%+v\nroles %b, want %b; rights %v", set, req, gotRoles, roles, rights)
	}
	checkConstant(t, set, req, constant, rolesConstant)
	return allowed
}

// checkConstant asks again at another time and from another address: what was called constant must not have changed.
func checkConstant(t *rapid.T, set *iam.PolicySet, req iam.Request, constant, rolesConstant bool) {
	later := req
	later.Time, later.Address = drawTime(t), drawAddress(t)
	if constant && naive(set, req).Allowed != naive(set, later).Allowed {
		t.Fatalf("%+v\n%+v\nis called constant, but is not at %v from %v", set, req, later.Time, later.Address)
	}
	_, before := naiveRoles(set, req)
	if _, after := naiveRoles(set, later); rolesConstant && before != after {
		t.Fatalf("%+v\n%+v\nroles are called constant, but are not at %v from %v", set, req, later.Time, later.Address)
	}
}

func TestAPolicyNeverReachesAnotherAccountsResource(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, req := drawSet(t), drawRequest(t)
		req.Resource.Owner = rapid.SampledFrom([]urn.Account{other, sameName, {}}).Draw(t, "foreign owner")
		if d := iam.Evaluate(set, req); !reflect.DeepEqual(d, iam.Decision{}) {
			t.Fatalf("%+v\n%+v\n%+v", set, req, d)
		}
		if roles, constant := iam.Compile(set, req.Identity).Roles(req.Resource, req.Time, req.Address); roles != 0 || !constant {
			t.Fatalf("%+v\n%+v\nroles %b, constant %v", set, req, roles, constant)
		}
	})
}

func drawSet(t *rapid.T) *iam.PolicySet {
	resource := rapid.SampledFrom([]urn.URN{
		urn.Project(urn.EU, projectOne), urn.Project(urn.EU, projectTwo), "urn:v1:eu:resource:publicCloudProject:*", "urn:v1:eu:resource:*", "urn:v1:*", "*",
		"urn:v1:eu:resource:publicCloudProject:0*", urn.AccountResource(ours), urn.Project(urn.CA, projectOne), "urn:v1:eu:resource:account:*",
	})
	set := &iam.PolicySet{
		Owner:             ours,
		PermissionsGroups: map[urn.URN]iam.PermissionsGroup{},
		ResourceGroups: map[urn.URN]iam.ResourceGroup{
			groupOne: {Owner: ours, Resources: rapid.SliceOfN(resource, 0, 2).Draw(t, "group one")},
			groupTwo: {Owner: other, Resources: []urn.URN{"urn:v1:eu:resource:*"}},
		},
	}
	for _, g := range []iam.PermissionsGroup{
		{URN: urn.PermissionsGroup(urn.EU, ours.Name, "a"), Owner: ours, Permissions: drawPermissions(t)},
		{URN: urn.PermissionsGroup(urn.EU, ours.Name, "stolen"), Owner: other, Permissions: iam.Permissions{Allow: []iam.Action{"*"}}},
		{URN: urn.PermissionsGroup(urn.EU, other.Name, "b"), Owner: ours, Permissions: iam.Permissions{Allow: []iam.Action{"*"}}},
		{URN: urn.PermissionsGroup(urn.EU, "ovh", "globalReadOnly"), Owner: ours, Permissions: iam.Permissions{Allow: []iam.Action{"*"}}},
	} {
		set.PermissionsGroups[g.URN] = g
	}
	group := rapid.SampledFrom([]urn.URN{
		urn.PermissionsGroup(urn.EU, ours.Name, "a"), urn.PermissionsGroup(urn.EU, ours.Name, "stolen"), urn.PermissionsGroup(urn.EU, other.Name, "b"),
		urn.PermissionsGroup(urn.EU, ours.Name, "gone"), urn.PermissionsGroup(urn.EU, "ovh", "globalAdmin"), urn.PermissionsGroup(urn.EU, "ovh", "globalReadOnly"),
		urn.PermissionsGroup(urn.EU, "ovh", "globalReadWrite"), urn.PermissionsGroup(urn.CA, "ovh", "globalAdmin"), urn.PermissionsGroup(urn.EU, "ovh", "no"),
	})
	for i := range rapid.IntRange(1, 5).Draw(t, "policies") {
		p := iam.Policy{
			ID: string(rune('a' + i)), Name: "policy",
			Owner:       rapid.SampledFrom([]urn.Account{ours, ours, ours, ours, ours, ours, other, sameName}).Draw(t, "owner"),
			Identities:  rapid.SliceOfN(rapid.SampledFrom([]urn.URN{robot, robot, robot, otherRobot}), 1, 2).Draw(t, "identities"),
			Resources:   rapid.SliceOfN(rapid.OneOf(resource, rapid.SampledFrom([]urn.URN{groupOne, groupTwo})), 1, 3).Draw(t, "resources"),
			Permissions: drawPermissions(t),
			ExpiredAt:   rapid.SampledFrom([]time.Time{{}, {}, {}, noon, noon.Add(time.Hour), noon.Add(-time.Hour)}).Draw(t, "expires"),
		}
		p.PermissionsGroups = rapid.SliceOfNDistinct(group, 0, 2, rapid.ID[urn.URN]).Draw(t, "groups")
		if rapid.Bool().Draw(t, "conditional") {
			c := drawCondition(t, 4)
			p.Condition = &c
		}
		set.Policies = append(set.Policies, p)
	}
	return set
}

func drawPermissions(t *rapid.T) iam.Permissions {
	action := rapid.OneOf(
		rapid.SampledFrom([]iam.Action{
			"*", "publicCloudProject:*", "publicCloudProject:openstack:*", "publicCloudProject:ai:*", "*Operator", "*get", "*:ai:*", "*open*Op*", "**", "*a*",
			"publicCloudProject:openstack:computeOperator", "publicCloudProject:openstack:administrator", "publicCloudProject:openstack:infrastructureSupervisor",
			"account:apiovh:iam/policy/*", "account:*get", iam.ActionClientGet, iam.ActionPolicyCreate,
		}),
		rapid.Custom(func(t *rapid.T) iam.Action {
			return iam.Action(rapid.StringMatching(`[*:a-cO]{0,3}(\*)?(account|publicCloudProject|openstack|ai|Operator)?\*?`).Draw(t, "glob"))
		}),
	)
	draw := func(name string, most int) []iam.Action { return rapid.SliceOfN(action, 0, most).Draw(t, name) }
	return iam.Permissions{Allow: draw("allow", 3), Except: draw("except", 1), Deny: draw("deny", 1)}
}

func drawCondition(t *rapid.T, levels int) iam.Condition {
	if levels == 1 || rapid.IntRange(0, 2).Draw(t, "terminal") == 0 {
		entry := rapid.SampledFrom([][2]string{
			{"date(Europe/Paris).Date.EQ", "2026-11-24"}, {"date.Date.BEFORE", "2026-11-24"}, {"date().Date.AFTER", "2026-11-24"},
			{"date(UTC).Date.IN", "2026-11-23,2026-11-24"}, {"date(America/New_York).Hour.IN", "7,8,9"}, {"date(UTC).Hour.LT", "12"},
			{"date(UTC).Hour.LE", "12"}, {"date(UTC).Hour.gt", "12"}, {"date(UTC).Hour.GE", "12"}, {"date(Asia/Kolkata).Hour", "17"},
			{"date(Europe/Berlin).WeekDay.AFTER", "monday"}, {"date(UTC).WeekDay.In", "Saturday,SUNDAY"}, {"date(UTC).WeekDay", "tuesday"},
			{"resource.Tag(environment)", "prod"}, {"resource.Tag(a:b).STARTS_WITH", "x"}, {"resource.Tag(environment).ENDS_WITH", ""},
			{"resource.Name.STARTS_WITH", "0f"}, {"resource.Name.IN", "x," + projectOne}, {"resource.Name", projectOne}, {"resource.Name.ENDS_WITH", "f"},
			{"resource.Type.IN", "vps,account"}, {"resource.Type", "publicCloudProject"}, {"resource.Type.ENDS_WITH", "Project"},
			{"request.IP", "192.0.2.7"}, {"request.IP.IN", "2001:db8::7,192.0.2.7"}, {"request.IP.IN_RANGE", "192.0.2.0/24"}, {"request.IP.IN_RANGE", "2001:db8::/32"},
			{"request.Ip", "192.0.2.7"}, {"date(Mars/Olympus).Hour", "3"}, {"date(Local).Hour", "12"}, {"request.IP.IN_RANGE", "192.0.2.0"},
			{"date.Hour", "25"}, {"resource.Tag(x).IN", "a"}, {"date.Date", "2026-02-30"}, {"", ""}, {"resource.Tag", "a"}, {"date.WeekDay", "someday"},
		})
		c := iam.Condition{Operator: iam.Match, Values: map[string]string{}}
		for range rapid.IntRange(0, 2).Draw(t, "entries") {
			e := entry.Draw(t, "entry")
			c.Values[e[0]] = e[1]
		}
		return c
	}
	c := iam.Condition{Operator: rapid.SampledFrom([]iam.Operator{iam.And, iam.Or, iam.Not, iam.Not, "XOR"}).Draw(t, "operator")}
	for range rapid.IntRange(0, 2).Draw(t, "children") {
		c.Conditions = append(c.Conditions, drawCondition(t, levels-1))
	}
	return c
}

func drawTime(t *rapid.T) time.Time {
	if rapid.IntRange(0, 5).Draw(t, "time unknown") == 0 {
		return time.Time{}
	}
	return noon.Add(time.Duration(rapid.IntRange(-100, 100).Draw(t, "hours")) * time.Hour)
}

func drawAddress(t *rapid.T) netip.Addr {
	return rapid.SampledFrom([]netip.Addr{
		{}, office, netip.MustParseAddr("::ffff:192.0.2.7"), netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8::7"),
		netip.MustParseAddr("2001:db8::7%eth0"), netip.MustParseAddr("2001:db9::1"),
	}).Draw(t, "address")
}

func drawRequest(t *rapid.T) iam.Request {
	id := rapid.SampledFrom([]string{projectOne, projectTwo}).Draw(t, "project")
	res := iam.Resource{URN: urn.Project(urn.EU, id), Owner: ours, Name: id}
	switch rapid.IntRange(0, 19).Draw(t, "odd resource") {
	case 0:
		res = iam.Resource{URN: urn.AccountResource(ours), Owner: ours, Name: ours.Name}
	case 1:
		res.Owner = other
	case 2:
		res.URN = urn.Project(urn.CA, id)
	case 3:
		res.URN = "urn:v1:eu:resource:publicCloudProject:*"
	}
	who := robot
	if rapid.IntRange(0, 9).Draw(t, "somebody else") == 0 {
		who = rapid.SampledFrom([]urn.URN{otherRobot, urn.AccountIdentity(ours), urn.AccountIdentity(other), ""}).Draw(t, "who")
	}
	res.Tags = rapid.SampledFrom([]map[string]string{nil, {"environment": "prod"}, {"environment": "dev", "a:b": "xyz"}, {"environment": ""}}).Draw(t, "tags")
	actions := []iam.Action{"publicCloudProject:openstack:computeOperator", "publicCloudProject:ai:aiTrainingRead", iam.ActionProjectGet, iam.ActionClientGet,
		iam.ActionPolicyCreate, iam.ActionSecretCreate, "unheard:of", "", "publicCloudProject:*"}
	return iam.Request{
		Identity: who,
		Action:   rapid.SampledFrom(actions).Draw(t, "action"),
		Resource: res,
		Time:     drawTime(t),
		Address:  drawAddress(t),
	}
}

func TestNothingIsAllowedByZeroValues(t *testing.T) {
	req := iam.Request{Identity: robot, Action: iam.ActionProjectGet, Resource: iam.Resource{URN: urn.Project(urn.EU, projectOne), Owner: ours}}
	for _, set := range []*iam.PolicySet{nil, {}, {Owner: ours}} {
		if d := iam.Evaluate(set, req); d.Allowed || d.Reasons != nil {
			t.Errorf("%+v: %+v", set, d)
		}
	}
	var c iam.Compiled
	if roles, _ := c.Roles(iam.Resource{}, time.Time{}, netip.Addr{}); roles != 0 {
		t.Errorf("roles %b", roles)
	}
	if ok, _ := c.Allows("x", iam.Resource{}, time.Time{}, netip.Addr{}); ok {
		t.Error("the zero Compiled allows")
	}
	empty := &iam.PolicySet{Policies: []iam.Policy{{Permissions: iam.Permissions{Allow: []iam.Action{"*"}}, Identities: []urn.URN{""}, Resources: []urn.URN{""}}}}
	if d := iam.Evaluate(empty, iam.Request{Action: "x"}); d.Allowed {
		t.Error("nobody may do x to nothing")
	}
}

func TestRootMayEverythingOnItsOwn(t *testing.T) {
	set := &iam.PolicySet{Owner: ours, Policies: []iam.Policy{{
		Owner: ours, Identities: []urn.URN{urn.AccountIdentity(ours)}, Resources: []urn.URN{"urn:v1:eu:resource:*"},
		Permissions: iam.Permissions{Deny: []iam.Action{"*"}},
	}}}
	c := iam.Compile(set, urn.AccountIdentity(ours))
	own := iam.Resource{URN: urn.Project(urn.EU, projectOne), Owner: ours}
	if roles, constant := c.Roles(own, noon, office); roles != rbac.AllRoles || !constant {
		t.Errorf("roles %b, constant %v", roles, constant)
	}
	if ok, constant := c.Allows(iam.ActionPolicyCreate, own, noon, office); !ok || !constant {
		t.Error("denied")
	}
	foreign := own
	foreign.Owner = other
	if roles, _ := c.Roles(foreign, noon, office); roles != 0 {
		t.Errorf("roles %b on another account's project", roles)
	}
}
