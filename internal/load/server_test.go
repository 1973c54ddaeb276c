package load_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/load"
	"github.com/stackgate/stackgate/internal/servertest"
)

// target is a whole server with a service account that may see servers.
func target(t testing.TB) load.Target {
	t.Helper()
	s := servertest.Start(t)
	c := s.ServiceAccount("bench", "publicCloudProject:openstack:infrastructureSupervisor")
	return load.Target{
		AuthURL: s.URL + "/v3", DiscoveryEndpoint: s.URL + "/role-adapter/urn:v1:eu:resource:publicCloudProject:pci/.well-known/openid-configuration",
		IdentityProvider: "ovhcloud-emea", ProjectID: string(servertest.Project), ClientID: string(c.ID), ClientSecret: c.Secret, Region: "GRA1",
	}
}

func TestEveryScenarioRunsAgainstAServer(t *testing.T) {
	to := target(t)
	for _, s := range load.Scenarios(to) {
		if r := run(t, s); r.Flows == 0 || r.Errors != 0 {
			t.Errorf("%s: %d flows, %d errors: %s", s.Name, r.Flows, r.Errors, r.FirstError)
		}
	}
	for _, s := range []load.Scenario{load.Login(to), load.Token(to), load.Gateway(to)} {
		row, err := load.Compare(t.Context(), load.Config{Scenario: s, Duration: 50 * time.Millisecond, Warmup: -1, Concurrency: 2})
		if err != nil || row.Flows == 0 || (row.Bare != nil) != (s.Bare != nil) || row.Bare != nil && (row.Bare.Flows == 0 || row.Bare.Errors != 0) {
			t.Errorf("%s: %+v, %v", s.Name, row, err)
		}
	}
	to.Region = "NOWHERE1"
	if _, err := load.Run(t.Context(), load.Config{Scenario: load.Gateway(to)}); err == nil || !strings.Contains(err.Error(), "no compute in region NOWHERE1") {
		t.Errorf("got %v", err)
	}
}
