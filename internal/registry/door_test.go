package registry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/urn"
)

// things is one of everything in acme.
type things struct {
	*world
	sa     iam.ServiceAccount
	secret string // id
	policy iam.Policy
	group  iam.PermissionsGroup
	rgroup iam.ResourceGroup
}

func newThings(w *world) things {
	w.t.Helper()
	ctx := w.t.Context()
	sa, _ := w.serviceAccount("victim")
	secrets, err1 := w.Secrets(ctx, root, sa.ID)
	group, err2 := w.CreatePermissionsGroup(ctx, root, iam.PermissionsGroup{Owner: acme, Name: "g", Permissions: iam.Permissions{Allow: []iam.Action{supervisor}}})
	rgroup, err3 := w.CreateResourceGroup(ctx, root, iam.ResourceGroup{Owner: acme, Name: "rg", Resources: []urn.URN{project}})
	_, err4 := w.SetTags(ctx, root, project, map[string]string{"env": "prod"})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		w.t.Fatal(err)
	}
	w.Record(decisionAbout(sa, "req-seen"))
	return things{w, sa, secrets[0].ID, w.allow(sa, "victim's", supervisor), group, rgroup}
}

var project = urn.Project(urn.EU, string(projectID))

// methods is every management method with the action that it needs; "" is the operator's only.
var methods = []struct {
	name   string
	action iam.Action
	call   func(ctx context.Context, g things, c iam.Caller) error
}{
	{"ServiceAccounts", iam.ActionClientGet, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf2(g.ServiceAccounts(ctx, c, registry.ServiceAccountFilter{}, registry.Page{}))
	}},
	{"ServiceAccount", iam.ActionClientGet, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.ServiceAccount(ctx, c, g.sa.ID))
	}},
	{"CreateServiceAccount", iam.ActionClientCreate, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf2(g.CreateServiceAccount(ctx, c, iam.ServiceAccount{Name: "new"}))
	}},
	{"UpdateServiceAccount", iam.ActionClientEdit, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.UpdateServiceAccount(ctx, c, g.sa.ID, func(s *iam.ServiceAccount) error { s.Name = "renamed"; return nil }))
	}},
	{"DeleteServiceAccount", iam.ActionClientDelete, func(ctx context.Context, g things, c iam.Caller) error {
		return g.DeleteServiceAccount(ctx, c, g.sa.ID)
	}},
	{"disable", iam.ActionClientDisable, func(ctx context.Context, g things, c iam.Caller) error {
		return g.SetServiceAccountDisabled(ctx, c, g.sa.ID, true)
	}},
	{"enable", iam.ActionClientEnable, func(ctx context.Context, g things, c iam.Caller) error {
		return g.SetServiceAccountDisabled(ctx, c, g.sa.ID, false)
	}},
	{"Secrets", iam.ActionSecretGet, func(ctx context.Context, g things, c iam.Caller) error { return errOf(g.Secrets(ctx, c, g.sa.ID)) }},
	{"AddSecret", iam.ActionSecretCreate, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf2(g.AddSecret(ctx, c, g.sa.ID, "", time.Time{}))
	}},
	{"RotateSecrets", iam.ActionSecretRotate, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf2(g.RotateSecrets(ctx, c, g.sa.ID, "", time.Hour))
	}},
	{"DeleteSecret", iam.ActionSecretDelete, func(ctx context.Context, g things, c iam.Caller) error {
		return g.DeleteSecret(ctx, c, g.sa.ID, g.secret)
	}},
	{"Policies", iam.ActionPolicyGet, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf2(g.Policies(ctx, c, registry.PolicyFilter{}, registry.Page{}))
	}},
	{"Policy", iam.ActionPolicyGet, func(ctx context.Context, g things, c iam.Caller) error { return errOf(g.Policy(ctx, c, g.policy.ID)) }},
	{"CreatePolicy", iam.ActionPolicyCreate, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.CreatePolicy(ctx, c, iam.Policy{Name: "new"}))
	}},
	{"ReplacePolicy", iam.ActionPolicyEdit, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.ReplacePolicy(ctx, c, g.policy.ID, g.policy))
	}},
	{"DeletePolicy", iam.ActionPolicyDelete, func(ctx context.Context, g things, c iam.Caller) error { return g.DeletePolicy(ctx, c, g.policy.ID) }},
	{"PermissionsGroups", iam.ActionPermissionsGroupGet, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf2(g.PermissionsGroups(ctx, c, registry.Page{}))
	}},
	{"PermissionsGroup", iam.ActionPermissionsGroupGet, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.PermissionsGroup(ctx, c, g.group.URN))
	}},
	{"CreatePermissionsGroup", iam.ActionPermissionsGroupCreate, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.CreatePermissionsGroup(ctx, c, iam.PermissionsGroup{Name: "new"}))
	}},
	{"ReplacePermissionsGroup", iam.ActionPermissionsGroupEdit, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.ReplacePermissionsGroup(ctx, c, g.group.URN, g.group))
	}},
	{"DeletePermissionsGroup", iam.ActionPermissionsGroupDelete, func(ctx context.Context, g things, c iam.Caller) error {
		return g.DeletePermissionsGroup(ctx, c, g.group.URN)
	}},
	{"ResourceGroups", iam.ActionResourceGroupGet, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf2(g.ResourceGroups(ctx, c, registry.Page{}))
	}},
	{"ResourceGroup", iam.ActionResourceGroupGet, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.ResourceGroup(ctx, c, g.rgroup.ID))
	}},
	{"CreateResourceGroup", iam.ActionResourceGroupCreate, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.CreateResourceGroup(ctx, c, iam.ResourceGroup{Name: "new"}))
	}},
	{"ReplaceResourceGroup", iam.ActionResourceGroupEdit, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.ReplaceResourceGroup(ctx, c, g.rgroup.ID, g.rgroup))
	}},
	{"DeleteResourceGroup", iam.ActionResourceGroupDelete, func(ctx context.Context, g things, c iam.Caller) error {
		return g.DeleteResourceGroup(ctx, c, g.rgroup.ID)
	}},
	{"SetTags", iam.ActionResourceEdit, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.SetTags(ctx, c, project, map[string]string{"env": "prod"}))
	}},
	{"AddTag", iam.TagAddAction(project), func(ctx context.Context, g things, c iam.Caller) error { return g.AddTag(ctx, c, project, "a", "b") }},
	{"RemoveTag", iam.TagRemoveAction(project), func(ctx context.Context, g things, c iam.Caller) error { return g.RemoveTag(ctx, c, project, "env") }},
	{"Account", iam.ActionMeGet, func(ctx context.Context, g things, c iam.Caller) error { return errOf(g.Account(ctx, c, acme)) }},
	{"Project", iam.ActionProjectGet, func(ctx context.Context, g things, c iam.Caller) error { return errOf(g.Project(ctx, c, projectID)) }},
	{"Decision", iam.ActionDecisionGet, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.Decision(ctx, c, "req-seen"))
	}},
	{"Refusals", iam.ActionDecisionGet, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf2(g.Refusals(ctx, c, registry.RefusalFilter{}, registry.Page{}))
	}},
	{"Preview", iam.ActionDecisionGet, func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.Preview(ctx, c, g.sa.ID, func(sa iam.ServiceAccount) (audit.Decision, error) { return decisionAbout(sa, ""), nil }))
	}},
	{"Accounts", "", func(ctx context.Context, g things, c iam.Caller) error {
		return errOf2(g.Accounts(ctx, c, registry.Page{}))
	}},
	{"CreateAccount", "", func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.CreateAccount(ctx, c, iam.Account{ID: urn.Account{Partition: urn.EU, Name: "new-ovh"}}))
	}},
	{"SetAccountDisabled", "", func(ctx context.Context, g things, c iam.Caller) error {
		return g.SetAccountDisabled(ctx, c, acme, false)
	}},
	{"CreateProject", "", func(ctx context.Context, g things, c iam.Caller) error {
		return errOf(g.CreateProject(ctx, c, iam.Project{Name: "new", Owner: acme}))
	}},
	{"SetProjectDisabled", "", func(ctx context.Context, g things, c iam.Caller) error {
		return g.SetProjectDisabled(ctx, c, projectID, false)
	}},
	{"RecoverAdministrator", "", func(ctx context.Context, g things, c iam.Caller) error {
		_, _, _, err := g.RecoverAdministrator(ctx, c, acme, "admin")
		return err
	}},
	{"VerifyAudit", "", func(ctx context.Context, g things, c iam.Caller) error { return errOf(g.VerifyAudit(ctx, c)) }},
	{"AuditRecords", "", func(ctx context.Context, g things, c iam.Caller) error {
		return errOf2(g.AuditRecords(ctx, c, registry.Page{}))
	}},
}

