package oidc_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/oidc"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
	"github.com/stackgate/stackgate/internal/web"
)

const (
	supervisor = iam.Action("publicCloudProject:openstack:infrastructureSupervisor")
	computing  = iam.Action("publicCloudProject:openstack:computeOperator")

	pciEU = "/role-adapter/urn:v1:eu:resource:publicCloudProject:pci"
	pciCA = "/role-adapter/urn:v1:ca:resource:publicCloudProject:pci"
	grant = "grant_type=client_credentials"
)

var (
	european = urn.Account{Partition: urn.EU, Name: "xx11111-ovh"}
	canadian = urn.Account{Partition: urn.CA, Name: "xx11111-ovh"}
)

// A world is a listening server over a registry over SQLite.
type world struct {
	t        testing.TB
	url      string
	registry *registry.Registry
	ring     *keys.Ring
	config   oidc.Config

	mu     sync.Mutex
	events []web.Event
	attrs  strings.Builder // the log
}

type credential struct {
	iam.ServiceAccount
	secret string
}

func operator(a urn.Account) iam.Caller { return iam.Caller{Operator: "test", Account: a} }

func newWorld(t testing.TB, change ...func(*oidc.Config)) *world {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: filepath.Join(t.TempDir(), "s.db")})
	must(t, err)
	t.Cleanup(func() { must(t, st.Close()) })
	master, err := keys.ParseMaster(keys.NewMaster())
	must(t, err)
	ring, err := keys.New(t.Context(), keys.Config{Master: master, Load: st.LoadKeys, Insert: st.InsertKey, Save: st.SaveKeys})
	must(t, err)
	reg, err := registry.New(t.Context(), registry.Config{Store: st, Ring: ring})
	must(t, err)
	w := &world{t: t, registry: reg, ring: ring}
	listener := httptest.NewUnstartedServer(nil)
	w.url = "http://" + listener.Listener.Addr().String()
	w.config = oidc.Config{Registry: reg, Ring: ring, PublicURL: w.url, IdentityAudience: w.url + "/v3", Partitions: []urn.Partition{urn.EU, urn.CA}}
	for _, f := range change {
		f(&w.config)
	}
	s, err := oidc.New(w.config)
	must(t, err)
	listener.Config.Handler = web.New(web.Config{Logger: slog.New(slog.NewTextHandler(w, nil)), OnEvent: w.note}).Wrap(s)
	listener.Start()
	t.Cleanup(listener.Close)
	for _, a := range []urn.Account{european, canadian} {
		_, err := reg.CreateAccount(t.Context(), operator(a), iam.Account{ID: a})
		must(t, err)
	}
	return w
}

func (w *world) note(e *web.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, *e)
}

// Write takes the log.
func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.attrs.Write(b)
}

func (w *world) log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.attrs.String()
}

func (w *world) account(owner urn.Account) credential {
	w.t.Helper()
	made, secret, err := w.registry.CreateServiceAccount(context.Background(), operator(owner), iam.ServiceAccount{Owner: owner, Name: "test"})
	must(w.t, err)
	return credential{made, secret}
}

// project makes a project on which the service account has rights.
func (w *world) project(c credential, rights ...iam.Action) iam.ProjectID {
	w.t.Helper()
	caller := operator(c.Owner)
	p, err := w.registry.CreateProject(context.Background(), caller, iam.Project{Owner: c.Owner, Name: "p" + rand()})
	must(w.t, err)
	if len(rights) > 0 {
		_, err = w.registry.CreatePolicy(context.Background(), caller, iam.Policy{
			Owner: c.Owner, Name: "p" + rand(), Identities: []urn.URN{c.Identity()},
			Resources: []urn.URN{urn.Project(c.Owner.Partition, string(p.ID))}, Permissions: iam.Permissions{Allow: rights},
		})
		must(w.t, err)
	}
	return p.ID
}

// An answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   string
	json   struct {
		AccessToken string `json:"access_token"`
		IDToken     string `json:"id_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
		Scope       string `json:"scope"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Errors      []struct {
			Status              int
			Code, Title, Detail string
		}
	}
}

func (w *world) do(r *http.Request) answer {
	w.t.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	must(w.t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	must(w.t, err)
	a := answer{status: res.StatusCode, header: res.Header, body: string(b)}
	if len(b) > 0 && strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		must(w.t, json.Unmarshal(b, &a.json))
	}
	if !strings.HasPrefix(res.Header.Get("X-Openstack-Request-Id"), "req-") {
		w.t.Errorf("%s %s: no request id", r.Method, r.URL)
	}
	return a
}

func (w *world) request(method, path, body string) *http.Request {
	w.t.Helper()
	r, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	must(w.t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (w *world) get(path string) answer { return w.do(w.request(http.MethodGet, path, "")) }

// basic sends what Python's requests sends: the bytes as they are.
func (w *world) basic(path, id, secret, body string) answer {
	w.t.Helper()
	r := w.request(http.MethodPost, path, body)
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+secret)))
	return w.do(r)
}

func (w *world) post(path, body string) answer { return w.do(w.request(http.MethodPost, path, body)) }

// claims are the id_token's, after its signature was checked.
func (w *world) claims(idToken string) map[string]any {
	w.t.Helper()
	b, err := w.ring.VerifyJWT(idToken)
	must(w.t, err)
	var out map[string]any
	must(w.t, json.Unmarshal(b, &out))
	return out
}

func (w *world) open(purpose iam.Purpose, token string) (iam.Token, error) {
	b, err := w.ring.Open(nil, string(purpose), token)
	if err != nil {
		return iam.Token{}, err
	}
	return iam.ParseToken(b)
}

// refused checks that an answer is a readable error of RFC 6749.
func refused(t testing.TB, what string, a answer, status int, code string) {
	t.Helper()
	j := a.json
	if a.status != status || j.Error != code {
		t.Errorf("%s: %d %s instead of %d %s", what, a.status, a.body, status, code)
		return
	}
	if len(j.Errors) != 1 || j.Errors[0].Status != status || j.Errors[0].Code != code || j.Errors[0].Title == "" || j.Description == "" {
		t.Errorf("%s: OpenStack clients cannot read %s", what, a.body)
	}
	if strings.ContainsFunc(j.Description, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
		t.Errorf("%s: characters that error_description may not have: %q", what, j.Description)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: may be cached", what)
	}
	if challenge := a.header.Get("WWW-Authenticate"); (status == 401) != strings.HasPrefix(challenge, `Basic realm="`) {
		t.Errorf("%s: WWW-Authenticate %q with status %d", what, challenge, status)
	}
	if j.AccessToken != "" || j.IDToken != "" {
		t.Errorf("%s: an error with a token", what)
	}
}

func rand() string { return time.Now().Format("150405.000000000") }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
