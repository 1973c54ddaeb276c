package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/api"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/servertest"
	"github.com/stackgate/stackgate/internal/urn"
)

// The two accounts of every test: alice administers servertest.Account, bob another one.
var (
	bobsAccount = urn.Account{Partition: urn.EU, Name: "yy22222-ovh"}
	bobsProject = iam.ProjectID("b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0")
	project     = string(urn.Project(urn.EU, string(servertest.Project)))
	account     = string(urn.AccountResource(servertest.Account))
)

type world struct {
	*servertest.Server
	t     *testing.T
	alice actor
	bob   actor
}

// An actor is a service account, its client, and its management token for requests that no client makes.
type actor struct {
	t     *testing.T
	url   string
	name  string
	cred  servertest.Credential
	c     *api.Client
	token string
}

func newWorld(t *testing.T, change ...func(*server.Config)) *world {
	t.Helper()
	w := &world{Server: servertest.Start(t, change...), t: t}
	ctx := context.Background()
	w.alice = w.as("alice", w.Administrator())
	operator := iam.Caller{Operator: "test", Account: bobsAccount}
	_, err := w.Registry().CreateAccount(ctx, operator, iam.Account{ID: bobsAccount})
	ok(t, err)
	_, err = w.Registry().CreateProject(ctx, operator, iam.Project{ID: bobsProject, Owner: bobsAccount, Name: "bobs"})
	ok(t, err)
	made, secret, err := w.Registry().RecoverAdministrator(ctx, operator, bobsAccount)
	ok(t, err)
	w.bob = w.as("bob", servertest.Credential{ServiceAccount: made, Secret: secret})
	return w
}

// as logs a service account in.
func (w *world) as(name string, cred servertest.Credential) actor {
	w.t.Helper()
	c, err := api.NewClient(api.ClientConfig{BaseURL: w.URL, ClientID: string(cred.ID), ClientSecret: cred.Secret})
	ok(w.t, err)
	resp, err := http.PostForm(w.URL+"/auth/oauth2/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {string(cred.ID)}, "client_secret": {cred.Secret}, "scope": {"all"},
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
	return actor{t: w.t, url: w.URL, name: name, cred: cred, c: c, token: got.AccessToken}
}

// carol makes a service account of alice's account with actions on resources (none: the account and its projects), and logs it in.
func (w *world) carol(actions []iam.Action, resources ...urn.URN) actor {
	w.t.Helper()
	cred := w.ServiceAccount("carol-" + strings.ReplaceAll(w.t.Name(), "/", "-"))
	if len(resources) == 0 {
		resources = []urn.URN{urn.URN(account), urn.URN(project)}
	}
	if len(actions) > 0 {
		w.Policy(iam.Policy{
			Name: "carols", Identities: []urn.URN{cred.Identity()}, Resources: resources, Permissions: iam.Permissions{Allow: actions},
		})
	}
	return w.as("carol", cred)
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
