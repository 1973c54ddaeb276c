package iam_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"pgregory.net/rapid"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

// TestCedarAgrees asks a third evaluator, Cedar's, about what our language shares with it: allow, deny and globs.
func TestCedarAgrees(t *testing.T) {
	allowed := 0
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t)
		set.ResourceGroups, set.PermissionsGroups = nil, nil
		for i := range set.Policies {
			p := &set.Policies[i]
			p.Owner, p.Condition, p.PermissionsGroups, p.Permissions.Except = ours, nil, nil, nil
			p.ExpiredAt = noon.AddDate(1, 0, 0)
		}
		second, err := cedar.NewPolicySetFromBytes("policies", []byte(cedarText(set)))
		if err != nil {
			t.Fatalf("%v in\n%s", err, cedarText(set))
		}
		for range 10 {
			req := drawRequest(t)
			req.Identity, req.Time, req.Resource.Owner = robot, noon, ours
			if req.Action == "" || req.Action.IsGlob() || req.Resource.URN.IsPattern() || req.Resource.URN.Partition() != urn.EU {
				continue // Cedar does not know that these are no questions
			}
			got := iam.Evaluate(set, req).Allowed
			if want := cedarAllows(t, second, req); got != want {
				t.Fatalf("%+v\n%+v\ngot %v, Cedar says %v with\n%s", set, req, got, want, cedarText(set))
			}
			if got {
				allowed++
			}
		}
	})
	if allowed == 0 {
		t.Error("nothing was ever allowed")
	}
}

func cedarAllows(t *rapid.T, policies *cedar.PolicySet, req iam.Request) bool {
	decision, diagnostic := cedar.Authorize(policies, cedar.EntityMap{}, cedar.Request{
		Principal: cedar.NewEntityUID("Identity", cedar.String(req.Identity)),
		Action:    cedar.NewEntityUID("Action", "ask"),
		Resource:  cedar.NewEntityUID("Resource", cedar.String(req.Resource.URN)),
		Context:   cedar.NewRecord(cedar.RecordMap{"action": cedar.String(req.Action), "resource": cedar.String(req.Resource.URN)}),
	})
	if len(diagnostic.Errors) > 0 {
		t.Fatal(diagnostic.Errors)
	}
	return decision == cedar.Allow
}

// cedarText writes each allow as a permit and each deny as a forbid, under the policy's identities and resources.
func cedarText(set *iam.PolicySet) string {
	var b strings.Builder
	for _, p := range set.Policies {
		for effect, actions := range map[string][]iam.Action{"permit": p.Permissions.Allow, "forbid": p.Permissions.Deny} {
			for _, identity := range p.Identities {
				fmt.Fprintf(&b, "%s (principal == Identity::%q, action, resource) when { (%s) && (%s) };\n", effect, identity,
					like("action", actions), like("resource", p.Resources))
			}
		}
	}
	return b.String()
}

func like[T ~string](attribute string, patterns []T) string {
	tests := []string{"false"}
	for _, p := range patterns {
		tests = append(tests, fmt.Sprintf("context.%s like %q", attribute, string(p)))
	}
	return strings.Join(tests, " || ")
}
