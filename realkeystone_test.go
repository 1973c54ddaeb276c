package stackgate

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/realcloud"
)

// A trusting is a Stackgate, started as an operator starts it, and a real Keystone that trusts its identity provider ovhcloud-emea. A
// file admin.env is the administrator of the account, the entry admin of clouds.yaml that of the Keystone.
type trusting struct {
	*dev
	keystone  *realcloud.Keystone
	authority string
	server    *realcloud.Process
}

// startTrusting does what docs/run-with-your-keystone.md says, up to the plan.
func startTrusting(t *testing.T) *trusting {
	t.Helper()
	realcloud.Need(t, "apache2", "openstack")
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	s := &trusting{dev: &dev{t: t, dir: t.TempDir(), bin: bin}}
	authority, certificate, key := realcloud.Certificate(t)
	s.authority = authority
	port, listen := realcloud.FreePort(t), fmt.Sprintf("127.0.0.1:%d", realcloud.FreePort(t))
	s.url = "https://" + listen
	for name, text := range map[string]string{
		"stackgate.yaml": fmt.Sprintf(`public_url: %s
listen: %s
tls: {certificate: %s, key: %s}
identity_providers:
  - {name: ovhcloud-emea, partition: eu, keystone: 'http://127.0.0.1:%d/v3'}
  - {name: ovhcloud-world, partition: ca}
`, s.url, listen, certificate, key, port),
		"env": "export OS_CACERT=" + authority + " SSL_CERT_FILE=" + authority + "\n",
	} {
		write(t, filepath.Join(s.dir, name), text)
	}
	s.ok("env", "stackgate init --account eu/xx11111-ovh >init.out; { cat env; sed '/^export/!d' init.out; echo export STACKGATE_URL="+s.url+"; } >admin.env")
	s.server = realcloud.Start(t, realcloud.Program{
		Name: "stackgate", Dir: s.dir, Command: []string{bin, "serve", "--config", filepath.Join(s.dir, "stackgate.yaml")}, Listens: listen,
	})
	s.keystone = realcloud.StartKeystone(t, realcloud.KeystoneConfig{
		Port: port, Conf: s.ok("env", "stackgate keystone print keystone.conf"),
		Apache: s.ok("env", "stackgate keystone print apache"), Authority: authority,
	})
	write(t, filepath.Join(s.dir, "clouds.yaml"), s.keystone.CloudsYAML())
	return s
}

// project makes a project in the Keystone and, with the same id, in the account.
func (s *trusting) project(name string) string {
	s.t.Helper()
	id := s.admin("POST", "/projects", fmt.Sprintf(`{"project":{"name":%q,"domain_id":"default"}}`, name)).text("project", "id")
	s.ok("env", "stackgate project create "+name+" --account eu/xx11111-ovh --id "+id)
	return id
}

// automator makes a service account with rights on a project, and an openrc of its name for the Keystone.
func (s *trusting) automator(name, project string, rights ...string) (id string) {
	s.t.Helper()
	id = strings.TrimSpace(s.ok("admin.env", `stackgate -o json service-account create `+name+` | sed -n 's/.*"clientId": "\(.*\)",/\1/p'`))
	s.policy(name, id, project, rights...)
	s.openrc(name, id, project)
	return id
}

// policy gives rights, and its id.
func (s *trusting) policy(name, id, project string, rights ...string) string {
	s.t.Helper()
	return strings.TrimSpace(s.ok("admin.env", `stackgate -o json policy create --name `+name+`-`+project+` --service-account `+id+` --right `+strings.Join(rights, ",")+
		` --project `+project+` | sed -n 's/^  "id": "\(.*\)",/\1/p'`))
}

func (s *trusting) openrc(name, id, project string) {
	s.t.Helper()
	s.ok("admin.env", `{ cat env; stackgate openrc --service-account `+id+` --project `+project+` --keystone `+s.keystone.URL+` --new-secret; } >`+name)
}

// rolesOf logs in with the unmodified openstack command and gives the token's roles, as Keystone says to its administrator.
func (s *trusting) rolesOf(openrc, extra string) []string {
	s.t.Helper()
	token := strings.TrimSpace(s.ok(openrc, extra+" openstack token issue -f value -c id"))
	return s.rolesIn(token)
}

func (s *trusting) rolesIn(token string) []string {
	s.t.Helper()
	var roles []string
	for _, r := range s.admin("GET", "/auth/tokens", "", "X-Subject-Token: "+token).list("token", "roles") {
		roles = append(roles, r["name"].(string))
	}
	slices.Sort(roles)
	return roles
}

// An answer is JSON of the Keystone.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   map[string]any
}

func (a answer) text(member, name string) string {
	return a.body[member].(map[string]any)[name].(string)
}

func (a answer) list(member, name string) (out []map[string]any) {
	for _, v := range a.body[member].(map[string]any)[name].([]any) {
		out = append(out, v.(map[string]any))
	}
	return out
}

// admin makes a request as the Keystone's administrator that must succeed.
func (s *trusting) admin(method, path, body string, header ...string) answer {
	s.t.Helper()
	login := fmt.Sprintf(`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"admin","domain":{"id":"default"},"password":%q}}},
		"scope":{"project":{"name":"admin","domain":{"id":"default"}}}}}`, s.keystone.Password)
	token := s.request("POST", "/auth/tokens", login).header.Get("X-Subject-Token")
	a := s.request(method, path, body, append(header, "X-Auth-Token: "+token)...)
	if a.status >= 300 {
		s.t.Fatalf("%s %s: %d %v", method, path, a.status, a.body)
	}
	return a
}

// request makes a request to the Keystone.
func (s *trusting) request(method, path, body string, header ...string) answer {
	s.t.Helper()
	req, err := http.NewRequest(method, s.keystone.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header[name] = []string{value}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{t: s.t, status: resp.StatusCode, header: resp.Header}
	_ = json.Unmarshal(text, &a.body) // Apache's own refusals are HTML
	return a
}

// TestRealKeystoneTrustsTheRoleAdapter walks docs/run-with-your-keystone.md against a real Keystone.
func TestRealKeystoneTrustsTheRoleAdapter(t *testing.T) {
	s := startTrusting(t)
	guide := s.project("guide")
	for _, part := range []struct {
		name string
		test func(*testing.T, *trusting, string)
	}{
		{"plan and apply", testPlanAndApply},
		{"the guide's command", testGuidesCommand},
	} {
		t.Run(part.name, func(t *testing.T) {
			inner := *s
			dev := *s.dev
			dev.t, inner.dev = t, &dev
			part.test(t, &inner, guide)
		})
	}
}

func testPlanAndApply(t *testing.T, s *trusting, guide string) {
	plan := s.ok("env", "stackgate keystone plan --cloud admin")
	for _, want := range []string{`create +domain +ovhcloud-emea`, `create +identity provider +ovhcloud-emea`, `create +mapping`, `create +protocol +openid`,
		`create +role +compute_read`, `create +group +` + guide + `:infrastructureSupervisor +with compute_read image_read volume_read network_read`} {
		if !matches(want, plan) {
			t.Errorf("the plan has no %s:\n%s", want, plan)
		}
	}
	if out := s.ok("env", "stackgate keystone apply --cloud admin 2>&1"); !matches(`\d+/\d+ create group `+guide, out) {
		t.Error(out)
	}
	if out := s.ok("env", "stackgate keystone plan --cloud admin 2>&1"); out != "Nothing to do.\n" {
		t.Errorf("a second plan is not empty:\n%s", out)
	}
}

func testGuidesCommand(t *testing.T, s *trusting, guide string) {
	s.automator("supervisor", guide, "infrastructureSupervisor")
	want := []string{"compute_read", "image_read", "network_read", "network_secgroup_read", "volume_read"}
	if got := s.rolesOf("supervisor", ""); !slices.Equal(got, want) {
		t.Errorf("the token's roles are %v, want %v", got, want)
	}
}

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }
