package api_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/api"
	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/oidc"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
	"github.com/stackgate/stackgate/internal/web"
)

// The two accounts of every test: alice administers alicesAccount, which owns the guide's project, bob another one.
var (
	alicesAccount = urn.Account{Partition: urn.EU, Name: "xx11111-ovh"}
	alicesProject = iam.ProjectID("0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f")
	bobsAccount   = urn.Account{Partition: urn.EU, Name: "yy22222-ovh"}
	bobsProject   = iam.ProjectID("b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0")
	project       = string(urn.Project(urn.EU, string(alicesProject)))
	account       = string(urn.AccountResource(alicesAccount))
)

// A world is the management API and the endpoint for its tokens over a real registry with SQLite, on a loopback listener.
type world struct {
	t        *testing.T
	ahead    atomic.Int64 // nanoseconds by which the server's clock is ahead
	registry *registry.Registry
	url      string
	operator iam.Caller
	alice    actor
	bob      actor
}

// An actor is a service account, its client, and its management token for requests that no client makes.
type actor struct {
	t      *testing.T
	url    string
	name   string
	sa     iam.ServiceAccount
	secret string
	c      *api.Client
	token  string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, operator: iam.Caller{Operator: "test", Account: alicesAccount}}
	now := func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	ctx := context.Background()
	st, err := store.Open(ctx, store.Config{URL: filepath.Join(t.TempDir(), "stackgate.db"), Now: now})
	ok(t, err)
	t.Cleanup(func() { _ = st.Close() })
	master, err := keys.ParseMaster(keys.NewMaster())
	ok(t, err)
	ring, err := keys.New(ctx, keys.Config{Master: master, Load: st.LoadKeys, Insert: st.InsertKey, Save: st.SaveKeys, Now: now})
	ok(t, err)
	w.registry, err = registry.New(ctx, registry.Config{Store: st, Ring: ring, Now: now})
	ok(t, err)
	w.serve(ring, now)
	w.alice = w.administrator("alice", alicesAccount, alicesProject)
	w.bob = w.administrator("bob", bobsAccount, bobsProject)
	return w
}

func (w *world) serve(ring *keys.Ring, now func() time.Time) {
	w.t.Helper()
	listener := httptest.NewUnstartedServer(nil)
	w.url = "http://" + listener.Listener.Addr().String()
	login, err := oidc.New(oidc.Config{
		Registry: w.registry, Ring: ring, PublicURL: w.url, IdentityAudience: w.url + "/v3", Partitions: []urn.Partition{urn.EU}, Now: now,
	})
	ok(w.t, err)
	open := func(token string) (iam.Token, error) {
		payload, err := ring.Open(nil, string(iam.ManagementToken), token)
		if err != nil {
			return iam.Token{}, err
		}
		return iam.ParseToken(payload)
	}
	preview := func(_ context.Context, a iam.ServiceAccount, _ api.Call) (audit.Decision, error) {
		return seen(a.Identity()), nil
	}
	management, err := api.New(api.Config{Registry: w.registry, Open: open, Preview: preview, PublicURL: w.url, Now: now})
	ok(w.t, err)
	log := slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	listener.Config.Handler = web.New(web.Config{Logger: log}).Wrap(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/auth/") || strings.HasPrefix(r.URL.Path, "/role-adapter/") {
			login.ServeHTTP(rw, r)
		} else {
			management.ServeHTTP(rw, r)
		}
	}))
	listener.Start()
	w.t.Cleanup(listener.Close)
}

// administrator makes an account with a project and logs its administrator in.
func (w *world) administrator(name string, a urn.Account, p iam.ProjectID) actor {
	w.t.Helper()
	ctx := context.Background()
	operator := iam.Caller{Operator: "test", Account: a}
	_, err := w.registry.CreateAccount(ctx, operator, iam.Account{ID: a})
	ok(w.t, err)
	_, err = w.registry.CreateProject(ctx, operator, iam.Project{ID: p, Owner: a, Name: name + "s"})
	ok(w.t, err)
	sa, secret, _, err := w.registry.RecoverAdministrator(ctx, operator, a, name)
	ok(w.t, err)
	return w.as(name, sa, secret)
}