func errOf[T any](_ T, err error) error          { return err }
func errOf2[T, U any](_ T, _ U, err error) error { return err }

// TestEveryMethodNeedsItsAction tries every method without any right, with every right but its own, and with just its own.
func TestEveryMethodNeedsItsAction(t *testing.T) {
	for _, m := range methods {
		t.Run(m.name, func(t *testing.T) {
			w := newWorld(t)
			g := newThings(w)
			nobody, _ := w.serviceAccount("nobody")
			nearly, _ := w.serviceAccount("nearly")
			just, _ := w.serviceAccount("just")
			w.except(nearly, m.action)
			if m.action != "" {
				w.allow(just, "just", m.action)
			}
			before := w.dump()
			for _, c := range []iam.Caller{callerOf(nobody), callerOf(nearly)} {
				err := m.call(t.Context(), g, c)
				wantKind(t, err, iam.Denied)
				e, _ := errors.AsType[*iam.Error](err)
				if m.action != "" && (len(e.Actions) != 1 || e.Actions[0] != m.action) {
					t.Errorf("%s: refused with actions %v, want %s", c.Identity, e.Actions, m.action)
				}
				w.wantRecord(string(c.Identity), m.action, audit.Denied)
			}
			wantKind(t, m.call(t.Context(), g, iam.Caller{}), iam.Unauthenticated)
			wantKind(t, m.call(t.Context(), g, iam.Caller{Account: acme}), iam.Unauthenticated)
			wantKind(t, m.call(t.Context(), g, iam.Caller{Identity: just.Identity(), Account: other}), iam.Unauthenticated)
			if w.dump() != before {
				t.Error("a refused call changed something")
			}
			if m.action == "" {
				return
			}
			err := m.call(t.Context(), g, callerOf(just))
			if kind := iam.KindOf(err); err != nil && kind != iam.Invalid && kind != iam.Conflict {
				t.Errorf("with its action: %v", err)
			}
		})
	}
}

