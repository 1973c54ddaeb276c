package stackgate

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stackgate/stackgate/internal/realcloud"
)

// TestRealKeystoneTrustsTheRoleAdapter walks docs/run-with-your-keystone.md against a real Keystone, in which there is something before.
func TestRealKeystoneTrustsTheRoleAdapter(t *testing.T) {
	s := startTrusting(t)
	guide, second := s.project("guide"), s.project("second")
	s.makeForeign(guide)
	before := s.everything()
	for _, part := range []struct {
		name string
		test func(s *trusting, guide, second string)
	}{
		{"plan and apply", testPlanAndApply},
		{"somebody who is no administrator", testOrdinaryUser},
		{"the guide's command", testGuidesCommand},
		{"exec, token and doctor", testThroughExec},
		{"two projects in one account", testTwoProjects},
		{"a removed policy is gone at the next login", testRemovedPolicy},
		{"many groups are narrowed to one project", testNarrowing},
		{"only what is for this Keystone, by this issuer, and signed", testGuards},
		{"keys rotate", testRotation},
		{"a project that is disabled", testDisabledProject},
		{"what is in the way is a conflict", testConflict},
		{"what is ours is taken away", testRemoval},
		{"what fails half-way is continued", testHalfWay},
	} {
		ok := t.Run(part.name, func(t *testing.T) {
			inner, dev := *s, *s.dev
			dev.t, inner.dev = t, &dev
			part.test(&inner, guide, second)
			inner.stillThere(before)
		})
		if !ok {
			break // the next part stands on this one
		}
	}
}

// makeForeign makes what an operator may have: a role of a name of ours, an identity provider of others with mapping and protocol, a group
// of a name of ours in another domain, with a role.
func (s *trusting) makeForeign(project string) {
	role := s.admin("POST", "/roles", `{"role":{"name":"volume_read","description":"of the operator"}}`).text("role", "id")
	group := s.admin("POST", "/groups", `{"group":{"domain_id":"default","name":"`+project+`:volumeOperator"}}`).text("group", "id")
	s.admin("PUT", "/projects/"+project+"/groups/"+group+"/roles/"+role, "")
	s.admin("PUT", "/OS-FEDERATION/identity_providers/people", `{"identity_provider":{"domain_id":"default","remote_ids":["https://people.example"]}}`)
	s.admin("PUT", "/OS-FEDERATION/mappings/people", `{"mapping":{"rules":[{"local":[{"user":{"name":"{0}"}}],"remote":[{"type":"OIDC-sub"}]}]}}`)
	s.admin("PUT", "/OS-FEDERATION/identity_providers/people/protocols/openid", `{"protocol":{"mapping_id":"people"}}`)
}

// everything lists what apply could touch.
func (s *trusting) everything() map[string][]any {
	s.t.Helper()
	all := map[string][]any{}
	for path, member := range map[string]string{
		"/roles": "roles", "/domains": "domains", "/groups": "groups", "/projects": "projects", "/users": "users", "/role_assignments": "role_assignments",
		"/OS-FEDERATION/identity_providers": "identity_providers", "/OS-FEDERATION/mappings": "mappings",
		"/OS-FEDERATION/identity_providers/people/protocols": "protocols",
	} {
		all[path] = s.admin("GET", path, "").body[member].([]any)
	}
	return all
}

// stillThere wants everything that was there before, unchanged.
func (s *trusting) stillThere(before map[string][]any) {
	s.t.Helper()
	now := s.everything()
	for path, list := range before {
		for _, want := range list {
			if !slices.ContainsFunc(now[path], func(got any) bool { return reflect.DeepEqual(got, want) }) {
				s.t.Errorf("%s: changed or gone: %v", path, want)
			}
		}
	}
}

const nothing = "Nothing to do.\n"

// apply must go well and leave nothing to do.
func (s *trusting) apply() string {
	s.t.Helper()
	out := s.ok("env", "stackgate keystone apply --cloud admin 2>&1")
	if again := s.ok("env", "stackgate keystone plan --cloud admin 2>&1"); !strings.HasSuffix(again, nothing) {
		s.t.Errorf("a second plan is not empty:\n%s", again)
	}
	return out
}

