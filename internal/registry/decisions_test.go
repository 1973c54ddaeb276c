package registry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/urn"
)

// decisionAbout is a service account that may not make servers.
func decisionAbout(sa iam.ServiceAccount, id string) audit.Decision {
	return audit.Decision{ID: id, OtherID: "other-" + id, Time: noonOf(id), Account: sa.Owner, Identity: sa.Identity(), Address: here, Verdict: audit.MissingRole,
		Method: "POST", Path: "/v2.1/servers", Service: "compute", Project: string(projectID), Needed: []string{"compute_manage"}}
}

// noonOf gives times that are all different and grow with the number in an id.
func noonOf(id string) time.Time {
	n := 0
	_, _ = fmt.Sscanf(id, "req-%d", &n)
	return newClock().now().Add(time.Duration(n) * time.Millisecond)
}

func TestADecisionIsFoundByEveryReplicaAndAfterARestart(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		sa, _ := w.serviceAccount("sa")
		replica := openWorld(t, w.url, w.clock)
		w.Record(decisionAbout(sa, "req-1"))
		for _, id := range []string{"req-1", "other-req-1"} {
			if e, err := w.Decision(t.Context(), callerOf(sa), id); err != nil || e.Decision.Path != "/v2.1/servers" {
				t.Errorf("%s at once: %+v %v", id, e, err)
			}
			_, err := replica.Decision(t.Context(), callerOf(sa), id)
			wantKind(t, err, iam.NotFound)
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"req-1", "other-req-1"} {
			if e, err := replica.Decision(t.Context(), callerOf(sa), id); err != nil || e.Decision.ID != "req-1" {
				t.Errorf("%s on the replica: %+v %v", id, e, err)
			}
		}
	})
}

func TestDecisionsAreBoundedInNumberAndAge(t *testing.T) {
	w := newWorld(t)
	sa, _ := w.serviceAccount("sa")
	small, err := registry.New(t.Context(), registry.Config{Store: w.store, Ring: w.ring, Now: w.clock.now, DecisionsCount: 300, DecisionsAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	fill := func(flushes int) {
		for range flushes {
			for range 500 {
				n++
				small.Record(decisionAbout(sa, fmt.Sprintf("req-%06d", n)))
			}
			if err := small.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	count := func() int {
		list, _, err := small.Refusals(t.Context(), callerOf(sa), registry.RefusalFilter{ServiceAccount: sa.ID}, registry.Page{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	fill(10) // 5000: those before were pruned with the last
	if got := count(); got != 300 {
		t.Errorf("%d are kept", got)
	}
	if _, err := small.Decision(t.Context(), callerOf(sa), fmt.Sprintf("req-%06d", n)); err != nil {
		t.Error(err)
	}
	w.clock.add(2 * time.Hour)
	if err := registry.Prune(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 0 {
		t.Errorf("%d are kept after their time", got)
	}
	none, err := registry.New(t.Context(), registry.Config{Store: w.store, Ring: w.ring, Now: w.clock.now, DecisionsCount: -1})
	if err != nil {
		t.Fatal(err)
	}
	none.Record(decisionAbout(sa, "req-x"))
	_, err = none.Decision(t.Context(), callerOf(sa), "req-x")
	wantKind(t, err, iam.NotFound)
}

func TestWithoutADatabaseDecisionsWait(t *testing.T) {
	w := newWorld(t)
	sa, _ := w.serviceAccount("sa")
	w.Record(decisionAbout(sa, "req-1"))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if w.Flush(gone) == nil {
		t.Fatal("written to nowhere")
	}
	if _, err := w.Decision(t.Context(), callerOf(sa), "req-1"); err != nil {
		t.Error(err)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, _, err := openWorld(t, w.url, w.clock).Refusals(t.Context(), callerOf(sa), registry.RefusalFilter{ServiceAccount: sa.ID}, registry.Page{})
	if err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
}

func TestRefusalsArePaged(t *testing.T) {
	w := newWorld(t)
	admin, _ := w.serviceAccount("admin")
	w.allow(admin, "look", iam.ActionDecisionGet)
	sa, _ := w.serviceAccount("sa")
	for i := range 5 {
		w.Record(decisionAbout(sa, fmt.Sprint("req-", i)))
	}
	w.Record(decisionAbout(admin, "req-9"))
	granted := decisionAbout(sa, "req-8")
	granted.Verdict = audit.Granted
	w.Record(granted)
	var ids []string
	p := registry.Page{Limit: 2}
	for range 10 {
		list, next, err := w.Refusals(t.Context(), callerOf(admin), registry.RefusalFilter{}, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			ids = append(ids, d.ID)
		}
		if p.After = next; next == "" {
			break
		}
	}
	if !slices.Equal(ids, []string{"req-9", "req-4", "req-3", "req-2", "req-1", "req-0"}) {
		t.Errorf("%v", ids)
	}
	own, _, err := w.Refusals(t.Context(), callerOf(sa), registry.RefusalFilter{ServiceAccount: sa.ID}, registry.Page{})
	if err != nil || len(own) != 5 {
		t.Errorf("its own: %v %v", own, err)
	}
	_, _, err = w.Refusals(t.Context(), callerOf(sa), registry.RefusalFilter{ServiceAccount: admin.ID}, registry.Page{})
	wantKind(t, err, iam.Denied)
	for _, cursor := range []string{"x", "1", "-1.x", "."} {
		_, _, err = w.Refusals(t.Context(), callerOf(admin), registry.RefusalFilter{}, registry.Page{After: cursor})
		wantKind(t, err, iam.Invalid)
	}
}

// TestWhatWouldChangeADecisionIsTrue takes away what a call stands on, one thing at a time, and does what the explanation says.
func TestWhatWouldChangeADecisionIsTrue(t *testing.T) {
	const operator = iam.Action("publicCloudProject:openstack:computeOperator")
	for name, c := range map[string]struct {
		break_ func(w *world, sa iam.ServiceAccount) error
		steps  []iam.Change
	}{
		"nothing is granted": {func(*world, iam.ServiceAccount) error { return nil }, []iam.Change{iam.AddPolicy}},
		"it is denied": {func(w *world, sa iam.ServiceAccount) error {
			w.allow(sa, "yes", operator)
			p := deny(w, sa, "no", operator)
			return errOf(p, nil)
		}, []iam.Change{iam.RemoveDeny}},
		"the service account is disabled": {func(w *world, sa iam.ServiceAccount) error {
			w.allow(sa, "yes", operator)
			return w.SetServiceAccountDisabled(w.t.Context(), root, sa.ID, true)
		}, []iam.Change{iam.EnableServiceAccount}},
		"the project is disabled and nothing is granted": {func(w *world, sa iam.ServiceAccount) error {
			return w.SetProjectDisabled(w.t.Context(), root, projectID, true)
		}, []iam.Change{iam.EnableProject, iam.AddPolicy}},
		"the account is disabled": {func(w *world, sa iam.ServiceAccount) error {
			w.allow(sa, "yes", operator)
			return w.SetAccountDisabled(w.t.Context(), root, acme, true)
		}, []iam.Change{iam.EnableAccount}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			sa, _ := w.serviceAccount("sa")
			if err := c.break_(w, sa); err != nil {
				t.Fatal(err)
			}
			ask := func() registry.Explanation {
				t.Helper()
				e, err := w.Preview(t.Context(), iam.Caller{Operator: "test", Account: acme}, sa.ID, func(sa iam.ServiceAccount) (audit.Decision, error) {
					return decisionAbout(sa, ""), nil
				})
				if err != nil {
					t.Fatal(err)
				}
				return e
			}
			before := ask()
			if before.Granted || len(before.Ways) == 0 || w.roles(sa).Has(rbac.ComputeManage) {
				t.Fatalf("%+v", before)
			}
			var steps []iam.Change
			for _, s := range before.Ways[0].Steps {
				steps = append(steps, s.Change)
				followStep(w, sa, s)
			}
			if !slices.Equal(steps, c.steps) {
				t.Errorf("steps %v, want %v", steps, c.steps)
			}
			if after := ask(); !after.Granted || len(after.Ways) != 0 || !w.roles(sa).Has(rbac.ComputeManage) {
				t.Errorf("done, and still %+v", after)
			}
		})
	}
}

func deny(w *world, sa iam.ServiceAccount, name string, action iam.Action) iam.Policy {
	w.t.Helper()
	p, err := w.CreatePolicy(w.t.Context(), root, iam.Policy{Owner: acme, Name: name, Identities: []urn.URN{sa.Identity()},
		Resources: []urn.URN{project}, Permissions: iam.Permissions{Deny: []iam.Action{action}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// followStep does what a step says.
func followStep(w *world, sa iam.ServiceAccount, s iam.Step) {
	w.t.Helper()
	ctx := w.t.Context()
	var err error
	switch s.Change {
	case iam.AddPolicy:
		w.allow(sa, "new", s.Right)
	case iam.RemoveDeny:
		p, gerr := w.Policy(ctx, root, s.PolicyID)
		p.Permissions.Deny = slices.DeleteFunc(p.Permissions.Deny, func(a iam.Action) bool { return a == s.Statement })
		if len(p.Permissions.Deny)+len(p.Permissions.Allow) == 0 {
			err = w.DeletePolicy(ctx, root, s.PolicyID) // nothing is left of it
		} else if err = gerr; err == nil {
			_, err = w.ReplacePolicy(ctx, root, s.PolicyID, p)
		}
	case iam.EnableServiceAccount:
		err = w.SetServiceAccountDisabled(ctx, root, sa.ID, false)
	case iam.EnableProject:
		err = w.SetProjectDisabled(ctx, root, projectID, false)
	case iam.EnableAccount:
		err = w.SetAccountDisabled(ctx, root, acme, false)
	default:
		w.t.Errorf("nobody can follow %q", s)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestAnExplanationShowsTheStatementsAndNothingOfOthers(t *testing.T) {
	w := newWorld(t)
	sa, _ := w.serviceAccount("sa")
	w.allow(sa, "yes", "publicCloudProject:openstack:*")
	deny(w, sa, "no", "publicCloudProject:openstack:compute*")
	otherSA, _ := w.serviceAccount("another")
	w.allow(otherSA, "theirs", "publicCloudProject:openstack:computeOperator")
	w.Record(decisionAbout(sa, "req-1"))
	e, err := w.Decision(t.Context(), callerOf(sa), "req-1")
	if err != nil || len(e.Considered) != 2 {
		t.Fatalf("%+v %v", e, err)
	}
	text := fmt.Sprintf("%+v", e.Considered)
	for _, want := range []string{"allow", "yes", "publicCloudProject:openstack:*", "deny", "no", "publicCloudProject:openstack:compute*"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(text, "theirs") || e.Considered[0].Held || !e.Considered[1].Held || !e.Granted {
		t.Errorf("%+v", e) // administrator is allowed by the glob, and not denied
	}
}

func TestACallOnAnotherAccountsProjectLearnsNothing(t *testing.T) {
	w := newWorld(t)
	theirs := iam.ProjectID("b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0")
	if _, err := w.CreateProject(t.Context(), root, iam.Project{ID: theirs, Owner: other, Name: "secret name"}); err != nil {
		t.Fatal(err)
	}
	sa, _ := w.serviceAccount("sa")
	var told []string
	for _, id := range []string{string(theirs), "c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1"} {
		e, err := w.Preview(t.Context(), callerOf(sa), sa.ID, func(sa iam.ServiceAccount) (audit.Decision, error) {
			d := decisionAbout(sa, "")
			d.Project = id
			return d, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		e.Decision.Project = ""
		told = append(told, fmt.Sprintf("%+v", e))
	}
	if told[0] != told[1] || strings.Contains(told[0], "secret") {
		t.Errorf("theirs\n%s\nnobody's\n%s", told[0], told[1])
	}
}
