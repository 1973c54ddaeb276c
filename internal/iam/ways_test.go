package iam_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/urn"
)

const (
	computeOperator = iam.Action("publicCloudProject:openstack:computeOperator")
	administrator   = iam.Action("publicCloudProject:openstack:administrator")
)

func robotsPolicy(id string, perms iam.Permissions) iam.Policy {
	return iam.Policy{ID: id, Name: id + "'s name", Owner: ours, Identities: []urn.URN{robot}, Resources: []urn.URN{urn.Project("eu", projectOne)}, Permissions: perms}
}

func asRobot() iam.Request {
	return iam.Request{Identity: robot, Time: noon, Address: office, Resource: iam.Resource{URN: urn.Project("eu", projectOne), Owner: ours}}
}

func TestWays(t *testing.T) {
	allow := iam.Permissions{Allow: []iam.Action{computeOperator}}
	expired := robotsPolicy("old", allow)
	expired.ExpiredAt = noon.Add(-time.Hour)
	elsewhere := robotsPolicy("there", allow)
	elsewhere.Resources = []urn.URN{urn.Project("eu", projectTwo)}
	never := robotsPolicy("never", allow)
	never.Condition = &iam.Condition{Operator: iam.Match, Values: map[string]string{"request.IP": "198.51.100.1"}}
	group := urn.PermissionsGroup(urn.EU, ours.Name, "g")
	byGroup := robotsPolicy("grouped", allow)
	byGroup.PermissionsGroups = []urn.URN{group}
	readOnly := robotsPolicy("system", iam.Permissions{Deny: []iam.Action{computeOperator}})
	readOnly.ReadOnly = true
	const add = "add the right publicCloudProject:openstack:computeOperator on this project by a policy"
	for name, c := range map[string]struct {
		policies []iam.Policy
		want     []string
	}{
		"nothing is granted": {nil, []string{add}},
		"it is granted":      {[]iam.Policy{robotsPolicy("p", allow)}, nil},
		"it is denied": {[]iam.Policy{robotsPolicy("p", allow), robotsPolicy("no", iam.Permissions{Deny: []iam.Action{"*:computeOp*"}})},
			[]string{`remove the deny "*:computeOp*" from policy "no's name"`}},
		"it is denied twice": {[]iam.Policy{robotsPolicy("p", allow), robotsPolicy("no", iam.Permissions{Deny: []iam.Action{"*"}}),
			robotsPolicy("never", iam.Permissions{Deny: []iam.Action{computeOperator}})},
			[]string{`remove the deny "*" from policy "no's name", remove the deny "publicCloudProject:openstack:computeOperator" from policy "never's name"`,
				`remove the deny "*" from policy "no's name", add the right publicCloudProject:openstack:administrator on this project by a policy`}[:1]},
		"denied and not granted": {[]iam.Policy{robotsPolicy("no", iam.Permissions{Deny: []iam.Action{computeOperator}})},
			[]string{"add the right publicCloudProject:openstack:administrator on this project by a policy",
				`remove the deny "publicCloudProject:openstack:computeOperator" from policy "no's name", ` + add}},
		"it is excepted": {[]iam.Policy{robotsPolicy("p", iam.Permissions{Allow: []iam.Action{"*"}, Except: []iam.Action{computeOperator, administrator}})},
			[]string{add, `remove the except "publicCloudProject:openstack:computeOperator" from policy "p's name"`,
				`remove the except "publicCloudProject:openstack:administrator" from policy "p's name"`}},
		"it has expired":  {[]iam.Policy{expired}, []string{add, `give policy "old's name", which has expired, a later expiry or none`}},
		"it is elsewhere": {[]iam.Policy{elsewhere}, []string{add, `add this project to the resources of policy "there's name", which grants publicCloudProject:openstack:computeOperator elsewhere`}},
		"its condition":   {[]iam.Policy{never}, []string{add}},
		"a group denies": {[]iam.Policy{byGroup}, []string{`remove the deny "publicCloudProject:openstack:computeOperator" from the permissions group ` + string(group) +
			`, which policy "grouped's name" names`}},
		"the system denies": {[]iam.Policy{robotsPolicy("p", allow), readOnly}, []string{"add the right publicCloudProject:openstack:administrator on this project by a policy"}},
	} {
		set := &iam.PolicySet{Owner: ours, Policies: c.policies, PermissionsGroups: map[urn.URN]iam.PermissionsGroup{
			group: {URN: group, Owner: ours, Permissions: iam.Permissions{Deny: []iam.Action{computeOperator}}}}}
		var got []string
		for _, w := range iam.Ways(set, asRobot(), rbac.RolesOf(rbac.ComputeManage)) {
			got = append(got, said(w))
		}
		for _, want := range c.want {
			if !slices.Contains(got, want) {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if (len(c.want) == 0) != (len(got) == 0) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func said(w iam.Way) string {
	var steps []string
	for _, s := range w.Steps {
		steps = append(steps, s.String())
	}
	return strings.Join(steps, ", ")
}

// TestEveryWayIsTrue follows what Ways says by hand, and asks the naive evaluator.
func TestEveryWayIsTrue(t *testing.T) {
	followed := 0
	rapid.Check(t, func(t *rapid.T) {
		set, req := drawSet(t), drawRequest(t)
		req.Identity, req.Resource.Owner = robot, set.Owner
		needed := rapid.SampledFrom([]rbac.Role{rbac.ComputeManage, rbac.NetworkRead, rbac.ImageImport, rbac.ObjectstoreAll}).Draw(t, "needed")
		_, has := naiveRoles(set, req)
		ways := iam.Ways(set, req, rbac.RolesOf(needed))
		if has.Has(needed) && len(ways) > 0 {
			t.Fatalf("it has %s already: %v", needed, ways)
		}
		for _, w := range ways {
			after := *set
			after.Policies, after.PermissionsGroups = slices.Clone(set.Policies), maps.Clone(set.PermissionsGroups)
			for _, s := range w.Steps {
				follow(&after, s, req)
			}
			if _, roles := naiveRoles(&after, req); !roles.Has(needed) {
				t.Fatalf("%+v\n%+v\n%s does not give %s", set, req, said(w), needed)
			}
			followed++
		}
	})
	if followed < 50 {
		t.Errorf("only %d ways were followed", followed)
	}
}

func follow(set *iam.PolicySet, s iam.Step, req iam.Request) {
	drop := func(list []iam.Action) []iam.Action {
		return slices.DeleteFunc(slices.Clone(list), func(a iam.Action) bool { return a == s.Statement })
	}
	if s.Change == iam.AddPolicy {
		set.Policies = append(set.Policies, iam.Policy{ID: "new", Owner: set.Owner, Identities: []urn.URN{req.Identity}, Resources: []urn.URN{req.Resource.URN},
			Permissions: iam.Permissions{Allow: []iam.Action{s.Right}}})
		return
	}
	for i := range set.Policies {
		p := &set.Policies[i]
		g, inGroup := set.PermissionsGroups[s.Group]
		switch {
		case p.ID != s.PolicyID:
		case s.Change == iam.RenewPolicy:
			p.ExpiredAt = time.Time{}
		case s.Change == iam.AddResource:
			p.Resources = append(slices.Clone(p.Resources), req.Resource.URN)
		case s.Change == iam.RemoveDeny && inGroup:
			g.Permissions.Deny = drop(g.Permissions.Deny)
		case s.Change == iam.RemoveExcept && inGroup:
			g.Permissions.Except = drop(g.Permissions.Except)
		case s.Change == iam.RemoveDeny:
			p.Permissions.Deny = drop(p.Permissions.Deny)
		case s.Change == iam.RemoveExcept:
			p.Permissions.Except = drop(p.Permissions.Except)
		}
		if inGroup {
			set.PermissionsGroups[s.Group] = g
		}
	}
}

// TestConsideredStatementsThatCountAreTheReasons compares Consider with Evaluate.
func TestConsideredStatementsThatCountAreTheReasons(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, req := drawSet(t), drawRequest(t)
		var counting []iam.Reason
		for _, s := range iam.Compile(set, req.Identity).Consider(req.Action, req.Resource, req.Time, req.Address) {
			if s.Status == iam.Counts {
				counting = append(counting, s.Reason)
			}
		}
		want := iam.Evaluate(set, req).Reasons
		if account, _ := req.Identity.Account(); req.Identity == urn.AccountIdentity(account) {
			return // the root's answer has no statement of a policy
		}
		if !slices.Equal(counting, want) {
			t.Fatalf("%+v\n%+v\n got %+v\nwant %+v", set, req, counting, want)
		}
	})
}
