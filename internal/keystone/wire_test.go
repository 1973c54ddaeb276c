package keystone_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const generic401 = "The request you have made requires authentication."

// Every line is one of wire-contract §2.4 and §3: what is asked and what is answered.
func TestTheLoginIsTheGuides(t *testing.T) {
	w := newWorld(t)
	unscoped := w.bearer(w.idToken(w.client))
	unscoped.want(t, 201, "")
	compareShape(t, "unscoped.json", unscoped.body)

	scoped := w.rescope(unscoped.token(), projectScope(w.project))
	scoped.want(t, 201, "")
	compareShape(t, "scoped.json", scoped.body)

	seen := w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", scoped.token(), "X-Subject-Token", scoped.token())
	seen.want(t, 200, "")
	if seen.token() != scoped.token() {
		t.Error("X-Subject-Token is not echoed")
	}
	if seen.text != scoped.text {
		t.Errorf("the token looks different when validated:\n%s\n%s", seen.text, scoped.text)
	}
	for _, a := range []*answer{unscoped, scoped, seen} {
		if !regexp.MustCompile(`^req-[0-9a-f-]{36}$`).MatchString(a.header.Get("x-openstack-request-id")) || a.header.Get("Vary") != "X-Auth-Token" {
			t.Errorf("request id or Vary: %v", a.header)
		}
		if len(a.token()) > 255 {
			t.Errorf("token of %d characters", len(a.token()))
		}
	}
}

// compareShape holds an answer against a sample: the same members everywhere, values of the same kind, and equal where the sample
// does not say "…".
func compareShape(t *testing.T, sample string, got any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + sample)
	must(t, err)
	var want any
	must(t, json.Unmarshal(b, &want))
	compareValue(t, sample, want, got)
}

func compareValue(t *testing.T, at string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s is %v, not an object", at, got)
			return
		}
		for k := range g {
			if _, there := want[k]; !there {
				t.Errorf("%s has a member %q too many", at, k)
			}
		}
		for k, v := range want {
			if _, there := g[k]; !there {
				t.Errorf("%s lacks %q", at, k)
				continue
			}
			compareValue(t, at+"."+k, v, g[k])
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			t.Errorf("%s is %v, want %d elements", at, got, len(want))
			return
		}
		for i := range want {
			compareValue(t, at+"[]", want[i], g[i])
		}
	case string:
		pattern, isPattern := strings.CutPrefix(want, "~")
		g, ok := got.(string)
		if !ok || isPattern && !regexp.MustCompile("^(?:"+pattern+")$").MatchString(g) || !isPattern && g != want {
			t.Errorf("%s is %v, want %s", at, got, want)
		}
	default:
		if got != want {
			t.Errorf("%s is %v, want %v", at, got, want)
		}
	}
}

func TestFederatedLoginByAnyRoute(t *testing.T) {
	w := newWorld(t)
	jwt := "Bearer " + w.idToken(w.client)
	for name, c := range map[string]struct {
		method, target, body string
	}{
		"POST":                          {"POST", loginURL, ""},
		"GET":                           {"GET", loginURL, ""},
		"without v3":                    {"POST", strings.TrimPrefix(loginURL, "/v3"), ""},
		"two slashes at the start":      {"POST", "/" + loginURL, ""},
		"a slash at the end":            {"POST", loginURL + "/", ""},
		"nocatalog":                     {"POST", loginURL + "?nocatalog", ""},
		"a body, which is not read":     {"POST", loginURL, "{"},
		"percent-encoding in the path":  {"POST", strings.Replace(loginURL, "emea", "%65mea", 1), ""},
		"percent-encoding of a keyword": {"POST", strings.Replace(loginURL, "OS-FED", "OS%2DFED", 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			w.do(c.method, c.target, c.body, "Authorization", jwt).want(t, 201, "")
		})
	}
	t.Run("a Canadian through its own provider", func(t *testing.T) {
		target := strings.Replace(loginURL, "emea", "world", 1)
		a := w.do("POST", target, "", "Authorization", "Bearer "+w.idToken(w.canadian))
		a.want(t, 201, "")
		if d := a.tok("user").(map[string]any)["domain"].(map[string]any)["name"]; d != "ovhcloud-world" {
			t.Errorf("domain %v", d)
		}
	})
}