// as logs a service account in.
func (w *world) as(name string, sa iam.ServiceAccount, secret string) actor {
	w.t.Helper()
	c, err := api.NewClient(api.ClientConfig{BaseURL: w.url, ClientID: string(sa.ID), ClientSecret: secret})
	ok(w.t, err)
	resp, err := http.PostForm(w.url+"/auth/oauth2/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {string(sa.ID)}, "client_secret": {secret}, "scope": {"all"},
	})
	ok(w.t, err)
	defer resp.Body.Close()
	var got struct {
		AccessToken string `json:"access_token"`
	}
	ok(w.t, json.UnmarshalRead(resp.Body, &got))
	if got.AccessToken == "" {
		w.t.Fatalf("%s cannot log in: %d", name, resp.StatusCode)
	}
	return actor{t: w.t, url: w.url, name: name, sa: sa, secret: secret, c: c, token: got.AccessToken}
}

// carol makes a service account of alice's account with actions on resources (none: the account and its projects), and logs it in.
func (w *world) carol(actions []iam.Action, resources ...urn.URN) actor {
	w.t.Helper()
	ctx := context.Background()
	sa, secret, err := w.registry.CreateServiceAccount(ctx, w.operator, iam.ServiceAccount{Owner: alicesAccount, Name: "carol"})
	ok(w.t, err)
	if len(resources) == 0 {
		resources = []urn.URN{urn.URN(account), urn.URN(project)}
	}
	if len(actions) > 0 {
		_, err = w.registry.CreatePolicy(ctx, w.operator, iam.Policy{
			Owner: alicesAccount, Name: "carols", Identities: []urn.URN{sa.Identity()}, Resources: resources, Permissions: iam.Permissions{Allow: actions},
		})
		ok(w.t, err)
	}
	return w.as("carol", sa, secret)
}

// A reply is an answer, raw.
type reply struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   string
}

// send makes a request just as given: the path is not touched, the body is text.
func (a actor) send(method, path, body string, header ...string) reply {
	a.t.Helper()
	req, err := http.NewRequest(method, a.url+path, strings.NewReader(body))
	ok(a.t, err)
	req.Header.Set("Authorization", "Bearer "+a.token)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	ok(a.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	ok(a.t, err)
	return reply{a.t, a.name + " " + method + " " + path + " " + body, resp.StatusCode, resp.Header, string(b)}
}

// is checks the status and that the body holds some texts.
func (r reply) is(status int, holds ...string) reply {
	r.t.Helper()
	if len(r.what) > 300 {
		r.what = r.what[:300]
	}
	if r.status != status {
		r.t.Errorf("%s: got %d, want %d: %s", r.what, r.status, status, r.body)
	}
	for _, h := range holds {
		if !strings.Contains(r.body, h) {
			r.t.Errorf("%s: %q is not in %s", r.what, h, r.body)
		}
	}
	return r
}

func read[T any](r reply) T {
	r.t.Helper()
	var out T
	if err := json.Unmarshal([]byte(r.body), &out); err != nil {
		r.t.Fatalf("%s: %v in %s", r.what, err, r.body)
	}
	return out
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fails checks the kind of an error that a client gave, and gives the error.
func fails(t testing.TB, err error, kind iam.Kind) *iam.Error {
	t.Helper()
	e, found := errors.AsType[*iam.Error](err)
	if !found || e.Kind != kind {
		t.Fatalf("got %v, want %s", err, kind)
	}
	return e
}

// policy is a policy of one right for one identity on alice's project.
func policy(name, identity string) api.Policy {
	return api.Policy{
		Name: name, Identities: []string{identity}, Resources: []api.PolicyResource{{URN: project}},
		Permissions: &api.Permissions{Allow: []api.Action{{Action: "publicCloudProject:openstack:computeOperator"}}},
	}
}
