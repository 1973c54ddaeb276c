package stackgate

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/realcloud"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/servertest"
	"github.com/stackgate/stackgate/internal/urn"
)

// startNeighbour runs the real keystonemiddleware and oslo.policy of a service, with our policy file, and gives its address.
func startNeighbour(t *testing.T, program, policy, middleware string) string {
	t.Helper()
	realcloud.Need(t, "python3")
	dir, port := t.TempDir(), realcloud.FreePort(t)
	for name, text := range map[string]string{"policy.yaml": policy, "middleware.conf": middleware} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script, err := filepath.Abs("internal/policyfile/testdata/neighbour.py")
	if err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("127.0.0.1:%d", port)
	realcloud.Start(t, realcloud.Program{Name: program, Dir: dir, Listens: at,
		Command: []string{"/usr/bin/python3", script, program, filepath.Join(dir, "policy.yaml"), "middleware.conf", fmt.Sprint(port)}})
	return "http://" + at
}

// asks makes a request with a user's token and, if there is one, a service's, and gives the status.
func asks(t *testing.T, url, user, service string, header ...string) int {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", user)
	if service != "" {
		req.Header.Set("X-Service-Token", service)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header[name] = []string{value} // as it is spelt
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// passwordToken logs in on a project, as services do.
func passwordToken(t testing.TB, url, id, secret, project string) string {
	t.Helper()
	body := fmt.Sprintf(`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":%q,"domain":{"name":"ovhcloud-emea"},"password":%q}}},
		"scope":{"project":{"id":%q}}}}`, id, secret, project)
	resp, err := http.Post(url+"/v3/auth/tokens", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("login of %s: %s", id, resp.Status)
	}
	return resp.Header.Get("X-Subject-Token")
}

// TestRealNovaCallsItsNeighbours: what Nova does at Neutron and Cinder for a caller who may have it done but may not do it himself.
func TestRealNovaCallsItsNeighbours(t *testing.T) {
	realcloud.Need(t, "openstack", "python3")
	b := &behind{dev: startServe(t, "")}
	neutron := startNeighbour(t, "neutron", b.ok("", "stackgate policy-files neutron --release zed"), b.section("neutron", 300))
	bound := startNeighbour(t, "neutron", b.ok("", "stackgate policy-files neutron --release zed")+"\n"+`"context_is_admin": "role:admin or role:service"`+"\n",
		b.section("neutron", 300))
	cinder := startNeighbour(t, "cinder", b.ok("", "stackgate policy-files cinder --release zed"), b.section("cinder", 300))
	b.user("compute", "computeOperator")
	b.user("supervisor", "infrastructureSupervisor")
	compute, supervisor, nova := b.token("compute"), b.token("supervisor"), b.serviceToken("nova")
	for _, c := range []struct {
		name, url, user, service string
		status                   int
	}{
		{"he reads networks himself", neutron + "/get_network", compute, "", 200},
		{"he makes no port", neutron + "/create_port", compute, "", 403},
		{"Nova makes him a port", neutron + "/create_port", compute, nova, 200},
		{"nobody's service makes him one", neutron + "/create_port", compute, compute, 401},
		{"what is no token neither", neutron + "/create_port", compute, "bogus", 401},
		{"Nova alone makes none", neutron + "/create_port", nova, "", 403},
		{"Nova makes none for who may only look", neutron + "/create_port", supervisor, nova, 403},
		{"Nova does not change his networks", neutron + "/update_network", compute, nova, 403},
		{"Nova binds no port", neutron + "/create_port:binding:host_id", nova, "", 403},
		{"Nova binds one where services administrate", bound + "/create_port:binding:host_id", nova, "", 200},
		{"and not for him", bound + "/create_port:binding:host_id", compute, nova, 403},
		{"he attaches no volume", cinder + "/volume:attachment_create", compute, "", 403},
		{"Nova attaches him one", cinder + "/volume:attachment_create", compute, nova, 200},
		{"Nova takes no backup", cinder + "/backup:create", compute, nova, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := asks(t, c.url, c.user, c.service); got != c.status {
				t.Errorf("%d, want %d", got, c.status)
			}
		})
	}
	for _, forged := range []string{"X-Roles: admin", "X_Roles: network_manage", "x-service-roles: service", "X_Service_Roles: service", "X-Role: admin"} {
		if got := asks(t, neutron+"/create_port", compute, "", forged); got != 403 {
			t.Errorf("with %s: %d", forged, got)
		}
	}
}

// TestRealLongCallsOutliveTheirToken: with a service's token beside it an expired one still counts, and one that was taken back does not.
func TestRealLongCallsOutliveTheirToken(t *testing.T) {
	realcloud.Need(t, "python3")
	s := servertest.Start(t, func(c *server.Config) { c.Sandbox, c.TokenLife, c.MinTokenLife = nil, 2*time.Second, time.Second })
	services := urn.Account{Partition: urn.EU, Name: "services"}
	op := iam.Caller{Operator: "test", Account: services}
	must(t, ignore(s.Registry().CreateAccount(t.Context(), op, iam.Account{ID: services})))
	project, err := s.Registry().CreateProject(t.Context(), op, iam.Project{Owner: services, Name: "service"})
	must(t, err)
	nova, secret, err := s.Registry().CreateServiceAccount(t.Context(), op,
		iam.ServiceAccount{Owner: services, Name: "nova", ServiceProject: project.ID, TokenLife: time.Hour})
	must(t, err)
	neutron := startNeighbour(t, "neutron", policyFile(t, "neutron"), fmt.Sprintf("[keystone_authtoken]\nauth_type = password\nauth_url = %s/v3\n"+
		"user_domain_name = ovhcloud-emea\nusername = %s\npassword = %s\nproject_id = %s\ntoken_cache_time = -1\nservice_token_roles_required = true\n",
		s.URL, nova.ID, secret, project.ID))
	user := s.ServiceAccount("compute", "publicCloudProject:openstack:computeOperator")
	token, service := s.Scoped(user), passwordToken(t, s.URL, string(nova.ID), secret, string(project.ID))
	for s.Do("GET", "/v3/auth/tokens", "", "X-Auth-Token: "+token, "X-Subject-Token: "+token).Status == 200 {
		time.Sleep(100 * time.Millisecond)
	}
	if got := asks(t, neutron+"/create_port", token, ""); got != 401 {
		t.Errorf("expired, alone: %d", got)
	}
	if got := asks(t, neutron+"/create_port", token, service); got != 200 {
		t.Errorf("expired, in Nova's hands: %d", got)
	}
	must(t, s.Registry().SetServiceAccountDisabled(t.Context(), s.Operator, user.ID, true))
	if got := asks(t, neutron+"/create_port", token, service); got != 401 {
		t.Errorf("its owner disabled: %d", got)
	}
}

// policyFile is what the program prints for Debian 12's release.
func policyFile(t *testing.T, program string) string {
	t.Helper()
	bin, err := binary()
	must(t, err)
	out := filepath.Join(t.TempDir(), "policy.yaml")
	d := &dev{t: t, dir: t.TempDir(), bin: bin}
	d.ok("", "stackgate policy-files "+program+" --release zed --output-file "+out)
	text, err := os.ReadFile(out)
	must(t, err)
	return string(text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ignore[T any](_ T, err error) error { return err }
