package keystone_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/keystone"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
	"github.com/stackgate/stackgate/internal/web"
)

const (
	base     = "http://identity.example:8080"
	issuer   = base + "/role-adapter/urn:v1:eu:resource:publicCloudProject:pci"
	issuerCA = base + "/role-adapter/urn:v1:ca:resource:publicCloudProject:pci"
	audience = base + "/v3"
	loginURL = "/v3/OS-FEDERATION/identity_providers/ovhcloud-emea/protocols/openid/auth"

	supervisor = iam.Action("publicCloudProject:openstack:infrastructureSupervisor")
)

var (
	ownAccount   = urn.Account{Partition: urn.EU, Name: "xx11111-ovh"}
	otherAccount = urn.Account{Partition: urn.EU, Name: "yy22222-ovh"}
	caAccount    = urn.Account{Partition: urn.CA, Name: "xx11111-ovh"}
)

// A world is a registry over SQLite with an account, a service account with one right on one project, strangers, and an Identity
// server over it.
type world struct {
	t        testing.TB
	now      atomic.Pointer[time.Time]
	ring     *keys.Ring
	registry *registry.Registry
	handler  http.Handler
	config   keystone.Config

	client, stranger, canadian user
	project, unused, foreign   iam.ProjectID // a role on it; ours, without a role; another account's
	policy                     string
	from                       string // address of the next requests, "" for httptest's
}

// A user is a service account with its first secret.
type user struct {
	id     iam.ClientID
	secret string // its id
	owner  urn.Account
	value  string // of the secret
}

func (u user) identity() urn.URN { return urn.ServiceAccount(u.owner, string(u.id)) }

func (w *world) clock() time.Time        { return *w.now.Load() }
func (w *world) advance(d time.Duration) { n := w.clock().Add(d); w.now.Store(&n) }

func operator(a urn.Account) iam.Caller { return iam.Caller{Operator: "test", Account: a} }

func newRing(t testing.TB, st *store.Store, now func() time.Time) *keys.Ring {
	t.Helper()
	master, err := keys.ParseMaster(keys.NewMaster())
	must(t, err)
	ring, err := keys.New(t.Context(), keys.Config{Master: master, Load: st.LoadKeys, Insert: st.InsertKey, Save: st.SaveKeys, Now: now})
	must(t, err)
	return ring
}

func newStore(t testing.TB, now func() time.Time) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "db"), Now: now})
	must(t, err)
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t}
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	w.now.Store(&start)
	st := newStore(t, w.clock)
	w.ring = newRing(t, st, w.clock)
	var err error
	w.registry, err = registry.New(t.Context(), registry.Config{
		Store: st, Ring: w.ring, MaxStaleness: 1000 * time.Hour, Now: w.clock, Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	w.populate()
	w.config = keystone.Config{
		Registry: w.registry, Ring: w.ring, PublicURL: base, Audience: audience, Now: w.clock, Catalog: testCatalog(),
		Providers: []keystone.Provider{
			{Name: "ovhcloud-emea", Partition: urn.EU, Issuer: issuer}, {Name: "ovhcloud-world", Partition: urn.CA, Issuer: issuerCA},
		},
	}
	w.serve()
	return w
}

// serve makes the server anew from the world's configuration.
func (w *world) serve() {
	w.t.Helper()
	s, err := keystone.New(w.config)
	must(w.t, err)
	w.handler = web.New(web.Config{Logger: slog.New(slog.DiscardHandler), Now: w.clock}).Wrap(s)
}

func testCatalog() []keystone.Service {
	identity := keystone.Service{Type: "identity", Name: "keystone"}
	for _, face := range []string{"public", "internal", "admin"} {
		identity.Endpoints = append(identity.Endpoints, keystone.Endpoint{Region: "GRA1", Interface: face, URL: base + "/v3"})
	}
	return []keystone.Service{
		identity,
		{Type: "compute", Name: "nova", Endpoints: []keystone.Endpoint{{"GRA1", "public", base + "/GRA1/compute/v2.1"}, {"BHS1", "public", base + "/BHS1/compute/v2.1"}}},
		{Type: "volumev3", Name: "cinderv3", Endpoints: []keystone.Endpoint{{"GRA1", "public", base + "/GRA1/volume/v3/%(tenant_id)s"}}},
		{Type: "object-store", Name: "swift", Endpoints: []keystone.Endpoint{{"GRA1", "public", base + "/GRA1/object-store/v1/AUTH_$(project_id)s"}}},
	}
}

func (w *world) populate() {
	w.t.Helper()
	ctx := w.t.Context()
	for _, a := range []urn.Account{ownAccount, otherAccount, caAccount} {
		_, err := w.registry.CreateAccount(ctx, operator(a), iam.Account{ID: a})
		must(w.t, err)
	}
	w.project, w.unused, w.foreign = w.newProject(ownAccount, "proj"), w.newProject(ownAccount, "unused"), w.newProject(otherAccount, "proj")
	w.client, w.stranger, w.canadian = w.newUser(ownAccount), w.newUser(otherAccount), w.newUser(caAccount)
	w.policy = w.grant(w.client, supervisor, w.project)
	w.grant(w.stranger, supervisor, w.foreign)
}

func (w *world) newProject(owner urn.Account, name string) iam.ProjectID {
	w.t.Helper()
	p, err := w.registry.CreateProject(w.t.Context(), operator(owner), iam.Project{Owner: owner, Name: name})
	must(w.t, err)
	return p.ID
}

func (w *world) newUser(owner urn.Account) user {
	w.t.Helper()
	made, secret, err := w.registry.CreateServiceAccount(w.t.Context(), operator(owner), iam.ServiceAccount{Owner: owner, Name: "demo", Description: "a test"})
	must(w.t, err)
	login, err := w.registry.Authenticate(w.t.Context(), made.ID, secret, registry.Use{})
	must(w.t, err)
	return user{made.ID, login.SecretID, owner, secret}
}

func (w *world) grant(u user, right iam.Action, p iam.ProjectID) string {
	w.t.Helper()
	made, err := w.registry.CreatePolicy(w.t.Context(), operator(u.owner), iam.Policy{
		Owner: u.owner, Name: "p-" + string(right) + "-" + string(p), Identities: []urn.URN{u.identity()},
		Resources: []urn.URN{urn.Project(u.owner.Partition, string(p))}, Permissions: iam.Permissions{Allow: []iam.Action{right}},
	})
	must(w.t, err)
	return made.ID
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// An answer is a response, read.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (a *answer) token() string { return a.header.Get("X-Subject-Token") }

// message is error.message, or the text of what is no JSON.
func (a *answer) message() string {
	if e, ok := a.body["error"].(map[string]any); ok {
		return e["message"].(string)
	}
	return a.text
}

// tok is the member of the token object.
func (a *answer) tok(name string) any { return a.body["token"].(map[string]any)[name] }

func (w *world) do(method, target, body string, headers ...string) *answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), method, "http://h", strings.NewReader(body))
	setTarget(w.t, r, target)
	if w.from != "" {
		r.RemoteAddr = w.from + ":4711"
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	res := rec.Result()
	b, err := io.ReadAll(res.Body)
	must(w.t, err)
	a := &answer{status: res.StatusCode, header: res.Header, text: string(b)}
	if bytes.HasPrefix(b, []byte("{")) {
		must(w.t, json.Unmarshal(b, &a.body))
	}
	if a.status >= 500 {
		w.t.Fatalf("%s %s: %d %s", method, target, a.status, b)
	}
	return a
}