func TestDiscovery(t *testing.T) {
	w := newWorld(t)
	root := w.do("GET", "/", "")
	root.want(t, 300, "")
	if root.header.Get("Location") != base+"/v3/" {
		t.Errorf("Location %q", root.header.Get("Location"))
	}
	compareShape(t, "versions.json", root.body)
	for _, target := range []string{"/v3", "/v3/", "//v3", "//v3/"} {
		a := w.do("GET", target, "")
		a.want(t, 200, "")
		compareShape(t, "version.json", a.body)
	}
	for _, target := range []string{"/v2.0", "/v2.0/tokens", "/v3/nothing", "/v3/auth", "/v3/auth//tokens", "/v3/./auth/tokens", "/v3/%zz"} {
		if strings.Contains(target, "%zz") {
			continue // net/http refuses it before us
		}
		a := w.do("GET", target, "")
		a.want(t, 404, "Not Found")
		if a.header.Get("Content-Type") != "text/html; charset=utf-8" || a.header.Get("X-Openstack-Request-Id") == "" || a.header.Get("Vary") == "" {
			t.Errorf("%s: headers %v", target, a.header)
		}
	}
}

func TestMethods(t *testing.T) {
	w := newWorld(t)
	a := w.do("PUT", "/v3/auth/tokens", "")
	if a.status != 405 || strings.TrimSpace(a.text) != `{"message": "The method is not allowed for the requested URL."}` {
		t.Errorf("PUT: %d %s", a.status, a.text)
	}
	allow := strings.Split(a.header.Get("Allow"), ", ")
	slices.Sort(allow)
	if !slices.Equal(allow, []string{"DELETE", "GET", "HEAD", "OPTIONS", "POST"}) {
		t.Errorf("Allow %v", allow)
	}
	if a := w.do("OPTIONS", "/v3/auth/tokens", ""); a.status != 200 || a.header.Get("Allow") == "" {
		t.Errorf("OPTIONS: %d %v", a.status, a.header)
	}
}

