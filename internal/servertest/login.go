package servertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// An Answer is a response, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Do makes one request; header lines are "Name: value".
func (s *Server) Do(method, path, body string, header ...string) Answer {
	s.t.Helper()
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	must(s.t, err)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	must(s.t, err)
	text, err := io.ReadAll(resp.Body)
	must(s.t, err)
	must(s.t, resp.Body.Close())
	return Answer{resp.StatusCode, resp.Header, string(text)}
}

// Tokens asks the role-adapter of eu for tokens.
func (s *Server) Tokens(c Credential) Answer {
	s.t.Helper()
	req, err := http.NewRequest("POST", "http://x", nil)
	must(s.t, err)
	req.SetBasicAuth(string(c.ID), c.Secret)
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"openid profile"}}
	return s.Do("POST", "/role-adapter/urn:v1:eu:resource:publicCloudProject:pci/token", form.Encode(),
		"Content-Type: application/x-www-form-urlencoded", "Authorization: "+req.Header.Get("Authorization"))
}

// Unscoped logs in as far as the unscoped token.
func (s *Server) Unscoped(c Credential) string {
	s.t.Helper()
	var tokens struct {
		IDToken string `json:"id_token"`
	}
	a := s.Tokens(c)
	must(s.t, json.Unmarshal([]byte(a.Body), &tokens))
	a = s.Do("POST", "/v3/OS-FEDERATION/identity_providers/ovhcloud-emea/protocols/openid/auth", "", "Authorization: Bearer "+tokens.IDToken)
	if a.Status != http.StatusCreated {
		s.t.Fatalf("federated login: %d %s", a.Status, a.Body)
	}
	return a.Header.Get("X-Subject-Token")
}

// Scope exchanges a token for one on Project.
func (s *Server) Scope(token string) Answer {
	s.t.Helper()
	return s.Do("POST", "/v3/auth/tokens", fmt.Sprintf(
		`{"auth":{"identity":{"methods":["token"],"token":{"id":%q}},"scope":{"project":{"id":%q}}}}`, token, Project), "Content-Type: application/json")
}

// Scoped logs in on Project.
func (s *Server) Scoped(c Credential) string {
	s.t.Helper()
	a := s.Scope(s.Unscoped(c))
	if a.Status != http.StatusCreated {
		s.t.Fatalf("scope: %d %s", a.Status, a.Body)
	}
	return a.Header.Get("X-Subject-Token")
}

// Password logs in on Project with name and secret, in one request, as tools without OpenID Connect do.
func (s *Server) Password(c Credential) Answer {
	s.t.Helper()
	return s.Do("POST", "/v3/auth/tokens", fmt.Sprintf(
		`{"auth":{"identity":{"methods":["password"],"password":{"user":{"domain":{"name":"ovhcloud-emea"},"name":%q,"password":%q}}},"scope":{"project":{"id":%q}}}}`,
		c.ID, c.Secret, Project), "Content-Type: application/json")
}

// ApplicationCredential logs in with the service account's application credential for Project.
func (s *Server) ApplicationCredential(c Credential) Answer {
	s.t.Helper()
	return s.Do("POST", "/v3/auth/tokens", fmt.Sprintf(
		`{"auth":{"identity":{"methods":["application_credential"],"application_credential":{"id":%q,"secret":%q}}}}`,
		string(c.ID)+"@"+string(Project), c.Secret), "Content-Type: application/json")
}
