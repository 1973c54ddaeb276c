package oidc_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/oidc"
	"github.com/stackgate/stackgate/internal/urn"
)

const wellKnown = "/.well-known/openid-configuration"

func TestDiscovery(t *testing.T) {
	w := newWorld(t)
	a := w.get(pciEU + wellKnown)
	var doc map[string]any
	must(t, json.Unmarshal([]byte(a.body), &doc))
	issuer := w.url + pciEU
	if oidc.Issuer(w.url, urn.EU) != issuer {
		t.Errorf("Issuer gives %s", oidc.Issuer(w.url, urn.EU))
	}
	for name, want := range map[string]string{
		"issuer": issuer, "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/jwks", "authorization_endpoint": issuer + "/authorize",
	} {
		if doc[name] != want {
			t.Errorf("%s is %v instead of %s", name, doc[name], want)
		}
	}
	for name, want := range map[string]string{
		"grant_types_supported": "client_credentials", "response_types_supported": "id_token", "subject_types_supported": "public",
		"id_token_signing_alg_values_supported": "ES256", "token_endpoint_auth_methods_supported": "client_secret_basic",
		"scopes_supported": "openid", "claims_supported": "groups",
	} {
		if list, ok := doc[name].([]any); !ok || !slices.Contains(list, any(want)) {
			t.Errorf("%s is %v, without %s", name, doc[name], want)
		}
	}
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" || !strings.Contains(a.header.Get("Cache-Control"), "max-age") {
		t.Errorf("%d %v", a.status, a.header)
	}
	if head := w.do(w.request(http.MethodHead, pciEU+wellKnown, "")); head.status != 200 || head.body != "" {
		t.Errorf("HEAD: %d %q", head.status, head.body)
	}
	keys := w.get(pciEU + "/jwks")
	if keys.body != string(w.ring.JWKS()) || keys.header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("jwks: %s %v", keys.body, keys.header)
	}
}

func TestRoleAdaptersAreFoundLeniently(t *testing.T) {
	w := newWorld(t)
	eu, ca := `"issuer":"`+w.url+pciEU+`"`, `"issuer":"`+w.url+pciCA+`"`
	for _, test := range []struct{ name, segment, want string }{
		{"as the guide prints it", "urn:v1:eu:resource:publicCloudProject:pci", eu},
		{"of another partition", "urn:v1:ca:resource:publicCloudProject:pci", ca},
		{"percent-encoded", "urn%3Av1%3Aeu%3Aresource%3ApublicCloudProject%3Apci", eu},
		{"percent-encoded in lower case", "urn%3av1%3aca%3aresource%3apublicCloudProject%3apci", ca},
		{"with a project's id", "urn:v1:eu:resource:publicCloudProject:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", eu},
		{"of a partition that is not served", "urn:v1:us:resource:publicCloudProject:pci", ""},
		{"of no partition", "urn:v1::resource:publicCloudProject:pci", ""},
		{"in capitals", "URN:V1:EU:resource:publicCloudProject:pci", ""},
		{"of another type", "urn:v1:eu:resource:vps:pci", ""},
		{"with nothing after the type", "urn:v1:eu:resource:publicCloudProject:", ""},
		{"no URN", "eu", ""},
		{"nothing", "", ""},
		{"encoded twice", "urn%253Av1%253Aeu%253Aresource%253ApublicCloudProject%253Apci", ""},
		{"with an encoded slash", "urn:v1:eu:resource:publicCloudProject:a%2Fb", ""},
		{"with an encoded line end", "urn:v1:eu:resource:publicCloudProject:a%0d%0ab", ""},
	} {
		a := w.get("/role-adapter/" + test.segment + wellKnown)
		if test.want == "" {
			refused(t, test.name, a, 404, "not_found")
		} else if a.status != 200 || !strings.Contains(a.body, test.want) {
			t.Errorf("%s: %d %s", test.name, a.status, a.body)
		}
	}
	for _, path := range []string{"/role-adapter", "/role-adapter/", pciEU, pciEU + "/", pciEU + "/userinfo", pciEU + "/token/", "/role-adapter/" + pciEU + wellKnown,
		"/auth/oauth2/token/", "/auth/oauth2", "/auth/"} {
		refused(t, path, w.get(path), 404, "not_found")
	}
}

func TestMethodsAreThoseOfTheEndpoint(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct{ method, path, allow string }{
		{"GET", pciEU + "/token", "POST"}, {"PUT", pciEU + "/token", "POST"}, {"GET", "/auth/oauth2/token", "POST"},
		{"POST", pciEU + wellKnown, "GET, HEAD"}, {"DELETE", pciEU + "/jwks", "GET, HEAD"}, {"OPTIONS", pciEU + "/jwks", "GET, HEAD"},
	} {
		a := w.do(w.request(test.method, test.path, ""))
		refused(t, test.method+" "+test.path, a, 405, "invalid_request")
		if a.header.Get("Allow") != test.allow {
			t.Errorf("%s %s: Allow %q", test.method, test.path, a.header.Get("Allow"))
		}
	}
}

// TestO17_TheAuthorizationEndpointRefuses and never redirects, whatever it is asked.
func TestO17_TheAuthorizationEndpointRefuses(t *testing.T) {
	w := newWorld(t)
	for _, query := range []string{"", "?response_type=code&client_id=x&redirect_uri=https://evil.example/", "?prompt=none"} {
		a := w.get(pciEU + "/authorize" + query)
		refused(t, query, a, 400, "unsupported_response_type")
		if a.header.Get("Location") != "" || strings.Contains(a.body, "evil") {
			t.Errorf("%q: %v %s", query, a.header, a.body)
		}
	}
	refused(t, "POST", w.post(pciEU+"/authorize", ""), 400, "unsupported_response_type")
}

func TestNewChecksItsConfiguration(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*oidc.Config){
		"no registry":                   func(c *oidc.Config) { c.Registry = nil },
		"no keys":                       func(c *oidc.Config) { c.Ring = nil },
		"no public URL":                 func(c *oidc.Config) { c.PublicURL = "" },
		"a public URL without a scheme": func(c *oidc.Config) { c.PublicURL = "iam.example" },
		"a slash at the end":            func(c *oidc.Config) { c.PublicURL += "/" },
		"no audience":                   func(c *oidc.Config) { c.IdentityAudience = "" },
	} {
		c := w.config
		change(&c)
		if s, err := oidc.New(c); err == nil || s != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
