package server_test

import (
	"encoding/json"
	"testing"

	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/servertest"
)

// endpoints reads a token's catalog: service type, region and interface to address.
func endpoints(t *testing.T, a servertest.Answer) map[[3]string]string {
	t.Helper()
	var body struct {
		Token struct {
			Catalog []struct {
				Type      string
				Endpoints []struct{ Region, Interface, URL string }
			}
		}
	}
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Fatal(err)
	}
	found := map[[3]string]string{}
	for _, s := range body.Token.Catalog {
		for _, e := range s.Endpoints {
			found[[3]string{s.Type, e.Region, e.Interface}] = e.URL
		}
	}
	return found
}

func TestTheCatalogIsConfiguration(t *testing.T) {
	swift := server.CatalogService{Type: "object-store", Name: "swift", Endpoints: []server.CatalogEndpoint{
		{Region: "North", URL: "https://swift.example/v1/AUTH_$(project_id)s", InternalURL: "http://10.0.0.5:8080/v1/AUTH_%(tenant_id)s"}}}
	s := servertest.Start(t, func(c *server.Config) { c.Sandbox, c.Catalog = nil, []server.CatalogService{swift} })
	robot := s.ServiceAccount("robot", supervisor)
	got := endpoints(t, s.Scope(s.Unscoped(robot)))
	for where, want := range map[[3]string]string{
		{"object-store", "North", "public"}:   "https://swift.example/v1/AUTH_" + project,
		{"object-store", "North", "internal"}: "http://10.0.0.5:8080/v1/AUTH_" + project,
		{"object-store", "North", "admin"}:    "https://swift.example/v1/AUTH_" + project,
		{"identity", "North", "public"}:       s.URL + "/v3",
		{"identity", "North", "internal"}:     s.URL + "/v3", // where keystonemiddleware validates
	} {
		if got[where] != want {
			t.Errorf("%v: got %q, want %q", where, got[where], want)
		}
	}
}

func TestTheOperatorsIdentityEntryStandsInPlaceOfOurs(t *testing.T) {
	identity := server.CatalogService{Type: "identity", Name: "keystone", Endpoints: []server.CatalogEndpoint{
		{Region: "North", URL: "https://id.example/v3", InternalURL: "http://10.0.0.2:8080/v3"}}}
	s := servertest.Start(t, func(c *server.Config) { c.Sandbox, c.Catalog = nil, []server.CatalogService{identity} })
	got := endpoints(t, s.Scope(s.Unscoped(s.ServiceAccount("robot", supervisor))))
	if len(got) != 3 || got[[3]string{"identity", "North", "internal"}] != "http://10.0.0.2:8080/v3" {
		t.Error(got)
	}
}
