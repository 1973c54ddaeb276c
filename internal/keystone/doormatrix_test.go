package keystone_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

const objectstore = iam.Action("publicCloudProject:openstack:objectstoreOperator")

// A state is what was done to w.client's account, secret and policies. live says whether it can still log in, rights what it then
// has on w.project.
type state struct {
	name   string
	change func(w *world) error
	live   bool
	rights []iam.Action
}

func states() []state {
	one := []iam.Action{supervisor}
	list := []state{
		{"as made", func(*world) error { return nil }, true, one},
		{"a second right", func(w *world) error { w.grant(w.client, objectstore, w.project); return nil }, true, []iam.Action{supervisor, objectstore}},
		{"a right elsewhere only", func(w *world) error {
			w.grant(w.client, objectstore, w.unused)
			return w.registry.DeletePolicy(w.t.Context(), operator(ownAccount), w.policy)
		}, true, nil},
		{"the right is denied", func(w *world) error {
			return w.addPolicy(iam.Policy{Name: "no", Permissions: iam.Permissions{Deny: one}})
		}, true, nil},
		{"another right that has expired", func(w *world) error {
			err := w.addPolicy(iam.Policy{Name: "was", Permissions: iam.Permissions{Allow: []iam.Action{objectstore}}, ExpiredAt: w.clock().Add(time.Second)})
			w.advance(time.Second)
			return err
		}, true, one},
		{"a right for another address", func(w *world) error {
			w.from = "198.51.100.8"
			return w.addPolicy(iam.Policy{Name: "home", Permissions: iam.Permissions{Allow: []iam.Action{objectstore}},
				Condition: &iam.Condition{Operator: iam.Match, Values: map[string]string{"request.IP": "198.51.100.7"}}})
		}, true, one},
		{"a second secret", func(w *world) error {
			_, _, err := w.registry.AddSecret(w.t.Context(), operator(ownAccount), w.client.id, "", time.Time{})
			return err
		}, true, one},
		{"the secret is about to end", func(w *world) error { return w.rotate(time.Minute) }, true, one},
		{"the secret has ended", func(w *world) error { err := w.rotate(time.Minute); w.advance(time.Minute); return err }, false, nil},
		{"disabled and enabled", func(w *world) error {
			if err := w.registry.SetServiceAccountDisabled(w.t.Context(), operator(ownAccount), w.client.id, true); err != nil {
				return err
			}
			return w.registry.SetServiceAccountDisabled(w.t.Context(), operator(ownAccount), w.client.id, false)
		}, true, one},
	}
	for name, r := range removals() {
		if !strings.HasPrefix(name, "the token") {
			list = append(list, state{name, func(w *world) error { return r.remove(w, "") }, !r.credential, nil})
		}
	}
	return list
}

func (w *world) rotate(overlap time.Duration) error {
	_, _, err := w.registry.RotateSecrets(w.t.Context(), operator(ownAccount), w.client.id, "new", overlap)
	return err
}

// addPolicy makes a policy of w.client on w.project.
func (w *world) addPolicy(p iam.Policy) error {
	p.Owner, p.Identities, p.Resources = ownAccount, []urn.URN{w.client.identity()}, []urn.URN{urn.Project(urn.EU, string(w.project))}
	_, err := w.registry.CreatePolicy(w.t.Context(), operator(ownAccount), p)
	return err
}

