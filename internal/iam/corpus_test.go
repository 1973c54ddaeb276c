package iam_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/urn"
)

// A decisionCase is one line of testdata/corpus. Its policies are of account xx11111-ovh in eu and name the service account
// EU.0f0f…, which asks about the project 0f0f… (or its account, by the action) on a Tuesday at noon, from 192.0.2.7, unless it says otherwise.
type decisionCase struct {
	Name     string
	Policies []struct {
		ID                  string
		Resources           []urn.URN
		Allow, Deny, Except []iam.Action
		PermissionsGroups   []urn.URN
		Condition           *iam.Condition
		ExpiredAt           time.Time
	}
	Action        iam.Action
	Time, Address *string
	Allowed       bool
	Reasons       []string // <effect> <policy> [<group>] <statement>
	Roles         string   // a role that the identity must have
}

func TestDecisions(t *testing.T) {
	files, err := filepath.Glob("testdata/corpus/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []decisionCase
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		if err := d.Decode(&cases); err != nil {
			t.Fatal(file, err)
		}
		for _, c := range cases {
			t.Run(c.Name, func(t *testing.T) { c.run(t) })
		}
	}
}

func (c decisionCase) run(t *testing.T) {
	set, req := c.set(), c.request(t)
	d := iam.Evaluate(set, req)
	if d.Allowed != c.Allowed {
		t.Errorf("got %+v, want %v", d, c.Allowed)
	}
	var reasons []string
	for _, r := range d.Reasons {
		reasons = append(reasons, strings.Join(strings.Fields(string(r.Effect)+" "+r.PolicyID+" "+string(r.Group)+" "+string(r.Statement)), " "))
	}
	if c.Reasons != nil && !slices.Equal(reasons, c.Reasons) {
		t.Errorf("reasons %q, want %q", reasons, c.Reasons)
	}
	compiled := iam.Compile(set, req.Identity)
	if ok, _ := compiled.Allows(req.Action, req.Resource, req.Time, req.Address); ok != c.Allowed {
		t.Errorf("Allows says %v", ok)
	}
	if c.Roles != "" {
		role, known := rbac.ParseRole(c.Roles)
		if roles, _ := compiled.Roles(req.Resource, req.Time, req.Address); !known || !roles.Has(role) {
			t.Errorf("no role %s in %b", c.Roles, roles)
		}
	}
	if second := naive(set, req); second.Allowed != c.Allowed {
		t.Errorf("the naive evaluator says %+v", second)
	}
}

func (c decisionCase) set() *iam.PolicySet {
	all := urn.PermissionsGroup(urn.EU, ours.Name, "allButCompute")
	none := urn.PermissionsGroup(urn.EU, ours.Name, "noCompute")
	compute := []iam.Action{"publicCloudProject:openstack:computeOperator"}
	set := &iam.PolicySet{
		Owner: ours,
		PermissionsGroups: map[urn.URN]iam.PermissionsGroup{
			all:  {Owner: ours, Permissions: iam.Permissions{Allow: []iam.Action{"*"}, Except: compute}},
			none: {Owner: ours, Permissions: iam.Permissions{Deny: compute}},
		},
		ResourceGroups: map[urn.URN]iam.ResourceGroup{groupOne: {Owner: ours, Resources: []urn.URN{urn.Project(urn.EU, projectOne)}}},
	}
	for _, p := range c.Policies {
		set.Policies = append(set.Policies, iam.Policy{
			ID: p.ID, Owner: ours, Identities: []urn.URN{robot}, Resources: p.Resources, PermissionsGroups: p.PermissionsGroups,
			Permissions: iam.Permissions{Allow: p.Allow, Deny: p.Deny, Except: p.Except}, Condition: p.Condition, ExpiredAt: p.ExpiredAt,
		})
	}
	return set
}

func (c decisionCase) request(t *testing.T) iam.Request {
	res := iam.Resource{URN: urn.Project(urn.EU, projectOne), Owner: ours, Name: projectOne, Tags: map[string]string{"environment": "prod", "lz:a.b": "xyz"}}
	if strings.HasPrefix(string(c.Action), "account:") {
		res = iam.Resource{URN: urn.AccountResource(ours), Owner: ours, Name: ours.Name}
	}
	req := iam.Request{Identity: robot, Action: c.Action, Resource: res, Time: noon, Address: office}
	if c.Time != nil {
		req.Time = time.Time{}
		if *c.Time != "" {
			var err error
			if req.Time, err = time.Parse(time.RFC3339, *c.Time); err != nil {
				t.Fatal(err)
			}
		}
	}
	if c.Address != nil {
		req.Address, _ = netip.ParseAddr(*c.Address)
	}
	return req
}

func TestConstant(t *testing.T) {
	match := func(key, value string) *iam.Condition {
		return &iam.Condition{Operator: iam.And, Conditions: []iam.Condition{{Operator: iam.Match, Values: map[string]string{key: value}}}}
	}
	res := iam.Resource{URN: urn.Project(urn.EU, projectOne), Owner: ours, Name: projectOne}
	tests := []struct {
		name   string
		policy iam.Policy
		want   bool
	}{
		{"without condition", iam.Policy{}, true},
		{"under a tag", iam.Policy{Condition: match("resource.Tag(a)", "b")}, true},
		{"under a name", iam.Policy{Condition: match("resource.Name", "b")}, true},
		{"under a type", iam.Policy{Condition: match("resource.Type", "b")}, true},
		{"that expires", iam.Policy{ExpiredAt: noon.Add(time.Hour)}, false},
		{"that has expired", iam.Policy{ExpiredAt: noon.Add(-time.Hour)}, false},
		{"under a date", iam.Policy{Condition: match("date.Date", "2026-11-24")}, false},
		{"under an hour", iam.Policy{Condition: match("date.Hour", "3")}, false},
		{"under a day", iam.Policy{Condition: match("date.WeekDay", "monday")}, false},
		{"under an address", iam.Policy{Condition: match("request.IP", "192.0.2.7")}, false},
		{"under an address, of another project", iam.Policy{Condition: match("request.IP", "192.0.2.7"), Resources: []urn.URN{urn.Project(urn.EU, projectTwo)}}, true},
		{"under an address, of no right", iam.Policy{Condition: match("request.IP", "192.0.2.7"), Permissions: iam.Permissions{Allow: []iam.Action{"x:*"}}}, true},
	}
	for _, tt := range tests {
		p := tt.policy
		p.Owner, p.Identities = ours, []urn.URN{robot}
		if p.Resources == nil {
			p.Resources = []urn.URN{"urn:v1:eu:resource:*"}
		}
		if p.Permissions.Allow == nil {
			p.Permissions.Allow = []iam.Action{"*"}
		}
		c := iam.Compile(&iam.PolicySet{Owner: ours, Policies: []iam.Policy{p}}, robot)
		if _, constant := c.Roles(res, noon, office); constant != tt.want {
			t.Errorf("a policy %s: Roles is constant: %v", tt.name, constant)
		}
		if _, constant := c.Allows("publicCloudProject:ai:aiTrainingRead", res, noon, office); constant != tt.want {
			t.Errorf("a policy %s: Allows is constant: %v", tt.name, constant)
		}
	}
}
