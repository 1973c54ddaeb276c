package iam_test

import (
	"fmt"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/urn"
)

// benchSet has policies of the guide's sort, each for one of n projects, and one of every project, under conditions.
func benchSet(n int) (*iam.PolicySet, iam.Resource) {
	set := &iam.PolicySet{Owner: ours}
	for i := range n {
		set.Policies = append(set.Policies, iam.Policy{
			ID: fmt.Sprint(i), Owner: ours, Identities: []urn.URN{robot}, Resources: []urn.URN{urn.Project(urn.EU, fmt.Sprintf("%032x", i))},
			Permissions: iam.Permissions{Allow: []iam.Action{"publicCloudProject:openstack:infrastructureSupervisor"}},
		})
	}
	set.Policies = append(set.Policies, iam.Policy{
		ID: "all", Owner: ours, Identities: []urn.URN{robot}, Resources: []urn.URN{"urn:v1:eu:resource:publicCloudProject:*"},
		Permissions: iam.Permissions{Allow: []iam.Action{"publicCloudProject:ai:*"}},
		Condition: &iam.Condition{Operator: iam.And, Conditions: []iam.Condition{
			{Operator: iam.Match, Values: map[string]string{"date(Europe/Paris).Hour.IN": "8,9,10,11,12,13,14,15,16,17"}},
			{Operator: iam.Match, Values: map[string]string{"request.IP.IN_RANGE": "192.0.2.0/24"}},
		}},
	})
	id := fmt.Sprintf("%032x", n/2)
	return set, iam.Resource{URN: urn.Project(urn.EU, id), Owner: ours, Name: id}
}

func BenchmarkEvaluate(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			set, res := benchSet(n)
			req := iam.Request{Identity: robot, Action: "publicCloudProject:openstack:infrastructureSupervisor", Resource: res, Time: noon, Address: office}
			b.ReportAllocs()
			for b.Loop() {
				if !iam.Evaluate(set, req).Allowed {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	set, _ := benchSet(1)
	b.ReportAllocs()
	for b.Loop() {
		iam.Compile(set, robot)
	}
}

func BenchmarkCompiledRoles(b *testing.B) {
	for _, n := range []int{1, 100, 10000} {
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			set, res := benchSet(n)
			c := iam.Compile(set, robot)
			b.ReportAllocs()
			for b.Loop() {
				if roles, _ := c.Roles(res, noon, office); !roles.Has(rbac.ComputeRead) {
					b.Fatal("refused")
				}
			}
		})
	}
}

func TestRolesOfCompiledPoliciesAllocateNothing(t *testing.T) {
	set, res := benchSet(100)
	c := iam.Compile(set, robot)
	if n := testing.AllocsPerRun(100, func() { c.Roles(res, noon, office) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { c.Allows(iam.ActionProjectGet, res, noon, office) }); n > 0 {
		t.Errorf("%v allocations by Allows", n)
	}
}

// BenchmarkCompiledRolesByPattern is the worst sort of account: every policy covers every project.
func BenchmarkCompiledRolesByPattern(b *testing.B) {
	set, res := benchSet(0)
	for range 999 {
		set.Policies = append(set.Policies, set.Policies[0])
	}
	c := iam.Compile(set, robot)
	b.ReportAllocs()
	for b.Loop() {
		c.Roles(res, noon, office)
	}
}

func BenchmarkToken(b *testing.B) {
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		sealed, err := exampleToken.AppendBinary(buf)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := iam.ParseToken(sealed); err != nil {
			b.Fatal(err)
		}
	}
}