// TestNothingOfAnotherAccountIsVisible tries every method as the administrator of another account.
func TestNothingOfAnotherAccountIsVisible(t *testing.T) {
	w := newWorld(t)
	g := newThings(w)
	sa, _, _, err := w.RecoverAdministrator(t.Context(), root, other, "admin")
	if err != nil {
		t.Fatal(err)
	}
	before := w.dump()
	for _, m := range methods {
		switch m.name {
		case "Refusals", "ServiceAccounts", "Policies", "PermissionsGroups", "ResourceGroups", "CreateServiceAccount", "CreatePolicy", "CreatePermissionsGroup", "CreateResourceGroup":
			continue // are about the caller's own
		}
		err := m.call(t.Context(), g, callerOf(sa))
		want := iam.NotFound
		if m.action == "" {
			want = iam.Denied
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %s", m.name, err, want)
		}
	}
	if w.dump() != before {
		t.Error("something changed")
	}
	list, _, err := w.ServiceAccounts(t.Context(), callerOf(sa), registry.ServiceAccountFilter{}, registry.Page{})
	if err != nil || len(list) != 1 || list[0].ID != sa.ID {
		t.Errorf("sees %v, %v", list, err)
	}
	policies, _, err := w.Policies(t.Context(), callerOf(sa), registry.PolicyFilter{}, registry.Page{})
	if err != nil || len(policies) != 1 {
		t.Errorf("sees %v, %v", policies, err)
	}
	_, err = w.CreatePolicy(t.Context(), callerOf(sa), iam.Policy{Name: "theirs", Resources: []urn.URN{project},
		Identities: []urn.URN{sa.Identity()}, Permissions: iam.Permissions{Allow: []iam.Action{supervisor}}})
	wantKind(t, err, iam.Invalid)
	_, err = w.CreatePolicy(t.Context(), callerOf(sa), iam.Policy{Owner: acme, Name: "theirs"})
	wantKind(t, err, iam.NotFound)
}

