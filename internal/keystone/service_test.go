package keystone_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/urn"
)

// A service is a service account that the operator made one of OpenStack's services, on a project of its own.
type service struct {
	user
	project iam.ProjectID
}

func (w *world) newService() service {
	w.t.Helper()
	owner := urn.Account{Partition: urn.EU, Name: "services"}
	_, err := w.registry.CreateAccount(w.t.Context(), operator(owner), iam.Account{ID: owner})
	must(w.t, err)
	project := w.newProject(owner, "service")
	made, secret, err := w.registry.CreateServiceAccount(w.t.Context(), operator(owner), iam.ServiceAccount{Owner: owner, Name: "swift", ServiceProject: project})
	must(w.t, err)
	login, err := w.registry.Authenticate(w.t.Context(), made.ID, secret, registry.Use{})
	must(w.t, err)
	return service{user{made.ID, login.SecretID, owner, secret}, project}
}

// on logs in on a project as keystonemiddleware does.
func (w *world) on(p iam.ProjectID, u user) *answer {
	w.t.Helper()
	return w.password(u, "", projectScope(p))
}

func (w *world) look(method, auth, subject, query string) *answer {
	w.t.Helper()
	return w.do(method, "/v3/auth/tokens"+query, "", "X-Auth-Token", auth, "X-Subject-Token", subject)
}

func TestAServiceValidatesEverybodysTokens(t *testing.T) {
	w := newWorld(t)
	s := w.newService()
	login := w.on(s.project, s.user)
	login.want(t, 201, "")
	if got := login.roles(); !slices.Equal(got, []string{"service"}) {
		t.Fatalf("its own roles: %v", got)
	}
	token, tenant, foreign := login.token(), w.scoped(), w.login(w.stranger)

	a := w.look("GET", token, tenant, "")
	a.want(t, 200, "")
	if slices.Contains(a.roles(), "service") || len(a.roles()) == 0 || a.tok("catalog") == nil || a.header.Get("X-Subject-Token") != tenant {
		t.Error(a.text)
	}
	a = w.look("GET", token, tenant, "?nocatalog")
	if a.want(t, 200, ""); a.tok("catalog") != nil {
		t.Error("nocatalog:", a.text)
	}
	for _, c := range []struct {
		name, method, auth, subject string
		status                      int
		message                     string
	}{
		{"another account's", "GET", token, foreign, 200, ""},
		{"its own", "GET", token, token, 200, ""},
		{"its own, by HEAD", "HEAD", token, token, 200, ""},
		{"somebody's, by HEAD", "HEAD", token, tenant, 403, "identity:check_token."},
		{"ending somebody's", "DELETE", token, tenant, 403, "identity:revoke_token."},
		{"a subject of nobody", "GET", token, "gAAAAAbogus", 404, "Could not recognize Fernet token"},
		{"a tenant looks at the service's", "GET", tenant, token, 403, "identity:validate_token."},
		{"without a project it is no service", "GET", w.do("POST", "/v3/auth/tokens", rescopeBody(token, `"unscoped"`)).token(), tenant, 403, "identity:validate_token."},
	} {
		t.Run(c.name, func(t *testing.T) { w.look(c.method, c.auth, c.subject, "").want(t, c.status, c.message) })
	}
}

// TestServiceIsNoRoleOfAPolicy: nothing that a tenant can write or ask for makes somebody a service (threats K10, K11).
func TestServiceIsNoRoleOfAPolicy(t *testing.T) {
	w := newWorld(t)
	s := w.newService()
	tenant := w.scoped()
	w.grant(w.client, "*", w.project)
	if got := w.look("GET", tenant, tenant, "").roles(); slices.Contains(got, "service") {
		t.Errorf("granted by *: %v", got)
	}
	other := w.newUser(s.owner)
	w.grant(other, "*", s.project)
	a := w.on(s.project, other)
	if a.want(t, 201, ""); slices.Contains(a.roles(), "service") {
		t.Error("granted by * on the services' project:", a.text)
	}
	w.look("GET", a.token(), tenant, "").want(t, 403, "identity:validate_token.")

	second := w.newProject(s.owner, "second")
	w.grant(s.user, supervisor, second)
	a = w.on(second, s.user)
	if a.want(t, 201, ""); slices.Contains(a.roles(), "service") {
		t.Error("on another project:", a.text)
	}
	w.look("GET", a.token(), tenant, "").want(t, 403, "identity:validate_token.")

	w.grant(s.user, supervisor, s.project)
	a = w.credential(string(s.id)+"@"+string(s.project), s.value)
	if a.want(t, 201, ""); slices.Contains(a.roles(), "service") {
		t.Error("with an application credential:", a.text)
	}
	w.look("GET", a.token(), tenant, "").want(t, 403, "identity:validate_token.")
}