func testPlanAndApply(s *trusting, guide, _ string) {
	plan := s.ok("env", "stackgate keystone plan --cloud admin")
	for _, want := range []string{`create +domain +ovhcloud-emea`, `create +identity provider +ovhcloud-emea`, `create +mapping`, `create +protocol +openid`,
		`create +role +compute_read`, `note +role +volume_read +was there before`,
		`create +group +` + guide + `:infrastructureSupervisor +with compute_read image_read volume_read network_read`} {
		if !matches(want, plan) {
			s.t.Errorf("the plan has no %s:\n%s", want, plan)
		}
	}
	if out := s.apply(); !matches(`\d+/\d+ create group `+guide, out) {
		s.t.Error(out)
	}
	var list []struct{ Change, Kind, Name, Detail string }
	if err := json.Unmarshal([]byte(s.ok("env", "OS_CLOUD=admin stackgate -o json keystone plan")), &list); err != nil || len(list) != 1 || list[0].Change != "note" {
		s.t.Errorf("as JSON: %v %v", list, err)
	}
}

// testOrdinaryUser is no administrator, and is told so.
func testOrdinaryUser(s *trusting, guide, _ string) {
	user := s.admin("POST", "/users", `{"user":{"name":"ordinary","domain_id":"default","password":"of-nobody-special"}}`).text("user", "id")
	role := s.admin("GET", "/roles?name=member", "").body["roles"].([]any)[0].(map[string]any)["id"].(string)
	s.admin("PUT", "/projects/"+guide+"/users/"+user+"/roles/"+role, "")
	s.ok("env", "sed 's/username: admin/username: ordinary/; s/password: .*/password: of-nobody-special/; s/project_name: admin/project_name: guide/' clouds.yaml >ordinary.yaml")
	out, err := s.sh("env", "OS_CLIENT_CONFIG_FILE=ordinary.yaml stackgate keystone plan --cloud admin 2>&1")
	if err == nil || !strings.Contains(out, "must be an administrator's") {
		s.t.Errorf("%v\n%s", err, out)
	}
}

var supervisorRoles = []string{"compute_read", "image_read", "network_read", "network_secgroup_read", "volume_read"}

func testGuidesCommand(s *trusting, guide, _ string) {
	s.automator("supervisor", guide, "infrastructureSupervisor")
	if got := s.rolesOf("supervisor", ""); !slices.Equal(got, supervisorRoles) {
		s.t.Errorf("the token's roles are %v, want %v", got, supervisorRoles)
	}
	head, err := base64.RawURLEncoding.DecodeString(strings.Split(s.idToken("supervisor", ""), ".")[0])
	if err != nil || !strings.Contains(string(head), `"ES256"`) {
		s.t.Errorf("the id_token's head is %s, %v", head, err)
	}
	if out, err := s.sh("supervisor", "OS_PROJECT_ID=ffffffffffffffffffffffffffffffff openstack token issue"); err == nil || !strings.Contains(out, "HTTP 401") {
		s.t.Errorf("a project that is not its own: %v\n%s", err, out)
	}
}

func testTwoProjects(s *trusting, guide, second string) {
	id := s.automator("both", guide, "objectstoreOperator")
	s.policy("both", id, second, "networkSecurityOperator", "aiTrainingRead")
	for project, want := range map[string][]string{
		guide:  {"objectstore_all"},
		second: {"ai_training_read", "network_secgroup_manage", "network_secgroup_read"},
	} {
		if got := s.rolesOf("both", "OS_PROJECT_ID="+project); !slices.Equal(got, want) {
			s.t.Errorf("roles on %s are %v, want %v", project, got, want)
		}
	}
	if a := s.scope(s.federated(s.idToken("both", "")), second); a.status != http.StatusCreated {
		s.t.Errorf("one login for both: %d", a.status)
	}
}

func testRemovedPolicy(s *trusting, guide, _ string) {
	id := s.automator("leaver", guide)
	if out, err := s.sh("leaver", "openstack token issue"); err == nil || !strings.Contains(out, "HTTP 401") {
		s.t.Errorf("without a policy: %v\n%s", err, out)
	}
	policy := s.policy("leaver", id, guide, "imageOperator")
	token := s.scope(s.federated(s.idToken("leaver", "")), guide).header.Get("X-Subject-Token")
	if got := s.rolesIn(token); !slices.Equal(got, []string{"image_import", "image_manage", "image_read"}) {
		s.t.Errorf("with a policy: %v", got)
	}
	s.ok("admin.env", "stackgate policy delete "+policy)
	if out, err := s.sh("leaver", "openstack token issue"); err == nil || !strings.Contains(out, "HTTP 401") {
		s.t.Errorf("the policy is removed: %v\n%s", err, out)
	}
	if len(s.rolesIn(token)) == 0 {
		s.t.Error("a token from before has lost its roles: then docs/run-with-your-keystone.md is wrong")
	}
}

// testNarrowing gives one service account every right on so many projects that its groups do not fit into an id_token.
func testNarrowing(s *trusting, guide, _ string) {
	id := s.automator("large", guide, "volumeOperator", "networkOperator")
	script := "for p in $(seq 30); do p=$(printf 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeee%02d' $p); stackgate project create p$p --account eu/xx11111-ovh --id $p >/dev/null; " +
		"stackgate policy create --name large-$p --service-account " + id + " --right administrator,backupOperator,volumeOperator --project $p >/dev/null; done"
	s.ok("admin.env", script)
	if groups := s.claims(s.idToken("large", ""))["groups"].([]any); len(groups) != 0 {
		s.t.Errorf("%d groups in a token that should have none", len(groups))
	}
	if out, err := s.sh("large", "openstack token issue"); err == nil || !strings.Contains(out, "HTTP 401") {
		s.t.Errorf("with no groups: %v\n%s", err, out)
	}
	want := []string{"network_manage", "network_read", "network_secgroup_read", "volume_manage", "volume_read", "volume_snapshot_manage"}
	if got := s.rolesOf("large", "OS_OPENID_SCOPE='openid publicCloudProject/"+guide+"'"); !slices.Equal(got, want) {
		s.t.Errorf("narrowed to one project: %v, want %v", got, want)
	}
	s.ok("env", "stackgate -o json project list | sed -n 's/.*\"id\": \"\\(eeee.*\\)\".*/\\1/p' | while read p; do stackgate project disable $p 2>/dev/null; done")
}

// testGuards presents what is not for this Keystone, and what nobody signed.
func testGuards(s *trusting, guide, _ string) {
	good := s.idToken("supervisor", "")
	ours := func(bearer string) int {
		return s.post(s.url+"/v3/OS-FEDERATION/identity_providers/ovhcloud-emea/protocols/openid/auth", "", "Authorization: Bearer "+bearer).status
	}
	if a := s.federate("ovhcloud-emea", good); a.status != http.StatusCreated {
		s.t.Fatalf("an id_token for this Keystone: %d %v", a.status, a.body)
	}
	if status := ours(good); status != http.StatusUnauthorized {
		s.t.Errorf("our own Identity API takes an id_token for the Keystone: %d", status)
	}
	other := s.withoutKeystone()
	if status := ours(other); status != http.StatusCreated {
		s.t.Errorf("an id_token for our own Identity API, there: %d", status)
	}
	head, rest, _ := strings.Cut(good, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	for name, c := range map[string]struct{ provider, bearer string }{
		"for our own Identity API":       {"ovhcloud-emea", other},
		"for another identity provider":  {"people", good},
		"of another Stackgate":           {"ovhcloud-emea", s.forged()},
		"with another token's signature": {"ovhcloud-emea", head + "." + claims + "." + other[strings.LastIndexByte(other, '.')+1:]},
		"without a signature":            {"ovhcloud-emea", "eyJhbGciOiJub25lIn0." + claims + "."},
		"an access token":                {"ovhcloud-emea", s.tokens("supervisor", "")["access_token"].(string)},
		"cut short":                      {"ovhcloud-emea", head + "." + claims + "." + signature[:40]},
	} {
		if a := s.federate(c.provider, c.bearer); a.status != 401 && a.status != 403 {
			s.t.Errorf("an id_token %s: %d %v", name, a.status, a.body)
		}
	}
	s.spoof(guide)
}

// spoof sends as headers what Apache sets as variables, with and without a way around its guard.
func (s *trusting) spoof(project string) {
	s.t.Helper()
	iss := s.url + "/role-adapter/urn:v1:eu:resource:publicCloudProject:pci"
	headers := []string{"OIDC-sub: x", "OIDC-iss: " + iss, "OIDC-aud: " + s.keystone.URL, "OIDC-provider: ovhcloud-emea", "OIDC-groups: " + project + ":administrator",
		"OIDC_iss: " + iss, "OIDC_sub: x", "OIDC_aud: " + s.keystone.URL, "REMOTE_USER: x", "Remote-User: x", "X-Remote-User: x", "Auth-Type: oauth20"}
	direct := `{"auth":{"identity":{"methods":["openid"],"openid":{"identity_provider":"ovhcloud-emea","protocol":"openid"}}}}`
	if a := s.post(s.keystone.URL+"/auth/tokens", direct, headers...); a.status < 400 || a.header.Get("X-Subject-Token") != "" {
		s.t.Errorf("the method without Apache's guard: %d %v", a.status, a.body)
	}
	const auth = "OS-FEDERATION/identity_providers/ovhcloud-emea/protocols/openid/auth"
	for _, path := range []string{"/" + auth, "//" + auth, "/" + strings.ReplaceAll(auth, "/", "//"), "/" + auth + "/", "/./" + auth, "/" + auth + "?x",
		"/" + strings.ReplaceAll(auth, "openid", "%6fpenid"), "/x/../" + auth, "/" + auth + "%2f", "/" + auth + ";x", "/" + strings.ToUpper(auth)} {
		for _, bearer := range []string{"", "Authorization: Bearer x", "Authorization: Basic eDp4"} {
			sent := headers
			if bearer != "" {
				sent = append(slices.Clone(headers), bearer)
			}
			if a := s.post(s.keystone.URL+path, "", sent...); a.status < 400 || a.header.Get("X-Subject-Token") != "" {
				s.t.Errorf("%s with %q: %d %v", path, bearer, a.status, a.body)
			}
		}
	}
}

// withoutKeystone is an id_token of the same issuer, keys and service account, as they were for our own Identity API.
func (s *trusting) withoutKeystone() string {
	s.t.Helper()
	listen := fmt.Sprintf("127.0.0.1:%d", realcloud.FreePort(s.t))
	s.ok("env", "sed '/keystone:/s/, keystone: [^}]*//; s/^listen: .*/listen: "+listen+"/' stackgate.yaml >without.yaml")
	realcloud.Start(s.t, realcloud.Program{Name: "without", Dir: s.dir, Listens: listen, Command: []string{s.bin, "serve", "--config", filepath.Join(s.dir, "without.yaml")}})
	s.ok("supervisor", "echo export OS_CLIENT_ID=$OS_CLIENT_ID OS_CLIENT_SECRET=$OS_CLIENT_SECRET OS_DISCOVERY_ENDPOINT=https://"+listen+
		"/role-adapter/urn:v1:eu:resource:publicCloudProject:pci/.well-known/openid-configuration >without")
	token := s.idToken("without", "")
	if aud := s.claims(token)["aud"].([]any); aud[1] != s.url+"/v3" {
		s.t.Fatalf("aud %v", aud)
	}
	return token
}

// forged has good claims under a good key id, signed by another Stackgate's key.
func (s *trusting) forged() string {
	s.t.Helper()
	dir := filepath.Join(s.dir, "forger")
	listen := fmt.Sprintf("127.0.0.1:%d", realcloud.FreePort(s.t))
	s.ok("env", "mkdir forger; sed 's/^listen: .*/listen: "+listen+"/' stackgate.yaml >forger/stackgate.yaml; cd forger; stackgate init --account eu/xx11111-ovh >init.out; "+
		"{ sed '/^export/!d; s/STACKGATE_/OS_/' init.out; echo export OS_DISCOVERY_ENDPOINT=https://"+listen+
		"/role-adapter/urn:v1:eu:resource:publicCloudProject:pci/.well-known/openid-configuration; } >../forger.rc")
	realcloud.Start(s.t, realcloud.Program{Name: "forger", Dir: dir, Listens: listen, Command: []string{s.bin, "serve", "--config", filepath.Join(dir, "stackgate.yaml")}})
	return s.idToken("forger.rc", "")
}

// testRotation replaces the signing key at once, as after a theft. Apache has the old ones in its cache.
func testRotation(s *trusting, guide, _ string) {
	old := s.idToken("supervisor", "")
	s.ok("env", `stackgate keys rotate --use sign --emergency`)
	s.server.Stop()
	s.server.Start()
	if a := s.federate("ovhcloud-emea", s.idToken("supervisor", "")); a.status != http.StatusCreated {
		s.t.Errorf("with the new key: %d %v", a.status, a.body)
	}
	if a := s.federate("ovhcloud-emea", old); a.status != http.StatusUnauthorized {
		s.t.Errorf("with the key that was replaced: %d", a.status)
	}
}

// testDisabledProject: its groups are deleted, and the tokens that had roles by them are worth nothing at once.
func testDisabledProject(s *trusting, _, second string) {
	token := s.scope(s.federated(s.idToken("both", "")), second).header.Get("X-Subject-Token")
	s.ok("env", "stackgate project disable "+second)
	if out := s.apply(); strings.Count(out, "delete   group") != 11 {
		s.t.Error(out)
	}
	if a := s.asAdmin("GET", "/auth/tokens", "", "X-Subject-Token: "+token); a.status != http.StatusNotFound {
		s.t.Errorf("a token for it: %d", a.status)
	}
	s.ok("env", "stackgate project enable "+second)
	s.apply()
	if got := s.rolesOf("both", "OS_PROJECT_ID="+second); len(got) != 3 {
		s.t.Errorf("enabled again: %v", got)
	}
}

// testConflict puts a group of others into our domain, under a name that the next project needs.
func testConflict(s *trusting, _, _ string) {
	third := s.project("third")
	domain := s.admin("GET", "/domains?name=ovhcloud-emea", "").body["domains"].([]any)[0].(map[string]any)["id"].(string)
	group := s.admin("POST", "/groups", `{"group":{"domain_id":"`+domain+`","name":"`+third+`:volumeOperator"}}`).text("group", "id")
	before := s.everything()
	out, err := s.sh("env", "stackgate keystone apply --cloud admin 2>&1")
	if err == nil || !matches(`conflict +group +`+third+`:volumeOperator +Stackgate did not make it`, out) || !strings.Contains(out, "nothing was changed") {
		s.t.Errorf("%v\n%s", err, out)
	}
	if after := s.everything(); !sameSize(before, after) {
		s.t.Error("something was changed")
	}
	s.admin("DELETE", "/groups/"+group, "")
	s.apply()
}

func sameSize(a, b map[string][]any) bool {
	for path := range a {
		if len(a[path]) != len(b[path]) {
			return false
		}
	}
	return true
}

func testRemoval(s *trusting, _, _ string) {
	s.ok("env", "stackgate keystone apply --cloud admin --remove 2>&1")
	if out, err := s.sh("supervisor", "openstack token issue"); err == nil || !strings.Contains(out, "HTTP 404") {
		s.t.Errorf("a login afterwards: %v\n%s", err, out)
	}
	if out := s.ok("env", "stackgate keystone plan --cloud admin --remove 2>&1"); !strings.HasSuffix(out, nothing) {
		s.t.Error(out)
	}
}

// testHalfWay lets eight writes through and then fails one, before or after it has happened, until there is nothing left to do.
func testHalfWay(s *trusting, _, _ string) {
	target, err := url.Parse(s.keystone.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	var left atomic.Int32
	var happened atomic.Bool
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host }}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, "/auth/tokens") || left.Add(-1) >= 0 {
			forward.ServeHTTP(w, r)
			return
		}
		if happened.Load() {
			forward.ServeHTTP(httptest.NewRecorder(), r)
		}
		http.Error(w, `{"error":{"code":500,"message":"the test says no"}}`, http.StatusInternalServerError)
	}))
	defer proxy.Close()
	s.ok("env", "sed 's#auth_url: .*#auth_url: "+proxy.URL+"/v3#' clouds.yaml >faulty.yaml")
	runs := 0
	for ; runs < 100; runs++ {
		left.Store(8)
		happened.Store(runs%2 == 1)
		out, err := s.sh("env", "OS_CLIENT_CONFIG_FILE=faulty.yaml stackgate keystone apply --cloud admin 2>&1")
		if err == nil {
			break
		}
		if !matches(`\d+ of \d+ changes are made, then .* failed: .*500 the test says no`, out) {
			s.t.Fatalf("%v\n%s", err, out)
		}
	}
	if runs < 8 || runs == 100 {
		s.t.Errorf("it took %d runs", runs)
	}
	s.apply()
	if got := s.rolesOf("supervisor", ""); !slices.Equal(got, supervisorRoles) {
		s.t.Errorf("the token's roles are %v, want %v", got, supervisorRoles)
	}
}