func TestACallerWhoIsDisabledOrGoneIsNobody(t *testing.T) {
	w := newWorld(t)
	sa, _ := w.serviceAccount("admin")
	w.allow(sa, "all", "*")
	get := func() error { return errOf(w.Account(t.Context(), callerOf(sa), acme)) }
	if err := get(); err != nil {
		t.Fatal(err)
	}
	steps := []struct{ do, undo func() error }{
		{func() error { return w.SetServiceAccountDisabled(t.Context(), root, sa.ID, true) },
			func() error { return w.SetServiceAccountDisabled(t.Context(), root, sa.ID, false) }},
		{func() error { return w.SetAccountDisabled(t.Context(), root, acme, true) },
			func() error { return w.SetAccountDisabled(t.Context(), root, acme, false) }},
		{func() error { return w.DeleteServiceAccount(t.Context(), root, sa.ID) }, func() error { return nil }},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
		wantKind(t, get(), iam.Unauthenticated)
		if err := s.undo(); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := w.CreateServiceAccount(t.Context(), root, iam.ServiceAccount{ID: sa.ID, Owner: acme, Name: "again"})
	wantKind(t, err, iam.Conflict)
}

func TestRefusalsAreRecordedUpToABound(t *testing.T) {
	w := newWorld(t)
	sa, _ := w.serviceAccount("noisy")
	for range 300 {
		wantKind(t, errOf(w.Account(t.Context(), callerOf(sa), acme)), iam.Denied)
	}
	n := 0
	for _, r := range w.records() {
		if r.Outcome == audit.Denied {
			n++
		}
	}
	if n != 200 {
		t.Errorf("%d records of 300 refusals", n)
	}
}

func TestNamesAreUniqueInAnAccount(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		g := newThings(w)
		ctx := t.Context()
		p := g.policy
		_, err := w.CreatePolicy(ctx, root, p)
		wantKind(t, err, iam.Conflict)
		_, err = w.CreatePermissionsGroup(ctx, root, g.group)
		wantKind(t, err, iam.Conflict)
		_, err = w.CreateResourceGroup(ctx, root, g.rgroup)
		wantKind(t, err, iam.Conflict)
		_, err = w.CreateProject(ctx, root, iam.Project{Owner: acme, Name: "prod"})
		wantKind(t, err, iam.Conflict)
		_, err = w.CreateProject(ctx, root, iam.Project{ID: projectID, Owner: other, Name: "prod"})
		wantKind(t, err, iam.Conflict)
		_, err = w.CreateProject(ctx, root, iam.Project{Owner: other, Name: "prod"})
		if err != nil {
			t.Error(err)
		}
		_, err = w.CreateAccount(ctx, root, iam.Account{ID: acme})
		wantKind(t, err, iam.Conflict)
	})
}