// setTarget gives a request the raw target that it would have had on the wire.
func setTarget(t testing.TB, r *http.Request, target string) {
	t.Helper()
	made, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")))
	must(t, err)
	r.URL, r.RequestURI = made.URL, made.RequestURI
}

func (w *world) get(target, token string) *answer {
	w.t.Helper()
	return w.do("GET", target, "", "X-Auth-Token", token)
}

// claims are those of a good id_token, to be spoilt by a test. A nil value leaves a claim out.
func (w *world) claims(u user, change map[string]any) map[string]any {
	now := w.clock().Unix()
	c := map[string]any{
		"iss": issuer, "sub": string(u.identity()), "aud": []string{string(u.id), audience}, "azp": string(u.id), "exp": now + 600, "iat": now,
		"nbf": now, "jti": "1", "secret_id": u.secret, "groups": []string{},
	}
	if u.owner.Partition == urn.CA {
		c["iss"] = issuerCA
	}
	for k, v := range change {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

func sign(t testing.TB, ring *keys.Ring, claims map[string]any) string {
	t.Helper()
	b, err := json.Marshal(claims)
	must(t, err)
	jwt, err := ring.SignJWT(b)
	must(t, err)
	return jwt
}

func (w *world) idToken(u user) string { return sign(w.t, w.ring, w.claims(u, nil)) }

func (w *world) bearer(token string) *answer {
	w.t.Helper()
	return w.do("POST", loginURL, "", "Authorization", "Bearer "+token)
}

// login gives an unscoped token.
func (w *world) login(u user) string {
	w.t.Helper()
	a := w.bearer(w.idToken(u))
	if a.status != 201 {
		w.t.Fatalf("login: %d %s", a.status, a.text)
	}
	return a.token()
}

// rescope exchanges a token; scope is JSON, "" for none.
func (w *world) rescope(token, scope string) *answer {
	w.t.Helper()
	return w.do("POST", "/v3/auth/tokens", rescopeBody(token, scope), "Content-Type", "application/json")
}

func rescopeBody(token, scope string) string {
	body := `{"auth":{"identity":{"methods":["token"],"token":{"id":"` + token + `"}}`
	if scope != "" {
		body += `,"scope":` + scope
	}
	return body + "}}"
}

func projectScope(p iam.ProjectID) string { return `{"project":{"id":"` + string(p) + `"}}` }

// scoped gives a token for the project.
func (w *world) scoped() string {
	w.t.Helper()
	a := w.rescope(w.login(w.client), projectScope(w.project))
	if a.status != 201 {
		w.t.Fatalf("scope: %d %s", a.status, a.text)
	}
	return a.token()
}

func (a *answer) want(t testing.TB, status int, message string) {
	t.Helper()
	if a.status != status || message != "" && !strings.Contains(a.message(), message) {
		t.Errorf("got %d %q, want %d %q", a.status, a.message(), status, message)
	}
}
