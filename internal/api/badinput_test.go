package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/api"
	"github.com/stackgate/stackgate/internal/iam"
)

func TestBadInputIsRefusedWithASentenceAndChangesNothing(t *testing.T) {
	w := newWorld(t)
	x := w.things()
	count := func() string {
		var all strings.Builder
		for _, path := range []string{"/v1/me/api/oauth2/client?details=true", "/v2/iam/policy", "/v2/iam/permissionsGroup", "/v2/iam/resourceGroup", "/v2/iam/resource"} {
			all.WriteString(w.alice.send("GET", path, "").is(200).body)
		}
		return all.String()
	}
	before := count()
	client, group := "/v1/me/api/oauth2/client/"+x.client, "/v2/iam/permissionsGroup/"+url.PathEscape(x.permissionsGroup)
	for _, target := range []struct{ method, path, good string }{
		{"POST", "/v1/me/api/oauth2/client", `{"name":"n","description":"","flow":"CLIENT_CREDENTIALS"}`},
		{"PUT", client, `{"name":"n"}`},
		{"POST", client + "/secret", `{"description":"d"}`},
		{"POST", client + "/secret/rotate", `{"overlap":0}`},
		{"POST", "/v2/iam/policy", guidePolicy},
		{"PUT", "/v2/iam/policy/" + x.policy, guidePolicy},
		{"POST", "/v2/iam/permissionsGroup", `{"name":"n","description":"","permissions":{"allow":[{"action":"*"}]}}`},
		{"PUT", group, `{"name":"n","description":"","permissions":{"allow":[{"action":"*"}]}}`},
		{"POST", "/v2/iam/resourceGroup", `{"name":"n","resources":[]}`},
		{"PUT", "/v2/iam/resourceGroup/" + x.resourceGroup, `{"name":"n","resources":[]}`},
		{"PUT", "/v2/iam/resource/" + project, `{"tags":{}}`},
		{"POST", "/v2/iam/resource/" + project + "/tag", `{"key":"k","value":"v"}`},
		{"POST", "/v2/iam/resource/" + project + "/authorization/check", `{"actions":["x"]}`},
		{"POST", "/v2/iam/authorization/check", `{"actions":["x"],"resourceURNs":["` + project + `"]}`},
	} {
		for name, bad := range map[string]struct {
			body     string
			status   int
			sentence string
		}{
			"a body over the limit":    {target.good + strings.Repeat(" ", 1<<20), 413, "larger than 1048576 bytes"},
			"no JSON":                  {"name=n&description=d", 400, "syntax error"},
			"JSON cut off":             {target.good[:len(target.good)-1], 400, "syntax error"},
			"text after the end":       {target.good + "x", 400, "syntax error"},
			"a list":                   {"[]", 400, "must be an object"},
			"a string":                 {`"x"`, 400, "must be an object"},
			"an unknown member":        {`{"grantedBy":1,` + target.good[1:], 400, `unknown member`},
			"a duplicate member":       {`{"name":"a","name":"b","key":"a","key":"b","overlap":0,"overlap":1,"tags":{},"tags":{},"actions":[],"actions":[]}`, 400, ""},
			"invalid UTF-8":            {"{\"name\":\"\xff\"}", 400, ""},
			"a lone surrogate":         {`{"name":"\ud800","description":"\ud800"}`, 400, ""},
			"very deep":                {`{"conditions":` + strings.Repeat(`{"conditions":[`, 11000) + strings.Repeat(`]}`, 11000) + `}`, 400, ""},
			"numbers for every member": {`{"name":1,"description":1,"tags":1,"key":1,"actions":1,"overlap":"1"}`, 400, ""},
		} {
			got := w.alice.send(target.method, target.path, bad.body).is(bad.status, `"class":"Client::`, bad.sentence)
			if e := read[api.Error](got); len(e.Message) < 20 || len(e.Message) > 600 {
				t.Errorf("%s: %q helps nobody", name, e.Message)
			}
		}
	}
	if after := count(); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
}

