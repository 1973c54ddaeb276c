package keystone_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
)

// removals are all the ways in which what a token stands on can go.
func removals() map[string]struct {
	credential bool // the token itself is gone, not only the right
	remove     func(w *world, token string) error
} {
	type removal = struct {
		credential bool
		remove     func(w *world, token string) error
	}
	return map[string]removal{
		"the account is disabled": {true, func(w *world, _ string) error {
			return w.registry.SetAccountDisabled(w.t.Context(), operator(ownAccount), ownAccount, true)
		}},
		"the service account is disabled": {true, func(w *world, _ string) error {
			return w.registry.SetServiceAccountDisabled(w.t.Context(), operator(ownAccount), w.client.id, true)
		}},
		"the service account is deleted": {true, func(w *world, _ string) error {
			return w.registry.DeleteServiceAccount(w.t.Context(), operator(ownAccount), w.client.id)
		}},
		"the secret is deleted": {true, func(w *world, _ string) error {
			if _, _, err := w.registry.AddSecret(w.t.Context(), operator(ownAccount), w.client.id, "another", time.Time{}); err != nil {
				return err
			}
			return w.registry.DeleteSecret(w.t.Context(), operator(ownAccount), w.client.id, w.client.secret)
		}},
		"the secrets are rotated": {true, func(w *world, _ string) error {
			_, _, err := w.registry.RotateSecrets(w.t.Context(), operator(ownAccount), w.client.id, "new", 0)
			return err
		}},
		"the token is revoked": {true, func(w *world, token string) error {
			w.do("DELETE", "/v3/auth/tokens", "", "X-Auth-Token", token, "X-Subject-Token", token).want(w.t, 204, "")
			return nil
		}},
		"the token has expired": {true, func(w *world, _ string) error { w.advance(time.Hour); return nil }},
		"the project is disabled": {false, func(w *world, _ string) error {
			return w.registry.SetProjectDisabled(w.t.Context(), operator(ownAccount), w.project, true)
		}},
		"the policy is deleted": {false, func(w *world, _ string) error {
			return w.registry.DeletePolicy(w.t.Context(), operator(ownAccount), w.policy)
		}},
	}
}

// K15: every kind of removal ends every shape of token, at once: 401 for a credential that is gone, and for a right that is gone 401
// when scoping and 404 when validating.
func TestK15_EveryRemovalEndsEveryToken(t *testing.T) {
	for name, c := range removals() {
		for _, shape := range []string{"unscoped", "scoped"} {
			t.Run(name+", "+shape, func(t *testing.T) {
				w := newWorld(t)
				token := w.login(w.client)
				if shape == "scoped" {
					token = w.scoped()
				}
				w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", token, "X-Subject-Token", token).want(t, 200, "")
				must(t, c.remove(w, token))
				if c.credential {
					credentialGone(t, w, token)
				} else {
					rightGone(t, w, token, shape == "scoped")
				}
			})
		}
	}
}

func credentialGone(t *testing.T, w *world, token string) {
	t.Helper()
	for _, target := range []string{"/v3/auth/projects", "/v3/auth/catalog", "/v3/auth/domains", "/v3/projects/" + string(w.project), "/v3/regions", "/v3/roles"} {
		w.get(target, token).want(t, 401, generic401)
	}
	w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", token, "X-Subject-Token", token).want(t, 401, generic401)
	w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", w.login(w.stranger), "X-Subject-Token", token).want(t, 404, "Failed to validate token")
	w.rescope(token, projectScope(w.project)).want(t, 404, "Failed to validate token")
	w.rescope(token, "").want(t, 404, "Failed to validate token")
}

func rightGone(t *testing.T, w *world, token string, scoped bool) {
	t.Helper()
	validated, catalog := 200, 403
	if scoped {
		validated, catalog = 404, 401
	}
	w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", token, "X-Subject-Token", token).want(t, validated, "")
	w.get("/v3/auth/catalog", token).want(t, catalog, "")
	w.rescope(token, projectScope(w.project)).want(t, 401, generic401)
	w.rescope(token, `{"project":{"name":"proj","domain":{"id":"default"}}}`).want(t, 401, generic401)
	w.get("/v3/projects/"+string(w.project), token).want(t, 403, "identity:get_project")
	if a := w.get("/v3/auth/projects", token); a.status != 200 || len(a.body["projects"].([]any)) != 0 {
		t.Errorf("projects: %d %s", a.status, a.text)
	}
}

func TestFederatedLoginAsksWhoIsThereNow(t *testing.T) {
	for name, c := range removals() {
		if !c.credential || strings.Contains(name, "the token") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			jwt := w.idToken(w.client)
			must(t, c.remove(w, ""))
			w.bearer(jwt).want(t, 401, "service account or secret is gone or disabled")
		})
	}
}