func TestAGroupThatAPolicyNamesStays(t *testing.T) {
	w := newWorld(t)
	g := newThings(w)
	p := g.policy
	p.PermissionsGroups, p.Resources = []urn.URN{g.group.URN}, []urn.URN{urn.ResourceGroup(urn.EU, g.rgroup.ID)}
	if _, err := w.ReplacePolicy(t.Context(), root, p.ID, p); err != nil {
		t.Fatal(err)
	}
	wantKind(t, w.DeletePermissionsGroup(t.Context(), root, g.group.URN), iam.Conflict)
	wantKind(t, w.DeleteResourceGroup(t.Context(), root, g.rgroup.ID), iam.Conflict)
	if w.roles(g.sa) == 0 {
		t.Fatal("the groups grant nothing")
	}
	g.rgroup.Resources = nil
	if _, err := w.ReplaceResourceGroup(t.Context(), root, g.rgroup.ID, g.rgroup); err != nil {
		t.Fatal(err)
	}
	if w.roles(g.sa) != 0 {
		t.Error("an emptied resource group still grants")
	}
}

func TestListsArePaged(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		sa, _ := w.serviceAccount("sa")
		for i := range 7 {
			w.allow(sa, fmt.Sprint("p", i), supervisor)
		}
		seen, cursor := map[string]bool{}, ""
		for pages := 1; ; pages++ {
			list, next, err := w.Policies(t.Context(), iam.Caller{Operator: "root", Account: acme}, registry.PolicyFilter{}, registry.Page{After: cursor, Limit: 3})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range list {
				if p.ID <= cursor || seen[p.ID] {
					t.Errorf("%s comes after %s", p.ID, cursor)
				}
				seen[p.ID] = true
			}
			if cursor = next; next == "" {
				if pages != 3 || len(seen) != 7 {
					t.Errorf("%d pages, %d policies", pages, len(seen))
				}
				return
			}
		}
	})
}

func TestResourcesAreWhatTheCallerCanSee(t *testing.T) {
	w := newWorld(t)
	g := newThings(w)
	nobody, _ := w.serviceAccount("nobody")
	list := func(sa iam.ServiceAccount, f registry.ResourceFilter) int {
		t.Helper()
		list, _, err := w.Resources(t.Context(), callerOf(sa), f, registry.Page{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	all := registry.ResourceFilter{}
	if n := list(nobody, all); n != 0 {
		t.Errorf("nobody sees %d resources", n)
	}
	if n := list(g.sa, all); n != 1 {
		t.Errorf("who has a right on a project sees %d resources", n)
	}
	tests := []struct {
		f    registry.ResourceFilter
		want int
	}{
		{registry.ResourceFilter{Types: []string{"account"}}, 0},
		{registry.ResourceFilter{Types: []string{"publicCloudProject"}}, 1},
		{registry.ResourceFilter{Names: []string{string(projectID)}}, 1},
		{registry.ResourceFilter{URNs: []urn.URN{"urn:v1:eu:resource:publicCloudProject:0f*"}}, 1},
		{registry.ResourceFilter{Tags: []registry.TagFilter{{"env", "", "prod"}}}, 1},
		{registry.ResourceFilter{Tags: []registry.TagFilter{{"env", "NEQ", "prod"}}}, 0},
		{registry.ResourceFilter{Tags: []registry.TagFilter{{"env", "EXISTS", ""}, {"x", "NEXISTS", ""}}}, 1},
		{registry.ResourceFilter{Tags: []registry.TagFilter{{"env", "LIKE", "p%o%"}}}, 1},
		{registry.ResourceFilter{Tags: []registry.TagFilter{{"env", "LIKE", "P%"}}}, 0},
		{registry.ResourceFilter{Tags: []registry.TagFilter{{"env", "ILIKE", "P%D"}}}, 1},
	}
	for _, tt := range tests {
		if n := list(g.sa, tt.f); n != tt.want {
			t.Errorf("%+v: %d, want %d", tt.f, n, tt.want)
		}
	}
	_, _, err := w.Resources(t.Context(), callerOf(nobody), registry.ResourceFilter{Tags: []registry.TagFilter{{"env", "SOUNDS", ""}}}, registry.Page{})
	wantKind(t, err, iam.Invalid)
	_, err = w.Resource(t.Context(), callerOf(nobody), project)
	wantKind(t, err, iam.NotFound)
}