func TestPoliciesThatCannotBeAreRefused(t *testing.T) {
	w := newWorld(t)
	change := func(old, new string) string { return strings.Replace(guidePolicy, old, new, 1) }
	condition := func(c string) string { return `{"conditions":` + c + `,` + guidePolicy[1:] }
	match := `{"operator":"MATCH","values":{"resource.Type":"vps"}}`
	and := func(c string) string { return `{"operator":"AND","conditions":[` + c + `]}` }
	for name, body := range map[string]string{
		"without a name":                     change(`"Demo-service-account"`, `""`),
		"with a name of null":                change(`"Demo-service-account"`, `null`),
		"without identities":                 change(`"identities"`, `"permissionsGroups":[],"x"`),
		"with identities of null":            `{"name":"n","identities":null,"resources":[],"permissions":{}}`,
		"without resources":                  `{"name":"n","identities":[],"permissions":{}}`,
		"without permissions":                `{"name":"n","identities":[],"resources":[]}`,
		"with an identity that is none":      change("urn:v1:eu:identity:credential:", "urn:v1:eu:resource:vps:"),
		"with an identity of bob":            change("xx11111-ovh/oauth2-0f0f0f0f0f0f0f0f", "yy22222-ovh/oauth2-"+string(w.bob.sa.ID)),
		"with a resource of bob":             change("publicCloudProject:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", "publicCloudProject:"+string(bobsProject)),
		"with a resource in no partition":    change("urn:v1:eu:resource", "urn:v1:mars:resource"),
		"with a name reserved to OVHcloud":   change("Demo-service-account", "ovh-mine"),
		"with an action that is none":        change("publicCloudProject:openstack:infrastructureSupervisor", "server list"),
		"with depth 4":                       condition(and(and(and(match)))),
		"with an unknown operator":           condition(`{"operator":"XOR","conditions":[` + match + `]}`),
		"with an unknown condition key":      condition(`{"operator":"MATCH","values":{"request.Colour":"red"}}`),
		"with an hour of 25":                 condition(`{"operator":"MATCH","values":{"date(UTC).Hour":"25"}}`),
		"with a time zone that is none":      condition(`{"operator":"MATCH","values":{"date(Mars/Olympus).Hour":"5"}}`),
		"with a range that is none":          condition(`{"operator":"MATCH","values":{"request.IP.IN_RANGE":"10.0.0.0/99"}}`),
		"with an expiry that is no time":     `{"expiredAt":"tomorrow",` + guidePolicy[1:],
		"with an expiry in the year 1":       `{"expiredAt":"0001-01-01T00:00:00Z",` + guidePolicy[1:],
		"with an expiry in the year 10000":   `{"expiredAt":"9999-12-31T23:59:59-23:00",` + guidePolicy[1:],
		"with values on AND":                 condition(`{"operator":"AND","values":{"resource.Type":"vps"}}`),
		"with a permissions group of bob":    `{"permissionsGroups":[{"urn":"urn:v1:eu:permissionsGroup:yy22222-ovh:x"}],` + guidePolicy[1:],
		"with a resource group that is none": change("urn:v1:eu:resource:publicCloudProject:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", "urn:v1:eu:resourceGroup:00000000-0000-0000-0000-000000000000"),
	} {
		t.Run(name, func(t *testing.T) {
			got := w.alice.send("POST", "/v2/iam/policy", body)
			if got.status != 400 || len(read[api.Error](got).Message) < 20 {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	list, err := w.alice.c.Policies(context.Background(), api.PolicyQuery{Actions: []string{"publicCloudProject:openstack:infrastructureSupervisor"}})
	ok(t, err)
	for _, p := range list {
		if p.Name == "Demo-service-account" || p.Name == "n" {
			t.Errorf("made: %+v", p)
		}
	}
}

func TestServiceAccountsThatCannotBeAreRefused(t *testing.T) {
	w := newWorld(t)
	for body, sentence := range map[string]string{
		`{"description":"","flow":"CLIENT_CREDENTIALS"}`:                                                                  "name",
		`{"name":"n","flow":"CLIENT_CREDENTIALS"}`:                                                                        "description",
		`{"name":"n","description":""}`:                                                                                   "flow",
		`{"name":"n","description":"","flow":"AUTHORIZATION_CODE"}`:                                                       "for people",
		`{"name":"n","description":"","flow":"PASSWORD"}`:                                                                 "no flow",
		`{"name":"n","description":"","flow":"CLIENT_CREDENTIALS","tokenLife":-1}`:                                        "tokenLife",
		`{"name":"n","description":"","flow":"CLIENT_CREDENTIALS","tokenLife":8640000}`:                                   "",
		`{"name":"n","description":"","flow":"CLIENT_CREDENTIALS","clientId":"EU.0000000000000"}`:                         "clientId",
		`{"name":"n","description":"","flow":"CLIENT_CREDENTIALS","defaultProject":"` + string(bobsProject) + `"}`:        "",
		`{"name":"` + strings.Repeat("n", 5000) + `","description":"","flow":"CLIENT_CREDENTIALS"}`:                       "",
		`{"name":"n","description":"","flow":"CLIENT_CREDENTIALS","callbackUrls":["javascript:alert(1)"]}`:                "",
		`{"name":"n","description":"","flow":"CLIENT_CREDENTIALS","callbackUrls":[` + strings.Repeat(`"",`, 900) + `""]}`: "",
	} {
		got := w.alice.send("POST", "/v1/me/api/oauth2/client", body)
		if got.status/100 != 4 || !strings.Contains(got.body, sentence) {
			t.Errorf("%.200s: %d %s", body, got.status, got.body)
		}
	}
}

func TestNobodyIsLetInWithoutAManagementToken(t *testing.T) {
	w := newWorld(t)
	for name, header := range map[string][]string{
		"nothing":              nil,
		"an empty token":       {"Bearer "},
		"a scheme alone":       {"Bearer"},
		"Basic":                {"Basic dXNlcjpwYXNz"},
		"garbage":              {"Bearer x"},
		"a tampered token":     {"Bearer " + flipped(w.alice.token)},
		"a truncated token":    {"Bearer " + w.alice.token[:len(w.alice.token)-4]},
		"a doubled token":      {"Bearer " + w.alice.token + w.alice.token},
		"a very long token":    {"Bearer " + strings.Repeat("a", 100000)},
		"two tokens":           {"Bearer " + w.alice.token, "Bearer " + w.bob.token},
		"a secret for a token": {"Bearer " + w.alice.secret},
	} {
		req, err := http.NewRequest("GET", w.url+"/v1/auth/details", nil)
		ok(t, err)
		req.Header["Authorization"] = header
		resp, err := http.DefaultClient.Do(req)
		ok(t, err)
		resp.Body.Close()
		if resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
		}
	}
	anonymous := w.alice
	anonymous.token = ""
	anonymous.send("GET", "/v1/auth/details?access_token="+w.alice.token, "").is(401)
	anonymous.send("POST", "/v1/me/api/oauth2/client", "access_token="+w.alice.token).is(401)
}

// TestTokensOfTheRoleAdapterAreNothingHere: neither its access token nor its id_token is a management token.
func TestTokensOfTheRoleAdapterAreNothingHere(t *testing.T) {
	w := newWorld(t)
	resp, err := http.PostForm(w.url+"/role-adapter/urn:v1:eu:resource:publicCloudProject:pci/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {string(w.alice.sa.ID)}, "client_secret": {w.alice.secret}, "scope": {"openid profile"},
	})
	ok(t, err)
	defer resp.Body.Close()
	var got struct {
		AccessToken string `json:"access_token"`
		IDToken     string `json:"id_token"`
	}
	ok(t, json.UnmarshalRead(resp.Body, &got))
	for name, token := range map[string]string{"access token": got.AccessToken, "id_token": got.IDToken} {
		if token == "" {
			t.Fatalf("no %s", name)
		}
		stranger := w.alice
		stranger.token = token
		stranger.send("GET", "/v1/auth/details", "").is(401, "no management token")
	}
}

func flipped(s string) string {
	b := []byte(s)
	if b[len(b)/2]++; b[len(b)/2] > 'z' {
		b[len(b)/2] = 'a'
	}
	return string(b)
}

func TestTheClientLogsInAgainOnceWhenItsTokenIsRefused(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	_, err := w.alice.c.AuthDetails(ctx)
	ok(t, err)
	w.ahead.Store(int64(2 * time.Hour)) // the server's clock only: the client believes its token good
	w.alice.send("GET", "/v1/auth/details", "").is(401)
	_, err = w.alice.c.AuthDetails(ctx)
	ok(t, err)
	ok(t, w.bob.c.DisableServiceAccount(ctx, string(w.bob.sa.ID)))
	e := fails(t, errOf(w.bob.c.AuthDetails(ctx)), iam.Unauthenticated)
	if strings.Contains(e.Error(), w.bob.secret) || strings.Contains(e.Error(), w.bob.token) {
		t.Errorf("the error holds the secret: %v", e)
	}
}

func TestTheClientSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	carol := w.carol(nil)
	e := fails(t, errOf(carol.c.Policies(ctx, api.PolicyQuery{})), iam.Denied)
	if len(e.Actions) != 1 || e.Actions[0] != iam.ActionPolicyGet || !strings.Contains(e.Message, string(iam.ActionPolicyGet)) {
		t.Errorf("%#v", e)
	}
	fails(t, errOf(w.alice.c.Policy(ctx, "00000000-0000-0000-0000-000000000000", false)), iam.NotFound)
	fails(t, errOf(w.alice.c.CreatePolicy(ctx, api.Policy{})), iam.Invalid)

	wrong, err := api.NewClient(api.ClientConfig{BaseURL: w.url, ClientID: string(carol.sa.ID), ClientSecret: w.alice.secret})
	ok(t, err)
	e = fails(t, errOf(wrong.AuthDetails(ctx)), iam.Unauthenticated)
	if strings.Contains(e.Error(), w.alice.secret) {
		t.Errorf("the error holds the secret: %v", e)
	}
	nowhere, err := api.NewClient(api.ClientConfig{BaseURL: "http://127.0.0.1:1", ClientID: "a", ClientSecret: "b"})
	ok(t, err)
	fails(t, errOf(nowhere.AuthDetails(ctx)), iam.Unavailable)
	for _, base := range []string{"", "cloud.example", "ftp://cloud.example", "https://user:pass@cloud.example", "https://cloud.example?x=1"} {
		if _, err := api.NewClient(api.ClientConfig{BaseURL: base, ClientID: "a", ClientSecret: "b"}); err == nil || strings.Contains(err.Error(), "pass") {
			t.Errorf("%q: %v", base, err)
		}
	}
}

// TestTheClientFollowsNoRedirect: it would carry the secret along.
func TestTheClientFollowsNoRedirect(t *testing.T) {
	var reached atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer elsewhere.Close()
	redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer redirecting.Close()
	c, err := api.NewClient(api.ClientConfig{BaseURL: redirecting.URL, ClientID: "a", ClientSecret: "b"})
	ok(t, err)
	if _, err := c.AuthDetails(context.Background()); err == nil || reached.Load() {
		t.Errorf("%v, followed: %v", err, reached.Load())
	}
}
