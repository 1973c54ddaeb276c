package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/stackgate/stackgate/internal/agent"
	"github.com/stackgate/stackgate/internal/recorded"
	"github.com/stackgate/stackgate/serviceaccount"
)

const agentURL = "http://127.0.0.1:4711"

// A world is a recorded cloud, an agent before it, and a network that has both.
type world struct {
	cloud   *recorded.Cloud
	agent   *agent.Agent
	cred    agent.Credential
	network http.RoundTripper
}

func newWorld(t *testing.T, life time.Duration) *world {
	t.Helper()
	w := &world{cloud: recorded.New(life), cred: agent.NewCredential()}
	login, err := serviceaccount.NewLogin(serviceaccount.Config{
		AuthURL: "http://cloud.example/v3", IdentityProvider: recorded.Provider, Protocol: "openid", AccessTokenType: "id_token",
		DiscoveryEndpoint: "http://cloud.example" + recorded.Adapter + "/.well-known/openid-configuration",
		ClientID:          recorded.ClientID, ClientSecret: recorded.Secret, ProjectID: recorded.Project, Region: recorded.Region,
		Transport: recorded.Transport(w.cloud),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.agent, err = agent.New(t.Context(), agent.Config{Login: login, URL: agentURL, Credential: w.cred, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w.network = recorded.Transport(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if "http://"+r.Host == agentURL {
			w.agent.ServeHTTP(rw, r)
			return
		}
		w.cloud.ServeHTTP(rw, r)
	}))
	return w
}

// do asks the agent. header lines are "Name: value".
func (w *world) do(t *testing.T, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, agentURL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
		if name == "Host" {
			req.URL.Host = value
		}
	}
	resp, err := recorded.Transport(w.agent).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func quote(s string) string { b, _ := json.Marshal(s); return string(b) }

func (w *world) body(method, scope string) string {
	id, secret := quote(w.cred.ID), quote(string(w.cred.Secret))
	proof := map[string]string{
		"password":               `"password":{"user":{"name":` + id + `,"domain":{"name":"Default"},"password":` + secret + `}}`,
		"application_credential": `"application_credential":{"id":` + id + `,"secret":` + secret + `}`,
		"token":                  `"token":{"id":` + quote(string(w.cred.Token)) + `}`,
	}[method]
	if scope != "" {
		scope = `,"scope":` + scope
	}
	return `{"auth":{"identity":{"methods":["` + method + `"],` + proof + `}` + scope + `}}`
}

func TestEachMethodGetsTheCloudsTokenAsItIs(t *testing.T) {
	w := newWorld(t, time.Hour)
	for _, method := range []string{"password", "application_credential", "token"} {
		for _, scope := range []string{"", `"unscoped"`, `{"project":{"id":"` + recorded.Project + `"}}`, `{"project":{"name":"proj","domain":{"id":"default"}}}`} {
			status, header, body := w.do(t, "POST", "/v3/auth/tokens", w.body(method, scope))
			if status != 201 || !strings.HasPrefix(header.Get("X-Subject-Token"), "gAAAAA") || !strings.Contains(body, `"type": "compute"`) {
				t.Errorf("%s %s: %d %s", method, scope, status, body)
			}
		}
		for _, scope := range []string{`{"project":{"id":"f0"}}`, `{"project":{}}`, `{"domain":{"id":"default"}}`, `{"system":{"all":true}}`, `{"OS-TRUST:trust":{"id":"x"}}`, `7`} {
			if status, header, body := w.do(t, "POST", "/v3/auth/tokens", w.body(method, scope)); status != 401 || header.Get("X-Subject-Token") != "" {
				t.Errorf("%s %s: %d %s", method, scope, status, body)
			}
		}
	}
	again := strings.Replace(w.body("password", ""), `"name":`+quote(w.cred.ID), `"id":"f8958c85c7b68b515bc425434c06fc3e17b0c498cae3daced502d66b2993e8d5"`, 1)
	if status, _, body := w.do(t, "POST", "/v3/auth/tokens", again); status != 201 {
		t.Errorf("keystoneclient's second login: %d %s", status, body)
	}
	if n := w.cloud.Count(recorded.Scope); n != 1 {
		t.Errorf("%d logins", n)
	}
}

func TestOnlyTheOneTimeCredentialIsAccepted(t *testing.T) {
	w := newWorld(t, time.Hour)
	_, header, _ := w.do(t, "POST", "/v3/auth/tokens", w.body("token", ""))
	real := header.Get("X-Subject-Token")
	good := w.body("password", "")
	for name, body := range map[string]string{
		"another secret":   strings.Replace(good, string(w.cred.Secret), "x", 1),
		"another user":     strings.Replace(good, w.cred.ID, "x", 1),
		"no password":      strings.Replace(good, string(w.cred.Secret), "", 1),
		"another id":       strings.Replace(w.body("application_credential", ""), w.cred.ID, "x", 1),
		"another token":    strings.Replace(w.body("token", ""), string(w.cred.Token), "x", 1),
		"an empty token":   strings.Replace(w.body("token", ""), string(w.cred.Token), "", 1),
		"no method":        `{"auth":{"identity":{"methods":[]}}}`,
		"two methods":      strings.Replace(good, `["password"]`, `["password","token"]`, 1),
		"an unknown one":   strings.Replace(good, `["password"]`, `["totp"]`, 1),
		"nothing":          `{}`,
		"the wrong method": strings.Replace(good, `["password"]`, `["token"]`, 1),
	} {
		if status, h, text := w.do(t, "POST", "/v3/auth/tokens", body); status != 401 || h.Get("X-Subject-Token") != "" || strings.Contains(text, string(w.cred.Secret)) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if status, _, _ := w.do(t, "POST", "/v3/auth/tokens", `{`); status != 400 {
		t.Error(status)
	}
	for _, path := range []string{"/v3/auth/tokens", "/v3/auth/catalog", "/v3/auth/projects", "/v3/projects/x"} {
		for _, token := range []string{"", "x", string(w.cred.Secret)} {
			if status, _, body := w.do(t, "GET", path, "", "X-Auth-Token: "+token, "X-Subject-Token: "+real); status != 401 {
				t.Errorf("%s with %q: %d %s", path, token, status, body)
			}
		}
	}
}

func TestWhatClientsReadAfterALogin(t *testing.T) {
	w := newWorld(t, time.Hour)
	_, header, _ := w.do(t, "POST", "/v3/auth/tokens", w.body("password", ""))
	real := header.Get("X-Subject-Token")
	for name, tc := range map[string]struct {
		method, path, subject, contains string
		status                          int
	}{
		"versions":                      {"GET", "/", "", `"href":"` + agentURL + `/v3/"`, 300},
		"version":                       {"GET", "/v3", "", `"id":"v3.14"`, 200},
		"version with a slash":          {"GET", "/v3/", "", `"id":"v3.14"`, 200},
		"validate":                      {"GET", "/v3/auth/tokens", real, `"name": "infrastructureSupervisor"`, 200},
		"validate without the catalog":  {"GET", "/v3/auth/tokens?nocatalog", real, `"name":"infrastructureSupervisor"`, 200},
		"validate the one-time token":   {"GET", "/v3/auth/tokens", string(w.cred.Token), `"name": "infrastructureSupervisor"`, 200},
		"validate what we do not know":  {"GET", "/v3/auth/tokens", "x", "Could not find token", 404},
		"the catalog":                   {"GET", "/v3/auth/catalog", "", `"type":"object-store"`, 200},
		"projects, from the cloud":      {"GET", "/v3/auth/projects", "", `"name": "proj"`, 200},
		"what the cloud does not have":  {"GET", "/v3/projects/" + recorded.Project, "", "404 Not Found", 404},
		"revoke":                        {"DELETE", "/v3/auth/tokens", real, "shared", 403},
		"anything else":                 {"POST", "/v3/projects", "", "only logs in and reads", 404},
		"a way out of the Identity API": {"GET", "/v3/../v2.1/servers/detail", "", "", 404},
		"a version that is not ours":    {"GET", "/v2.0", "", "", 404},
	} {
		status, _, body := w.do(t, tc.method, tc.path, "", "X-Auth-Token: "+real, "X-Subject-Token: "+tc.subject)
		if status != tc.status || !strings.Contains(body, tc.contains) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	_, _, body := w.do(t, "GET", "/v3/auth/tokens?nocatalog", "", "X-Auth-Token: "+real, "X-Subject-Token: "+real)
	if strings.Contains(body, "catalog") {
		t.Error(body)
	}
	if status, _, _ := w.do(t, "GET", "/v3", "", "Host: rebound.example"); status != 403 {
		t.Errorf("a page of another host gets %d", status)
	}
}

// TestAnApplyOfTenHours is gophercloud, as Terraform uses it, through twenty ends of tokens.
func TestAnApplyOfTenHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, time.Hour)
		pc, err := openstack.NewClient(agentURL + "/v3")
		if err != nil {
			t.Fatal(err)
		}
		pc.HTTPClient.Transport = w.network
		err = openstack.Authenticate(t.Context(), pc, gophercloud.AuthOptions{
			IdentityEndpoint: agentURL + "/v3", ApplicationCredentialID: w.cred.ID, ApplicationCredentialSecret: string(w.cred.Secret), AllowReauth: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		compute, err := openstack.NewComputeV2(pc, gophercloud.EndpointOpts{Region: recorded.Region})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 600 {
			time.Sleep(time.Minute)
			if i == 300 {
				w.cloud.Revoke() // somebody has changed the secret, say
			}
			if _, err := servers.List(compute, nil).AllPages(t.Context()); err != nil {
				t.Fatalf("after %d minutes: %v", i, err)
			}
		}
		if n := w.cloud.Count(recorded.Scope); n < 10 || n > 14 {
			t.Errorf("%d logins in ten hours", n)
		}
	})
}

// TestWhoLogsInAgainGetsATokenThatTheCloudKnows: a service that refuses a token sends its client here. That happens soon after the first login, and
// to clients that log in often.
func TestWhoLogsInAgainGetsATokenThatTheCloudKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, time.Hour)
		login := func() (int, string, string) {
			time.Sleep(3 * time.Second)
			status, header, body := w.do(t, "POST", "/v3/auth/tokens", w.body("password", ""))
			return status, header.Get("X-Subject-Token"), body
		}
		_, first, _ := login()
		w.cloud.Revoke()
		_, second, _ := login()
		_, same, _ := login()
		if second == first || same != second {
			t.Errorf("first %.12s, after it was revoked %.12s, and then %.12s", first, second, same)
		}
		w.cloud.Revoke()
		w.cloud.SetSecret("another")
		if status, token, body := login(); status != 401 || token != "" || !strings.Contains(body, "stackgate could not log in at the cloud") {
			t.Errorf("the secret is revoked, and so are its tokens: %d %s", status, body)
		}
	})
}

