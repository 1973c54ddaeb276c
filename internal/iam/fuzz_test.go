package iam_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

// FuzzCondition wants that a condition that validation lets in is never unknown when everything is known, that both evaluators agree on
// it, and that nothing panics on one that was not let in.
func FuzzCondition(f *testing.F) {
	for _, s := range []string{
		`{"Operator":"MATCH"}`, `{"Operator":"MATCH","Values":{"date(Europe/Paris).Hour.IN":"7,8,9"}}`, `{"Operator":"MATCH","Values":{"date.WeekDay.AFTER":"monday"}}`,
		`{"Operator":"AND","Conditions":[{"Operator":"MATCH","Values":{"request.IP.IN_RANGE":"10.0.0.0/8","resource.Tag(a:b)":"c"}}]}`,
		`{"Operator":"NOT","Conditions":[{"Operator":"OR","Conditions":[{"Operator":"MATCH","Values":{"resource.Type.IN":"vps,account"}}]}]}`,
		`{"Operator":"AND","Conditions":[{"Operator":"AND","Conditions":[{"Operator":"AND","Conditions":[{"Operator":"MATCH"}]}]}]}`,
		`{"Operator":"MATCH","Values":{"date(Local).Date":"2024-02-30","date(UTC).Date":"2024-02-29","resource.Name.ENDS_WITH":"f","request.IP":"::1"}}`,
	} {
		f.Add(s)
	}
	req := iam.Request{Identity: robot, Action: iam.ActionProjectGet, Time: noon, Address: office,
		Resource: iam.Resource{URN: urn.Project(urn.EU, projectOne), Owner: ours, Name: projectOne, Tags: map[string]string{"environment": "prod"}}}
	f.Fuzz(func(t *testing.T, s string) {
		var c iam.Condition
		if json.Unmarshal([]byte(s), &c) != nil {
			return
		}
		set := &iam.PolicySet{Owner: ours, Policies: []iam.Policy{{
			Owner: ours, Identities: []urn.URN{robot}, Resources: []urn.URN{"urn:v1:eu:resource:*"}, Condition: &c,
			Permissions: iam.Permissions{Allow: []iam.Action{"*"}},
		}}}
		holds := iam.Evaluate(set, req).Allowed
		if iam.ValidateCondition(&c) != nil {
			return
		}
		if naive(set, req).Allowed != holds {
			t.Fatalf("%s: %v", s, holds)
		}
		set.Policies[0].Permissions = iam.Permissions{Deny: []iam.Action{"*"}}
		if denies := len(iam.Evaluate(set, req).Reasons) > 0; denies != holds {
			t.Fatalf("%s is unknown", s)
		}
	})
}

// FuzzGlob compares with a regular expression, and wants that each glob covers itself.
func FuzzGlob(f *testing.F) {
	f.Add("*", "a")
	f.Add("a*b*c", "aXbYc")
	f.Add("*a*a*", "a")
	f.Add("**", "")
	f.Add("ab*ba", "aba")
	f.Add("publicCloudProject:*:*Operator", "publicCloudProject:openstack:computeOperator")
	f.Add(strings.Repeat("a*", 100)+"b", strings.Repeat("a", 200))
	f.Fuzz(func(t *testing.T, pattern, action string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(action) || len(pattern) > 300 || len(action) > 300 {
			return // regular expressions speak of runes
		}
		if got, want := iam.Action(pattern).Matches(iam.Action(action)), naiveGlob(iam.Action(pattern), iam.Action(action)); got != want {
			t.Fatalf("%q covers %q: %v", pattern, action, got)
		}
		if !iam.Action(pattern).Matches(iam.Action(pattern)) {
			t.Fatalf("%q does not cover itself", pattern)
		}
	})
}

// FuzzPolicy wants that validation of anything ends in nil or in a readable error of ours.
func FuzzPolicy(f *testing.F) {
	f.Add("Demo", string(robot), "urn:v1:eu:resource:publicCloudProject:"+projectOne, "publicCloudProject:openstack:computeOperator", "urn:v1:eu:permissionsGroup:ovh:globalAdmin")
	f.Add("ovh-x", "*", "*", "*", "*")
	f.Add("", "urn:v1:eu:identity:account:xx11111-ovh", "urn:v1:eu:ressource:publicCloudProject:*", "publicCloudProject:openstak:*", "urn:v1:eu:permissionsGroup:xx11111-ovh:a")
	f.Fuzz(func(t *testing.T, name, identity, resource, action, group string) {
		p := iam.Policy{Owner: ours, Name: name, Identities: []urn.URN{urn.URN(identity)}, Resources: []urn.URN{urn.URN(resource)},
			Permissions: iam.Permissions{Allow: []iam.Action{iam.Action(action)}}, PermissionsGroups: []urn.URN{urn.URN(group)}}
		err := iam.ValidatePolicy(p)
		if err == nil {
			for _, u := range []string{identity, resource, group} {
				if _, err := urn.Parse(u); err != nil {
					t.Fatalf("let in: %v", err)
				}
			}
			return
		}
		if iam.KindOf(err) != iam.Invalid || len(err.Error()) > 4000 {
			t.Fatalf("%d bytes: %.200v", len(err.Error()), err)
		}
	})
}
