package gateway

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
)

func TestRefusalsHaveTheServicesOwnShape(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ name, method, path, token, body, role, right string }{
		{"Nova", "GET", "/compute/v2.1/servers/detail", "none",
			`{"forbidden":{"code":403,"message":"Policy doesn't allow os_compute_api:servers:detail to be performed: needs role compute_read on this project, which the right publicCloudProject:openstack:infrastructureSupervisor grants; this account has no right on this project."}}`,
			"compute_read", "publicCloudProject:openstack:infrastructureSupervisor"},
		{"Cinder", "DELETE", "/volume/v3/" + projectA + "/volumes/1", "reader",
			`{"forbidden":{"code":403,"message":"Policy doesn't allow volume:delete to be performed: needs role volume_manage on this project, which the right publicCloudProject:openstack:volumeOperator grants; this account has infrastructureSupervisor."}}`,
			"volume_manage", "publicCloudProject:openstack:volumeOperator"},
		{"Neutron", "GET", "/network/v2.0/security-groups", "reader",
			`{"NeutronError":{"type":"PolicyNotAuthorized","message":"rule:get_security_group is disallowed by policy: needs role network_secgroup_read on this project, which the right publicCloudProject:openstack:infrastructureSupervisor grants; this account has infrastructureSupervisor.","detail":""}}`,
			"network_secgroup_read", "publicCloudProject:openstack:infrastructureSupervisor"},
		{"Glance", "GET", "/image/v2/images", "none",
			"<html>\n <head>\n  <title>403 Forbidden</title>\n </head>\n <body>\n  <h1>403 Forbidden</h1>\n  You are not authorized to complete get_images action. Needs role image_read on this project, which the right RIGHT grants; this account has no right on this project.<br /><br />\n\n\n\n </body>\n</html>",
			"image_read", "RIGHT"},
		{"Swift", "GET", "/object-store/v1/AUTH_" + projectA + "?format=json", "reader",
			"<html><h1>Forbidden</h1><p>Access was denied to this resource.</p></html>",
			"objectstore_all", "publicCloudProject:openstack:objectstoreOperator"},
		{"Swift's HEAD", "HEAD", "/object-store/v1/AUTH_" + projectA, "reader", "", "objectstore_all", "publicCloudProject:openstack:objectstoreOperator"},
		{"AI Training", "POST", "/ai-training/v1/job", "none",
			`{"message":"Needs role ai_training_all on this project, which the right publicCloudProject:ai:aiTrainingOperator grants; this account has no right on this project."}`,
			"ai_training_all", "publicCloudProject:ai:aiTrainingOperator"},
		{"an unknown call", "GET", "/compute/v2.1/os-nothing", "all",
			`{"forbidden":{"code":403,"message":"No rule names this call, so no role permits it."}}`, "none", "none"},
		{"an administrator's call", "GET", "/network/v2.0/agents", "all",
			`{"NeutronError":{"type":"PolicyNotAuthorized","message":"rule:get_agent is disallowed by policy: it is the cloud administrator's call, which no right opens.","detail":""}}`, "none", "none"},
		{"flavors without any role", "GET", "/compute/v2.1/flavors", "none",
			`{"forbidden":{"code":403,"message":"Policy doesn't allow GET /flavors to be performed: needs any role on this project; this account has no right on this project."}}`, "any", "any"},
		{"all tenants", "GET", "/compute/v2.1/servers?all_tenants=1", "all",
			`{"forbidden":{"code":403,"message":"Policy doesn't allow os_compute_api:servers:index to be performed: only the cloud administrator may set all_tenants; leave it out."}}`, "none", "none"},
		{"another project", "GET", "/volume/v3/" + projectB + "/volumes", "all",
			`{"forbidden":{"code":403,"message":"Policy doesn't allow volume:get_all to be performed: it names a project that is not the token's, in the path."}}`, "none", "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.right == "RIGHT" {
				c.right = string(iam.CheapestRights(rbac.ImageRead)[0])
				c.body = strings.ReplaceAll(c.body, "RIGHT", c.right)
			}
			resp, body := w.ask(t, c.method, "/GRA1"+c.path, "X-Auth-Token: "+c.token)
			if resp.StatusCode != 403 || body != c.body {
				t.Errorf("%d\n%s\nwant\n%s", resp.StatusCode, body, c.body)
			}
			h := resp.Header
			if h.Get("X-Stackgate-Missing-Role") != c.role || h.Get("X-Stackgate-Rights") != c.right {
				t.Errorf("role %q, rights %q", h.Get("X-Stackgate-Missing-Role"), h.Get("X-Stackgate-Rights"))
			}
			if !regexp.MustCompile(`^req-[0-9a-f-]{36}$`).MatchString(h.Get("X-Stackgate-Request-Id")) {
				t.Errorf("X-Stackgate-Request-Id: %q", h.Get("X-Stackgate-Request-Id"))
			}
			if got := w.last(); got != "" {
				t.Errorf("the cloud got %q", got)
			}
		})
	}
}