func TestRolesAreThoseOfTheMoment(t *testing.T) {
	w := newWorld(t)
	token := w.scoped()
	w.grant(w.client, "publicCloudProject:openstack:objectstoreOperator", w.project)
	a := w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", token, "X-Subject-Token", token)
	if !strings.Contains(a.text, `"objectstore_all"`) {
		t.Error("a new right is not in the token")
	}
	must(t, w.registry.DeletePolicy(t.Context(), operator(ownAccount), w.policy))
	a = w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", token, "X-Subject-Token", token)
	if strings.Contains(a.text, `"compute_read"`) || a.status != 200 {
		t.Errorf("a right that is gone is still in the token: %d", a.status)
	}
}

func TestRevokingLeavesOtherTokensAlone(t *testing.T) {
	w := newWorld(t)
	parent := w.login(w.client)
	child := w.rescope(parent, projectScope(w.project)).token()
	w.do("DELETE", "/v3/auth/tokens", "", "X-Auth-Token", child, "X-Subject-Token", parent).want(t, 204, "")
	w.get("/v3/auth/projects", parent).want(t, 401, generic401)
	w.get("/v3/auth/projects", child).want(t, 200, "")
	w.do("DELETE", "/v3/auth/tokens", "", "X-Auth-Token", child, "X-Subject-Token", parent).want(t, 404, "Failed to validate token")
}

func TestAllowExpired(t *testing.T) {
	w := newWorld(t)
	old := w.scoped()
	w.advance(time.Hour)
	for _, c := range []struct {
		name, query string
		later       time.Duration
		status      int
	}{
		{"not asked", "", 0, 404},
		{"asked", "?allow_expired=1", 0, 200},
		{"asked with a word", "?nocatalog&allow_expired=True", 0, 200},
		{"asked not to", "?allow_expired=0", 0, 404},
		{"within the window", "?allow_expired=1", 48*time.Hour - time.Second, 200},
		{"after the window", "?allow_expired=1", time.Second, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.advance(c.later)
			w.do("GET", "/v3/auth/tokens"+c.query, "", "X-Auth-Token", w.login(w.client), "X-Subject-Token", old).want(t, c.status, "")
		})
	}
}

func TestTokenLife(t *testing.T) {
	for name, c := range map[string]struct{ set, want time.Duration }{
		"the server's":                 {0, time.Hour},
		"the service account's":        {8 * time.Hour, 8 * time.Hour},
		"the longest":                  {24 * time.Hour, 24 * time.Hour},
		"the shortest that clients do": {10 * time.Minute, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.registry.UpdateServiceAccount(t.Context(), operator(ownAccount), w.client.id, func(s *iam.ServiceAccount) error {
				s.TokenLife = c.set
				return nil
			})
			must(t, err)
			a := w.bearer(w.idToken(w.client))
			if got := expiry(t, a).Sub(w.clock()); got != c.want {
				t.Errorf("lives %v, want %v", got, c.want)
			}
		})
	}
}

func TestADisabledProvider(t *testing.T) {
	w := newWorld(t)
	unscoped, scoped := w.login(w.client), w.scoped()
	w.config.Providers[0].Disabled = true
	w.serve()
	w.bearer(w.idToken(w.client)).want(t, 403, "You are not authorized to perform the requested action.")
	w.rescope(unscoped, projectScope(w.project)).want(t, 403, "You are not authorized to perform the requested action.")
	w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", scoped, "X-Subject-Token", scoped).want(t, 200, "")
}

// A right that holds from some addresses only is asked for with the address of whoever presents the token.
func TestRightsDependOnTheAddress(t *testing.T) {
	w := newWorld(t)
	guest := w.newUser(ownAccount)
	_, err := w.registry.CreatePolicy(t.Context(), operator(ownAccount), iam.Policy{
		Owner: ownAccount, Name: "from-home", Identities: []urn.URN{guest.identity()}, Resources: []urn.URN{urn.Project(urn.EU, string(w.project))},
		Permissions: iam.Permissions{Allow: []iam.Action{supervisor}},
		Condition:   &iam.Condition{Operator: iam.Match, Values: map[string]string{"request.IP": "198.51.100.7"}},
	})
	must(t, err)
	w.from = "198.51.100.7"
	unscoped := w.login(guest)
	scoped := w.rescope(unscoped, projectScope(w.project))
	scoped.want(t, 201, "")
	for from, want := range map[string]struct{ scope, name, validate, show int }{
		"198.51.100.7": {201, 201, 200, 200}, "198.51.100.8": {401, 401, 404, 403}, "[2001:db8::1]": {401, 401, 404, 403}, "unknown": {401, 401, 404, 403},
	} {
		w.from = from
		w.rescope(unscoped, projectScope(w.project)).want(t, want.scope, "")
		w.rescope(unscoped, `{"project":{"name":"proj","domain":{"id":"default"}}}`).want(t, want.name, "")
		w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", unscoped, "X-Subject-Token", scoped.token()).want(t, want.validate, "")
		w.get("/v3/projects/"+string(w.project), unscoped).want(t, want.show, "")
		if n := len(w.get("/v3/auth/projects", unscoped).body["projects"].([]any)); (n == 1) != (want.show == 200) {
			t.Errorf("from %s: %d projects", from, n)
		}
	}
}
