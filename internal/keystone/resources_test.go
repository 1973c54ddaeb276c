package keystone_test

import (
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/keystone"
)

func TestOnesOwnThings(t *testing.T) {
	w := newWorld(t)
	token := w.scoped()
	me := w.rescope(token, "").tok("user").(map[string]any)["id"].(string)

	user := w.get("/v3/users/"+me, token)
	user.want(t, 200, "")
	compareShape(t, "user.json", user.body)
	w.get("/v3/users/"+me, w.login(w.stranger)).want(t, 403, "identity:get_user.")
	w.get("/v3/users/"+me+"/projects", w.login(w.stranger)).want(t, 403, "identity:list_user_projects.")
	w.get("/v3/users/"+me+"/groups", w.login(w.stranger)).want(t, 403, "identity:list_groups_for_user.")

	catalog := w.get("/v3/auth/catalog", token)
	catalog.want(t, 200, "")
	if !strings.Contains(catalog.text, base+"/GRA1/volume/v3/"+string(w.project)+`"`) || strings.Contains(catalog.text, "(") {
		t.Errorf("catalog: %s", catalog.text)
	}
	w.get("/v3/auth/catalog", w.login(w.client)).want(t, 403, "You are not authorized to perform the requested action.")

	for target, list := range map[string]string{
		"/v3/auth/domains": "domains", "/v3/OS-FEDERATION/domains": "domains", "/v3/auth/system": "system", "/v3/users/" + me + "/groups": "groups",
	} {
		a := w.get(target, token)
		a.want(t, 200, "")
		if l, ok := a.body[list].([]any); !ok || len(l) != 0 {
			t.Errorf("%s: %s", target, a.text)
		}
		if self := a.body["links"].(map[string]any)["self"]; self != base+target {
			t.Errorf("%s: self is %v", target, self)
		}
	}
	w.get("/v3/regions", token).want(t, 200, "")
	w.get("/v3/regions/BHS1", token).want(t, 200, "")
	w.get("/v3/regions/XXX1", token).want(t, 404, "Could not find region: XXX1.")
}

func TestAdministratorsCallsAreRefusedByName(t *testing.T) {
	w := newWorld(t)
	token := w.scoped()
	for call, rule := range map[string]string{
		"GET /v3/projects": "list_projects", "GET /v3/projects?name=proj": "list_projects", "POST /v3/projects": "create_project",
		"DELETE /v3/projects/" + string(w.project): "delete_project", "GET /v3/users": "list_users", "GET /v3/roles": "list_roles",
		"GET /v3/roles/0f": "get_role", "GET /v3/services": "list_services", "GET /v3/endpoints": "list_endpoints", "GET /v3/domains": "list_domains",
		"GET /v3/domains/default": "get_domain", "GET /v3/groups": "list_groups", "GET /v3/role_assignments": "list_role_assignments",
		"POST /v3/regions": "create_region", "PUT /v3/projects/a/users/b/roles/c": "create_grant", "GET /v3/projects/a/groups/b/roles": "list_grants",
		"HEAD /v3/projects/a/users/b/roles/c": "check_grant", "GET /v3/OS-FEDERATION/identity_providers": "list_identity_providers",
		"PUT /v3/OS-FEDERATION/identity_providers/x/protocols/openid": "create_protocol", "GET /v3/OS-FEDERATION/mappings/x": "get_mapping",
	} {
		method, target, _ := strings.Cut(call, " ")
		w.do(method, target, "", "X-Auth-Token", token).want(t, 403, "You are not authorized to perform the requested action: identity:"+rule+".")
		w.do(method, target, "").want(t, 401, generic401)
	}
}

// TestCatalogsThatAreRefused: what is in the catalog is shown to every tenant, and services send tokens there (threat K20).
func TestCatalogsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	good := keystone.Endpoint{Region: "R", Interface: "public", URL: "https://h:1/v1/AUTH_%(project_id)s"}
	for name, spoil := range map[string]func(*keystone.Endpoint){
		"a template that shows a password": func(e *keystone.Endpoint) { e.URL = "http://h/$(password)s" },
		"a template in another spelling":   func(e *keystone.Endpoint) { e.URL = "http://h/%(user_id)s" },
		"a password":                       func(e *keystone.Endpoint) { e.URL = "http://u:p@h/" },
		"no host":                          func(e *keystone.Endpoint) { e.URL = "http:///v1" },
		"another scheme":                   func(e *keystone.Endpoint) { e.URL = "ftp://h/" },
		"a query":                          func(e *keystone.Endpoint) { e.URL = "http://h/?a=b" },
		"no region":                        func(e *keystone.Endpoint) { e.Region = "" },
		"no interface":                     func(e *keystone.Endpoint) { e.Interface = "" },
		"an interface that nobody knows":   func(e *keystone.Endpoint) { e.Interface = "private" },
	} {
		t.Run(name, func(t *testing.T) {
			e, c := good, w.config
			spoil(&e)
			c.Catalog = []keystone.Service{{"x", "x", []keystone.Endpoint{e}}}
			if _, err := keystone.New(c); err == nil {
				t.Error("accepted")
			}
		})
	}
	c := w.config
	c.Catalog = []keystone.Service{{"x", "x", []keystone.Endpoint{good}}, {"x", "y", []keystone.Endpoint{good}}}
	if _, err := keystone.New(c); err == nil {
		t.Error("two public endpoints of one type in one region accepted")
	}
	c.Catalog = c.Catalog[:1]
	if _, err := keystone.New(c); err != nil {
		t.Error("a good one:", err)
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, spoil := range map[string]func(*keystone.Config){
		"no registry":                 func(c *keystone.Config) { c.Registry = nil },
		"no ring":                     func(c *keystone.Config) { c.Ring = nil },
		"a slash at the end":          func(c *keystone.Config) { c.PublicURL += "/" },
		"a life under the minimum":    func(c *keystone.Config) { c.TokenLife = 1 },
		"a life over a day":           func(c *keystone.Config) { c.TokenLife = 1 << 62 },
		"two providers of a name":     func(c *keystone.Config) { c.Providers = append(c.Providers, c.Providers[0]) },
		"a provider without issuer":   func(c *keystone.Config) { c.Providers = []keystone.Provider{{Name: "x", Partition: "eu"}} },
		"a service without endpoints": func(c *keystone.Config) { c.Catalog = []keystone.Service{{"x", "x", nil}} },
	} {
		t.Run(name, func(t *testing.T) {
			c := w.config
			spoil(&c)
			if _, err := keystone.New(c); err == nil {
				t.Error("accepted")
			}
		})
	}
}