func TestRescope(t *testing.T) {
	w := newWorld(t)
	unscoped, scoped := w.login(w.client), w.scoped()
	for _, c := range []struct {
		name, token, scope string
		status             int
		message            string
	}{
		{"project by id", unscoped, projectScope(w.project), 201, ""},
		{"project by name in domain id", unscoped, `{"project":{"name":"proj","domain":{"id":"default"}}}`, 201, ""},
		{"project by name in domain name", unscoped, `{"project":{"name":"proj","domain":{"name":"Default"}}}`, 201, ""},
		{"project by id with members that Keystone ignores", unscoped, `{"project":{"id":"` + string(w.project) + `","x":1}}`, 201, ""},
		{"no scope", unscoped, "", 201, ""},
		{"the word unscoped", unscoped, `"unscoped"`, 201, ""},
		{"an unscoped object", unscoped, `{"unscoped":{}}`, 201, ""},
		{"a scoped token to the same project", scoped, projectScope(w.project), 201, ""},
		{"a scoped token to none", scoped, `"unscoped"`, 201, ""},

		{"own project without a role", unscoped, projectScope(w.unused), 401, generic401},
		{"another account's project", unscoped, projectScope(w.foreign), 401, generic401},
		{"a project that does not exist", unscoped, projectScope("00000000000000000000000000000000"), 401, generic401},
		{"an id of another form", unscoped, projectScope("../../etc"), 401, generic401},
		{"an id in upper case", unscoped, strings.ToUpper(projectScope("0F")), 400, "Expecting to find system"},
		{"another project by name", unscoped, `{"project":{"name":"unused","domain":{"id":"default"}}}`, 401, generic401},
		{"a name that does not exist", unscoped, `{"project":{"name":"nope","domain":{"id":"default"}}}`, 401, generic401},
		{"a name in another domain", unscoped, `{"project":{"name":"proj","domain":{"id":"nope"}}}`, 401, generic401},
		{"a name and the id of another", unscoped, `{"project":{"name":"proj","id":"` + string(w.unused) + `","domain":{"id":"default"}}}`, 401, generic401},
		{"a scoped token to another project", scoped, projectScope(w.unused), 401, generic401},
		{"a domain", unscoped, `{"domain":{"id":"default"}}`, 401, generic401},
		{"a domain by name", unscoped, `{"domain":{"name":"nope"}}`, 401, generic401},
		{"the system", unscoped, `{"system":{"all":true}}`, 401, generic401},
		{"a trust", unscoped, `{"OS-TRUST:trust":{"id":"0f"}}`, 401, generic401},

		{"two scopes", unscoped, `{"project":{"id":"` + string(w.project) + `"},"domain":{"id":"default"}}`, 400, "Expecting to find system, project, domain, OS-TRUST:trust or unscoped in scope. The server could not comply"},
		{"an unknown scope", unscoped, `{"galaxy":{}}`, 400, "Expecting to find system, project, domain"},
		{"an empty scope", unscoped, `{}`, 400, "Expecting to find system, project, domain"},
		{"null", unscoped, `null`, 400, "Expecting to find system, project, domain"},
		{"another word", unscoped, `"project"`, 400, "Expecting to find system, project, domain"},
		{"a list", unscoped, `[]`, 400, "Expecting to find system, project, domain"},
		{"a name without a domain", unscoped, `{"project":{"name":"proj"}}`, 400, "Expecting to find domain in project. The server could not comply"},
		{"a project of nothing", unscoped, `{"project":{}}`, 400, "Expecting to find id or name in project."},
		{"a null project", unscoped, `{"project":null}`, 400, "Expecting to find id or name in project."},
		{"a project that is a word", unscoped, `{"project":"proj"}`, 400, "must be an object"},
		{"an id that is a number", unscoped, `{"project":{"id":1}}`, 400, "must be a string"},
		{"a domain of nothing", unscoped, `{"domain":{}}`, 400, "Expecting to find id or name in domain."},
		{"the same member twice", unscoped, `{"project":{"id":"` + string(w.project) + `","id":"` + string(w.unused) + `"}}`, 400, "Expecting to find valid JSON in request body."},

		{"a token of nobody", "gAAAAAbogus", projectScope(w.project), 404, "Could not recognize Fernet token"},
		{"an empty token", "", "", 404, "Could not recognize Fernet token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.rescope(c.token, c.scope)
			a.want(t, c.status, c.message)
			switch {
			case c.status != 201 && a.token() != "":
				t.Error("a refusal with a token")
			case c.status == 401 && a.header.Get("WWW-Authenticate") != `Keystone uri="`+base+`/v3"`:
				t.Errorf("challenge %q", a.header.Get("WWW-Authenticate"))
			case c.status == 201 && strings.Contains(c.scope, `"project"`) != (a.tok("project") != nil):
				t.Errorf("scope: %s", a.text)
			}
		})
	}
}