func TestRequestIDsAreTheServices(t *testing.T) {
	w := newWorld(t)
	resp, _ := w.ask(t, "GET", "/GRA1/object-store/v1/AUTH_"+projectA, "X-Auth-Token: none")
	id := resp.Header.Get("X-Trans-Id")
	if !regexp.MustCompile(`^tx[0-9a-f]{21}-[0-9a-f]{10}$`).MatchString(id) || resp.Header.Get("X-Openstack-Request-Id") != id ||
		resp.Header.Get("Content-Type") != "text/html; charset=UTF-8" || resp.ContentLength != 73 {
		t.Errorf("Swift: %v", resp.Header)
	}
	for _, path := range []string{"/compute/v2.1/servers", "/volume/v3/" + projectA + "/volumes"} { // Cinder's client, too, prints this one
		resp, _ = w.ask(t, "GET", "/GRA1"+path, "X-Auth-Token: none")
		if id := resp.Header.Get("X-Openstack-Request-Id"); !strings.HasPrefix(id, "req-") || resp.Header.Get("X-Compute-Request-Id") != id {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
}

func TestNoOrABadTokenIs401InTheServicesShape(t *testing.T) {
	w := newWorld(t)
	const keystone = `{"error":{"code":401,"title":"Unauthorized","message":"The request you have made requires authentication."}}`
	for _, c := range []struct{ path, challenge, body string }{
		{"/compute/v2.1/servers", `Keystone uri="https://id.example/v3"`, keystone},
		{"/image/v2/images", `Keystone uri="https://id.example/v3"`, keystone},
		{"/compute/v2.1/os-nothing", `Keystone uri="https://id.example/v3"`, keystone},
		{"/object-store/v1/AUTH_" + projectB, `Swift realm="AUTH_` + projectB + `"`,
			"<html><h1>Unauthorized</h1><p>This server could not verify that you are authorized to access the document you requested.</p></html>"},
		{"/ai-training/v1/job", `Keystone uri="https://id.example/v3"`, `{"message":"The request you have made requires authentication."}`},
	} {
		for _, token := range []string{"X-Other: 1", "X-Auth-Token: gone"} {
			resp, body := w.ask(t, "GET", "/GRA1"+c.path, token)
			if resp.StatusCode != 401 || body != c.body || resp.Header.Get("Www-Authenticate") != c.challenge || w.last() != "" {
				t.Errorf("%s, %s: %d %q %q", c.path, token, resp.StatusCode, resp.Header.Get("Www-Authenticate"), body)
			}
		}
	}
}

func TestAITrainingTakesABearerToken(t *testing.T) {
	w := newWorld(t)
	resp, _ := w.ask(t, "GET", "/GRA1/ai-training/v1/job", "Authorization: Bearer all")
	if got := w.last(); resp.StatusCode != 200 || strings.Contains(got, "Bearer") {
		t.Errorf("%d, the cloud got %q", resp.StatusCode, got)
	}
}

func TestWhenTheDatabaseIsAwayItIs503(t *testing.T) {
	w := newWorld(t)
	w.fail = iam.Errorf(iam.Unavailable, "no database")
	for path, body := range map[string]string{
		"/compute/v2.1/servers":             `{"serviceUnavailable":{"code":503,"message":"It cannot be known now what this token may do. Try again."}}`,
		"/object-store/v1/AUTH_" + projectA: "<html><h1>Service Unavailable</h1><p>The server is currently unavailable. Please try again at a later time.</p></html>",
	} {
		resp, got := w.ask(t, "GET", "/GRA1"+path, "X-Auth-Token: all")
		if resp.StatusCode != 503 || got != body || w.last() != "" {
			t.Errorf("%s: %d %s", path, resp.StatusCode, got)
		}
	}
}

func TestCallsThatNeedNoTokenGoOnWithoutCredential(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		call   string
		token  string
		status int
	}{
		{"GET /GRA1/compute/v2.1", "gone", 200},
		{"GET /GRA1/compute", "", 200},
		{"GET /GRA1/image/", "", 200},
		{"GET /GRA1/network/v2.0", "", 200},
		{"GET /GRA1/object-store/info", "", 200},
		{"GET /GRA1/object-store/v1/AUTH_" + projectA + "/public/o", "", 200},
		{"PUT /GRA1/object-store/v1/AUTH_" + projectA + "/c/o?temp_url_sig=1&temp_url_expires=2", "all", 200},
		{"OPTIONS /GRA1/object-store/v1/AUTH_" + projectA + "/c", "", 200},
		{"GET /GRA1/object-store/v1/AUTH_" + projectB + "/public/o", "", 401},
		{"PUT /GRA1/object-store/v1/AUTH_" + projectB + "/c/o?temp_url_sig=1", "", 401},
		{"OPTIONS /GRA1/object-store/v1/AUTH_" + projectB + "/c", "", 401},
		{"POST /GRA1/object-store/v1/AUTH_" + projectA + "/c/formpost", "", 401},
		{"PUT /GRA1/object-store/v1/AUTH_" + projectA + "/c/o", "", 401},
		{"GET /GRA1/object-store/v1/AUTH_" + projectA, "", 401},
		{"GET /GRA1/volume/v3/", "", 200}, // whether it wants a token is Cinder's to say
	} {
		method, path, _ := strings.Cut(c.call, " ")
		headers := []string{"Content-Length: 0"}
		if c.token != "" {
			headers = append(headers, "X-Auth-Token: "+c.token)
		}
		resp, _ := w.ask(t, method, path, headers...)
		got := identity(w.last())
		if resp.StatusCode != c.status || (got["host"] != nil) != (c.status == 200) {
			t.Errorf("%s: %d, the cloud got %v", c.call, resp.StatusCode, got)
		}
		for _, name := range []string{"x-auth-token", "x-roles", "x-project-id", "x-user-id", "x-identity-status"} {
			if got[name] != nil {
				t.Errorf("%s: %s reached the cloud", c.call, name)
			}
		}
	}
}

func TestEveryKindOfErrorHasAStatus(t *testing.T) {
	for _, k := range iam.Kinds() {
		if statusOf(k) == http.StatusInternalServerError {
			t.Errorf("%s has none", k)
		}
	}
}

func TestACloudThatIsDownIs502(t *testing.T) {
	w := newWorld(t)
	w.serve(t, proxied(t, ProxyConfig{URL: "http://127.0.0.1:1"}))
	resp, body := w.ask(t, "GET", "/GRA1/network/v2.0/networks", "X-Auth-Token: all")
	if resp.StatusCode != 502 || body != `{"NeutronError":{"type":"HTTPBadGateway","message":"The service behind the gateway did not answer.","detail":""}}` {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