// TestAServiceIsNotHandledByItsAccount: whoever could give it a secret could read everybody's tokens.
func TestAServiceIsNotHandledByItsAccount(t *testing.T) {
	w := newWorld(t)
	s := w.newService()
	ctx, root := t.Context(), iam.Caller{Identity: urn.AccountIdentity(s.owner), Account: s.owner}
	_, _, create := w.registry.CreateServiceAccount(ctx, root, iam.ServiceAccount{Owner: s.owner, Name: "nova", ServiceProject: s.project})
	_, _, add := w.registry.AddSecret(ctx, root, s.id, "", time.Time{})
	_, _, rotate := w.registry.RotateSecrets(ctx, root, s.id, "", 0)
	_, update := w.registry.UpdateServiceAccount(ctx, root, s.id, func(*iam.ServiceAccount) error { return nil })
	_, _, list := w.registry.Services(ctx, root, registry.Page{})
	for name, err := range map[string]error{"create": create, "add a secret": add, "rotate": rotate, "update": update, "list": list,
		"disable": w.registry.SetServiceAccountDisabled(ctx, root, s.id, true), "delete": w.registry.DeleteServiceAccount(ctx, root, s.id)} {
		if iam.KindOf(err) != iam.Denied {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, _, err := w.registry.CreateServiceAccount(ctx, operator(s.owner), iam.ServiceAccount{Owner: s.owner, Name: "x", ServiceProject: w.project})
	if iam.KindOf(err) != iam.NotFound {
		t.Errorf("on another account's project: %v", err)
	}
	made, err := w.registry.UpdateServiceAccount(ctx, operator(s.owner), s.id, func(sa *iam.ServiceAccount) error { sa.ServiceProject = ""; return nil })
	if err != nil || made.ServiceProject != s.project {
		t.Errorf("changed by an update: %+v %v", made, err)
	}
}

// TestAServicesOwnEnd: a service that is disabled, or whose project is, validates nothing from then on.
func TestAServicesOwnEnd(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(w *world, s service) error
		status int
	}{
		"disabled": {func(w *world, s service) error {
			return w.registry.SetServiceAccountDisabled(w.t.Context(), operator(s.owner), s.id, true)
		}, 401},
		"its account disabled": {func(w *world, s service) error {
			return w.registry.SetAccountDisabled(w.t.Context(), operator(s.owner), s.owner, true)
		}, 401},
		"its secret deleted": {func(w *world, s service) error {
			return w.registry.DeleteSecret(w.t.Context(), operator(s.owner), s.id, s.secret)
		}, 401},
		"its project disabled": {func(w *world, s service) error {
			return w.registry.SetProjectDisabled(w.t.Context(), operator(s.owner), s.project, true)
		}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.newService()
			token, tenant := w.on(s.project, s.user).token(), w.scoped()
			w.look("GET", token, tenant, "").want(t, 200, "")
			must(t, c.end(w, s))
			w.look("GET", token, tenant, "").want(t, c.status, "")
			w.on(s.project, s.user).want(t, 401, "")
		})
	}
}

// TestAServiceMayAllowExpired: an expired token is still somebody's for 48 hours, if it would stand but for its age (Keystone's long operations).
func TestAServiceMayAllowExpired(t *testing.T) {
	w := newWorld(t)
	s := w.newService()
	tenant := w.scoped()
	validate := func(query string) *answer { // the service logs in anew, as its own token must stand
		return w.look("GET", w.on(s.project, s.user).token(), tenant, query)
	}
	w.advance(time.Hour)
	validate("").want(t, 404, "Failed to validate token")
	validate("?allow_expired=0").want(t, 404, "Failed to validate token")
	a := validate("?allow_expired=1&nocatalog")
	if a.want(t, 200, ""); len(a.roles()) == 0 {
		t.Error(a.text)
	}
	w.advance(48*time.Hour - time.Second)
	validate("?allow_expired=1").want(t, 200, "")
	w.advance(time.Second)
	validate("?allow_expired=1").want(t, 404, "Failed to validate token")
}

func TestAllowExpiredStillChecksTheRest(t *testing.T) {
	for name, end := range map[string]func(w *world, token string) error{
		"service account disabled": func(w *world, _ string) error {
			return w.registry.SetServiceAccountDisabled(w.t.Context(), operator(ownAccount), w.client.id, true)
		},
		"account disabled": func(w *world, _ string) error {
			return w.registry.SetAccountDisabled(w.t.Context(), operator(ownAccount), ownAccount, true)
		},
		"secret deleted": func(w *world, _ string) error {
			return w.registry.DeleteSecret(w.t.Context(), operator(ownAccount), w.client.id, w.client.secret)
		},
		"service account deleted": func(w *world, _ string) error {
			return w.registry.DeleteServiceAccount(w.t.Context(), operator(ownAccount), w.client.id)
		},
		"policy deleted": func(w *world, _ string) error {
			return w.registry.DeletePolicy(w.t.Context(), operator(ownAccount), w.policy)
		},
		"project disabled": func(w *world, _ string) error {
			return w.registry.SetProjectDisabled(w.t.Context(), operator(ownAccount), w.project, true)
		},
		"token revoked": func(w *world, token string) error {
			w.look("DELETE", token, token, "").want(w.t, 204, "")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.newService()
			tenant := w.scoped()
			must(t, end(w, tenant))
			w.advance(2 * time.Hour)
			w.look("GET", w.on(s.project, s.user).token(), tenant, "?allow_expired=1").want(t, 404, "Failed to validate token")
		})
	}
}

// TestAServiceSaysNothingOfAddresses: from where the owner of a token comes is not from where the service asks.
func TestAServiceSaysNothingOfAddresses(t *testing.T) {
	w := newWorld(t)
	s := w.newService()
	u := w.newUser(ownAccount)
	_, err := w.registry.CreatePolicy(t.Context(), operator(ownAccount), iam.Policy{
		Owner: ownAccount, Name: "office", Identities: []urn.URN{u.identity()}, Resources: []urn.URN{urn.Project("eu", string(w.project))},
		Permissions: iam.Permissions{Allow: []iam.Action{supervisor}},
		Condition:   &iam.Condition{Operator: iam.Match, Values: map[string]string{"request.IP": "192.0.2.7"}},
	})
	must(t, err)
	w.from = netip.MustParseAddr("192.0.2.7").String()
	a := w.on(w.project, u)
	a.want(t, 201, "")
	w.look("GET", a.token(), a.token(), "").want(t, 200, "")
	w.look("GET", w.on(s.project, s.user).token(), a.token(), "").want(t, 404, "Failed to validate token")
}