// roleNames are the roles that rights bring, in the table's order, from the table itself.
func roleNames(rights []iam.Action) (names []string) {
	for _, row := range iam.Rights() {
		if slices.Contains(rights, row.Action) {
			for role := range row.Roles.All() {
				names = append(names, role.String())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (a *answer) roles() (names []string) {
	for _, r := range a.tok("roles").([]any) {
		names = append(names, r.(map[string]any)["name"].(string))
	}
	slices.Sort(names)
	return names
}

// TestEveryDoor is the whole matrix: door × state of account, secret and policy × scope. Roles are exactly the policy's, expiry never
// grows, and whoever is out is out everywhere.
func TestEveryDoor(t *testing.T) {
	for _, st := range states() {
		t.Run(st.name, func(t *testing.T) {
			w := newWorld(t)
			before := map[string]string{}
			for _, d := range doors() {
				before[d.name] = d.open(w, w.client, projectScope(w.project)).token()
			}
			must(t, st.change(w))
			for _, d := range doors() {
				t.Run(d.name, func(t *testing.T) {
					w.t = t
					w.checkScopes(st, d)
					w.checkOld(st, before[d.name])
				})
			}
		})
	}
}

// checkScopes goes through a door with every scope.
func (w *world) checkScopes(st state, d door) {
	t := w.t
	t.Helper()
	for scope, right := range map[string]bool{
		"": false, `"unscoped"`: false, `{"unscoped":{}}`: false,
		projectScope(w.project): len(st.rights) > 0, `{"project":{"name":"proj","domain":{"id":"default"}}}`: len(st.rights) > 0,
		projectScope(w.unused): st.name == "a right elsewhere only", projectScope(w.foreign): false, projectScope("0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"): false,
		`{"domain":{"id":"default"}}`: false, `{"system":{"all":true}}`: false, `{"OS-TRUST:trust":{"id":"0f"}}`: false,
	} {
		if d.fixed && !strings.HasPrefix(scope, `{"project":{"id"`) {
			continue // it names a project, always
		}
		a := d.open(w, w.client, scope)
		if unscoped := scope == "" || strings.Contains(scope, "unscoped"); st.live && (right || unscoped) {
			w.checkToken(a, st, d, scope)
		} else if want := 401; a.status != want || a.token() != "" || (!d.bearer || st.live) && a.message() != generic401 {
			t.Errorf("scope %s: %d %q, want %d", scope, a.status, a.message(), want)
		}
	}
}

// checkToken holds a token that was given against what it should be.
func (w *world) checkToken(a *answer, st state, d door, scope string) {
	t := w.t
	t.Helper()
	if a.status != 201 || len(a.token()) > 255 {
		t.Errorf("scope %s: %d %s, token %q", scope, a.status, a.text, a.token())
		return
	}
	methods := d.methods
	if d.bearer && scope != "" {
		methods = "token " + methods
	}
	if got := fmt.Sprint(a.tok("methods")); got != "["+methods+"]" {
		t.Errorf("scope %s: methods %s, want %s", scope, got, methods)
	}
	if got := expiry(t, a); !got.Equal(w.clock().Add(time.Hour)) {
		t.Errorf("scope %s: expires %v at %v", scope, got, w.clock())
	}
	if !strings.Contains(scope, `"project"`) {
		if a.tok("project") != nil || a.tok("roles") != nil || a.tok("catalog") != nil {
			t.Errorf("scope %s: %s", scope, a.text)
		}
		return
	}
	want := st.rights
	if strings.Contains(scope, string(w.unused)) {
		want = []iam.Action{objectstore}
	}
	if got := a.roles(); !slices.Equal(got, roleNames(want)) {
		t.Errorf("scope %s: roles %v, want %v", scope, got, roleNames(want))
	}
	if seen := w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", a.token(), "X-Subject-Token", a.token()); seen.status != 200 || seen.text != a.text {
		t.Errorf("scope %s: looks different when validated: %d %s\n%s", scope, seen.status, seen.text, a.text)
	}
}

// checkOld uses a token for w.project that was got before.
func (w *world) checkOld(st state, token string) {
	w.t.Helper()
	a := w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", token, "X-Subject-Token", token)
	switch {
	case !st.live:
		a.want(w.t, 401, generic401)
		w.get("/v3/auth/projects", token).want(w.t, 401, generic401)
		w.rescope(token, projectScope(w.project)).want(w.t, 404, "Failed to validate token")
	case len(st.rights) == 0:
		a.want(w.t, 404, "Failed to validate token")
		w.get("/v3/auth/catalog", token).want(w.t, 401, generic401)
	default:
		if a.status != 200 || !slices.Equal(a.roles(), roleNames(st.rights)) {
			w.t.Errorf("the token from before: %d %s, want roles %v", a.status, a.text, roleNames(st.rights))
		}
	}
}