func TestALoginThatFailsSaysWhatTheCloudSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, time.Hour)
		time.Sleep(time.Hour)
		for kind, tc := range map[string]struct{ answer, want int }{recorded.Token: {401, 401}, recorded.Scope: {401, 401}, recorded.Federation: {503, 503}} {
			w.cloud.Fail(kind, recorded.Answer(tc.answer, "application/json", `{"error":{"message":"because of this"}}`))
			status, header, body := w.do(t, "POST", "/v3/auth/tokens", w.body("password", ""))
			if status != tc.want || !strings.Contains(body, "because of this") || !strings.Contains(body, "log in ("+kind+")") || header.Get("X-Subject-Token") != "" {
				t.Errorf("%s: %d %s", kind, status, body)
			}
			w.cloud.Fail(kind, nil)
			time.Sleep(time.Minute)
		}
	})
}

func TestAKeystoneThatIsAwayDoesNotMatterWhileTheTokenLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, time.Hour)
		time.Sleep(5 * time.Minute)
		for _, kind := range []string{recorded.Validate, recorded.Token, recorded.Discovery} {
			w.cloud.Fail(kind, recorded.Answer(503, "text/plain", "maintenance"))
		}
		if status, _, body := w.do(t, "POST", "/v3/auth/tokens", w.body("password", "")); status != 201 {
			t.Error(status, body)
		}
	})
}

func TestAnEntryWithoutProjectIsRefused(t *testing.T) {
	cloud := recorded.New(time.Hour)
	login, err := serviceaccount.NewLogin(serviceaccount.Config{
		AuthURL: "http://cloud.example", IdentityProvider: recorded.Provider, Protocol: "openid", AccessTokenType: "id_token",
		DiscoveryEndpoint: "http://cloud.example" + recorded.Adapter + "/.well-known/openid-configuration",
		ClientID:          recorded.ClientID, ClientSecret: recorded.Secret, Transport: recorded.Transport(cloud),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := agent.New(context.Background(), agent.Config{Login: login, URL: agentURL}); !errors.Is(err, serviceaccount.ErrConfig) {
		t.Error(err)
	}
}