func TestAuthRequests(t *testing.T) {
	w := newWorld(t)
	unscoped := w.login(w.client)
	malformed := "Expecting to find valid JSON in request body. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error."
	for _, c := range []struct {
		name, body string
		status     int
		message    string
	}{
		{"nothing", "", 400, malformed},
		{"half an object", `{"auth":`, 400, malformed},
		{"two values", `{} {}`, 400, malformed},
		{"not UTF-8", "{\"auth\":\"\xff\"}", 400, malformed},
		{"a member twice", `{"auth":{},"auth":{}}`, 400, malformed},
		{"no auth", `{}`, 400, "Expecting to find auth in request body."},
		{"a null auth", `{"auth":null}`, 400, "Expecting to find auth in request body."},
		{"a list", `[]`, 400, "an object"},
		{"no identity", `{"auth":{}}`, 400, "Expecting to find identity in auth."},
		{"methods that are no list", `{"auth":{"identity":{"methods":"token"}}}`, 400, "must be an array"},
		{"no methods", `{"auth":{"identity":{"methods":[]}}}`, 401, generic401},
		{"an unknown method", `{"auth":{"identity":{"methods":["telepathy"]}}}`, 401, "Attempted to authenticate with an unsupported method."},
		{"a known and an unknown method", `{"auth":{"identity":{"methods":["token","telepathy"],"token":{"id":"` + unscoped + `"}}}}`, 401, "unsupported method"},
		{"two methods", `{"auth":{"identity":{"methods":["token","openid"],"token":{"id":"` + unscoped + `"}}}}`, 401, generic401},
		{"openid here", `{"auth":{"identity":{"methods":["openid"],"openid":{}}}}`, 401, generic401},
		{"no token", `{"auth":{"identity":{"methods":["token"]}}}`, 400, "Expecting to find token in identity."},
		{"a token without id", `{"auth":{"identity":{"methods":["token"],"token":{}}}}`, 400, "Expecting to find id in token."},
		{"a body over the limit", `{"auth":"` + strings.Repeat("x", 64<<10) + `"}`, 413, "larger than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.do("POST", "/v3/auth/tokens", c.body)
			a.want(t, c.status, c.message)
			if strings.Contains(c.message, "unsupported") {
				compareValue(t, "methods", []any{"token", "password", "application_credential", "openid"}, a.body["error"].(map[string]any)["identity"].(map[string]any)["methods"])
			}
		})
	}
	t.Run("X-Auth-Token is not looked at", func(t *testing.T) {
		w.do("POST", "/v3/auth/tokens", rescopeBody(unscoped, projectScope(w.project)), "X-Auth-Token", "bogus").want(t, 201, "")
	})
	t.Run("nocatalog leaves the catalog out", func(t *testing.T) {
		a := w.do("POST", "/v3/auth/tokens?nocatalog=", rescopeBody(unscoped, projectScope(w.project)))
		if a.status != 201 || a.tok("catalog") != nil || a.tok("roles") == nil {
			t.Error(a.text)
		}
	})
}

func TestLookingAtTokens(t *testing.T) {
	w := newWorld(t)
	own, unscoped, others := w.scoped(), w.login(w.client), w.login(w.stranger)
	for _, c := range []struct {
		name, method, auth, subject string
		status                      int
		message                     string
	}{
		{"one's own", "GET", own, own, 200, ""},
		{"one's own, by HEAD", "HEAD", own, own, 200, ""},
		{"another of one's own", "GET", unscoped, own, 200, ""},
		{"somebody else's", "GET", others, own, 403, "You are not authorized to perform the requested action: identity:validate_token."},
		{"somebody else's, by HEAD", "HEAD", others, own, 403, "identity:check_token."},
		{"ending somebody else's", "DELETE", others, own, 403, "identity:revoke_token."},
		{"no subject", "GET", own, "", 404, "No token in the request"},
		{"a subject of nobody", "GET", own, "gAAAAAbogus", 404, "Could not recognize Fernet token"},
		{"without authentication", "GET", "", own, 401, generic401},
		{"with bogus authentication", "GET", "gAAAAAbogus", own, 401, generic401},
	} {
		t.Run(c.name, func(t *testing.T) {
			headers := []string{"X-Auth-Token", c.auth, "X-Subject-Token", c.subject}
			w.do(c.method, "/v3/auth/tokens", "", headers...).want(t, c.status, c.message)
		})
	}
	t.Run("two tokens in one header line each are nobody's", func(t *testing.T) {
		w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", own, "X-Auth-Token", own, "X-Subject-Token", own).want(t, 401, generic401)
	})
}
