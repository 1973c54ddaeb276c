package server_test

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/serviceaccount"
)

// ask makes a request whose answer is not read yet, and which is not unpacked.
func (b *behind) ask(t *testing.T, path, token string) *http.Response {
	t.Helper()
	req, err := http.NewRequest("GET", b.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", token)
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// TestAnswersStream: what the cloud has sent is with the client before the cloud goes on, packed or not, with links in it or not.
func TestAnswersStream(t *testing.T) {
	b := startBehind(t)
	token := b.Scoped(b.ServiceAccount("robot", allRights()...))
	for what, path := range map[string]string{"an object": objectPath, "a packed object": objectPath, "JSON": "/GRA1/compute/v2.1/servers/detail"} {
		arrived := make(chan bool)
		_, part, _ := strings.Cut(path[1:], "/")
		b.when(part, func(w http.ResponseWriter, r *http.Request) {
			var to io.Writer = w
			if what == "JSON" {
				w.Header().Set("Content-Type", "application/json")
				if r.Header.Get("Accept-Encoding") != "identity" {
					t.Errorf("%s may be packed: %v", what, r.Header)
				}
			}
			if strings.Contains(what, "packed") {
				w.Header().Set("Content-Encoding", "gzip")
				to = gzip.NewWriter(w)
			}
			w.Header().Set("Trailer", "X-Last")
			for _, line := range []string{"[\"first\",\n", "\"" + b.between + "/GRA1/compute/\"]\n"} {
				_, _ = io.WriteString(to, line)
				if z, ok := to.(*gzip.Writer); ok {
					_ = z.Flush()
				}
				_ = http.NewResponseController(w).Flush()
				if strings.Contains(line, "first") {
					<-arrived
				}
			}
			if z, ok := to.(*gzip.Writer); ok {
				_ = z.Close()
			}
			w.Header().Set("X-Last", "word")
		})
		resp := b.ask(t, path, token)
		var body io.Reader = resp.Body
		if strings.Contains(what, "packed") {
			z, err := gzip.NewReader(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
		}
		in := bufio.NewReader(body)
		if line, err := in.ReadString('\n'); err != nil || line != "[\"first\",\n" {
			t.Errorf("%s: %q %v", what, line, err)
		}
		close(arrived)
		rest, err := io.ReadAll(in)
		if want := map[bool]string{true: b.URL, false: b.between}[what == "JSON"]; err != nil || !strings.Contains(string(rest), want+"/GRA1/compute/") {
			t.Errorf("%s: %q %v", what, rest, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		if resp.Trailer.Get("X-Last") != "word" {
			t.Errorf("%s: the trailer is %v", what, resp.Trailer)
		}
	}
}

// TestEveryKindOfCredential has the gateway log in to the cloud in each way that there is.
func TestEveryKindOfCredential(t *testing.T) {
	b := startInner(t)
	member := b.inner.ServiceAccount("another", allRights()...)
	secret := serviceaccount.Secret(member.Secret)
	for name, login := range map[string]serviceaccount.Config{
		"application credential": {AuthType: serviceaccount.ApplicationCredential, ApplicationCredentialID: string(member.ID) + "@" + project, ApplicationCredentialSecret: secret},
		"token":                  {AuthType: serviceaccount.KeystoneToken, Token: serviceaccount.Secret(b.inner.Scoped(member))},
		"OpenID Connect": {AuthType: serviceaccount.OIDCClientCredentials, ClientID: string(member.ID), ClientSecret: secret, IdentityProvider: "ovhcloud-emea",
			Protocol: "openid", AccessTokenType: "id_token", DiscoveryEndpoint: b.between + "/role-adapter/urn:v1:eu:resource:publicCloudProject:pci/.well-known/openid-configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			login.AuthURL = b.between + "/v3"
			b.login = login
			b.start(t)
			if a := b.Do("GET", serversPath, "", "X-Auth-Token: "+b.Scoped(b.ServiceAccount("robot", allRights()...))); a.Status != 200 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	t.Run("one for each project", func(t *testing.T) {
		own := b.login
		b.login = serviceaccount.Config{}
		b.start(t, func(c *server.Cloud) { c.Projects = map[string]*serviceaccount.Config{project: &own} })
		if a := b.Do("GET", serversPath, "", "X-Auth-Token: "+b.Scoped(b.ServiceAccount("robot", allRights()...))); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

// TestACredentialThatMayLess is the cloud's to refuse: its 403 is the answer.
func TestACredentialThatMayLess(t *testing.T) {
	b := startInner(t)
	reader := b.inner.ServiceAccount("reader", iam.Action("publicCloudProject:openstack:infrastructureSupervisor"))
	b.login.Username, b.login.Password = string(reader.ID), serviceaccount.Secret(reader.Secret)
	b.start(t)
	a := b.Do("DELETE", "/GRA1/compute/v2.1/servers/"+vm, "", "X-Auth-Token: "+b.Scoped(b.ServiceAccount("robot", allRights()...)))
	if a.Status != 403 || !strings.Contains(a.Body, "infrastructureSupervisor") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
