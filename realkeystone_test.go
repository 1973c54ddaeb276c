package stackgate

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
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
	client    *http.Client // trusts authority
	token     *string      // of the Keystone's administrator
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
	s.authority, s.token = authority, new(string)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(s.ok("", "cat "+authority)))
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
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
	if len(rights) > 0 {
		s.policy(name, id, project, rights...)
	}
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

// claims are those of an id_token.
func (s *trusting) claims(token string) (out map[string]any) {
	s.t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return out
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
	a := s.asAdmin(method, path, body, header...)
	if a.status >= 300 {
		s.t.Fatalf("%s %s: %d %v", method, path, a.status, a.body)
	}
	return a
}

func (s *trusting) asAdmin(method, path, body string, header ...string) answer {
	s.t.Helper()
	if *s.token == "" {
		*s.token = s.post(s.keystone.URL+"/auth/tokens", fmt.Sprintf(`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"admin",
			"domain":{"id":"default"},"password":%q}}},"scope":{"project":{"name":"admin","domain":{"id":"default"}}}}}`, s.keystone.Password)).header.Get("X-Subject-Token")
	}
	return s.request(method, s.keystone.URL+path, body, append(header, "X-Auth-Token: "+*s.token)...)
}

func (s *trusting) post(address, body string, header ...string) answer {
	s.t.Helper()
	return s.request("POST", address, body, header...)
}

// request makes a request, with headers as they are spelt.
func (s *trusting) request(method, address, body string, header ...string) answer {
	s.t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header[name] = []string{value}
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header}
	_ = json.Unmarshal(text, &a.body) // Apache's own refusals are HTML
	return a
}

// tokens asks the role-adapter that an openrc names.
func (s *trusting) tokens(openrc, scope string) (out map[string]any) {
	s.t.Helper()
	text := s.ok(openrc, `curl -fsS --cacert `+s.authority+` -u "$OS_CLIENT_ID:$OS_CLIENT_SECRET" -d grant_type=client_credentials -d scope="openid `+scope+
		`" "${OS_DISCOVERY_ENDPOINT%/.well-known/*}/token"`)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *trusting) idToken(openrc, scope string) string {
	return s.tokens(openrc, scope)["id_token"].(string)
}

// federate is the third request of a login.
func (s *trusting) federate(provider, bearer string) answer {
	s.t.Helper()
	return s.post(s.keystone.URL+"/OS-FEDERATION/identity_providers/"+provider+"/protocols/openid/auth", "", "Authorization: Bearer "+bearer)
}

// federated gives the unscoped token.
func (s *trusting) federated(bearer string) string {
	s.t.Helper()
	a := s.federate("ovhcloud-emea", bearer)
	if a.status != http.StatusCreated {
		s.t.Fatalf("federated login: %d %v", a.status, a.body)
	}
	return a.header.Get("X-Subject-Token")
}

// scope is the fourth.
func (s *trusting) scope(token, project string) answer {
	s.t.Helper()
	return s.post(s.keystone.URL+"/auth/tokens", fmt.Sprintf(`{"auth":{"identity":{"methods":["token"],"token":{"id":%q}},"scope":{"project":{"id":%q}}}}`, token, project))
}

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }
