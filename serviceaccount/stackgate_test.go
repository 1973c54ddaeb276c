package serviceaccount_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/objectstorage/v1/containers"

	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/servertest"
	"github.com/stackgate/stackgate/serviceaccount"
)

// stackgate is how a service account logs in to a whole Stackgate.
func stackgate(s *servertest.Server, c servertest.Credential) serviceaccount.Config {
	return serviceaccount.Config{
		AuthURL: s.URL, IdentityProvider: "ovhcloud-emea", Protocol: "openid", AccessTokenType: "id_token",
		DiscoveryEndpoint: s.URL + "/role-adapter/urn:v1:eu:resource:publicCloudProject:pci/.well-known/openid-configuration",
		Scope:             "openid profile email publicCloudProject/all",
		ClientID:          string(c.ID), ClientSecret: serviceaccount.Secret(c.Secret), ProjectID: string(servertest.Project), Region: "GRA1",
	}
}

func TestStackgate(t *testing.T) {
	s := servertest.Start(t)
	account := s.ServiceAccount("monitoring", "publicCloudProject:openstack:infrastructureSupervisor")
	base := stackgate(s, account)
	l := login(t, base)
	token(t, l)
	for name, change := range map[string]func(*serviceaccount.Config){
		"client credentials": func(*serviceaccount.Config) {},
		"its access token":   func(c *serviceaccount.Config) { c.AccessTokenType = "" },
		"no discovery": func(c *serviceaccount.Config) {
			c.DiscoveryEndpoint, c.AccessTokenEndpoint = "", s.URL+"/role-adapter/urn:v1:eu:resource:publicCloudProject:pci/token"
		},
		"a token of Keystone's": func(c *serviceaccount.Config) {
			c.AuthType, c.Token = serviceaccount.KeystoneToken, token(t, l).ID
		},
		"a password": func(c *serviceaccount.Config) {
			c.AuthType, c.Username, c.Password, c.UserDomainName = serviceaccount.Password, c.ClientID, c.ClientSecret, "ovhcloud-emea"
		},
		"a password from a file": func(c *serviceaccount.Config) {
			c.AuthType, c.Username, c.UserDomainName = "password", c.ClientID, "ovhcloud-emea"
			c.SecretFile = filepath.Join(t.TempDir(), "password")
			write(t, c.SecretFile, string(c.ClientSecret))
		},
		"an application credential": func(c *serviceaccount.Config) {
			c.AuthType, c.ApplicationCredentialSecret = serviceaccount.ApplicationCredential, c.ClientSecret
			c.ApplicationCredentialID, c.ProjectID = c.ClientID+"@"+c.ProjectID, ""
		},
		"a token of the role-adapter's": func(c *serviceaccount.Config) {
			var tokens struct {
				ID string `json:"id_token"`
			}
			if err := json.Unmarshal([]byte(s.Tokens(account).Body), &tokens); err != nil {
				t.Fatal(err)
			}
			c.AuthType, c.AccessToken = serviceaccount.OIDCAccessToken, serviceaccount.Secret(tokens.ID)
		},
		"a project by name": func(c *serviceaccount.Config) { c.ProjectID, c.ProjectName, c.ProjectDomainID = "", "guide", "default" },
	} {
		t.Run(name, func(t *testing.T) {
			c := base
			change(&c)
			pc, err := serviceaccount.New(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			compute, err := openstack.NewComputeV2(pc, c.EndpointOpts())
			if err != nil {
				t.Fatal(err)
			}
			pages, err := servers.List(compute, nil).AllPages(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if list, err := servers.ExtractServers(pages); err != nil || len(list) != 1 || list[0].Name != "name_vm" {
				t.Error(list, err)
			}
			swift, err := openstack.NewObjectStorageV1(pc, c.EndpointOpts())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := containers.List(swift, nil).AllPages(t.Context()); err == nil {
				t.Error("infrastructureSupervisor reads containers")
			}
		})
	}
}

// TestStackgateOverManyExpiries uses tokens that live for two seconds, for six.
func TestStackgateOverManyExpiries(t *testing.T) {
	s := servertest.Start(t, func(c *server.Config) { c.TokenLife, c.MinTokenLife = 2*time.Second, time.Second })
	c := stackgate(s, s.ServiceAccount("monitoring", "publicCloudProject:openstack:infrastructureSupervisor"))
	logins := 0
	c.Trace = func(x serviceaccount.Exchange) {
		if x.Step == serviceaccount.StepScope {
			logins++ // by the goroutine of the one login
		}
	}
	l := login(t, c)
	pc, err := l.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	compute, err := openstack.NewComputeV2(pc, c.EndpointOpts())
	if err != nil {
		t.Fatal(err)
	}
	for range 60 {
		if _, err := servers.List(compute, nil).AllPages(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if logins < 3 {
		t.Errorf("%d logins: no expiry was crossed", logins)
	}
}

func TestStackgateRefusals(t *testing.T) {
	s := servertest.Start(t)
	account, nothing := s.ServiceAccount("monitoring", "publicCloudProject:openstack:infrastructureSupervisor"), s.ServiceAccount("nothing")
	cases := map[string]struct {
		config serviceaccount.Config
		is     error
		step   serviceaccount.Step
	}{
		"no policy": {stackgate(s, nothing), serviceaccount.ErrNoAccess, serviceaccount.StepScope},
		"a wrong secret": {changed(stackgate(s, account), func(c *serviceaccount.Config) { c.ClientSecret += "x" }),
			serviceaccount.ErrUnauthenticated, serviceaccount.StepToken},
		"an unknown provider": {changed(stackgate(s, account), func(c *serviceaccount.Config) { c.IdentityProvider = "nobody" }),
			serviceaccount.ErrNotFound, serviceaccount.StepFederation},
		"an unknown project": {changed(stackgate(s, account), func(c *serviceaccount.Config) { c.ProjectID = "ffffffffffffffffffffffffffffffff" }),
			serviceaccount.ErrNoAccess, serviceaccount.StepScope},
		"a wrong address": {changed(stackgate(s, account), func(c *serviceaccount.Config) { c.DiscoveryEndpoint = "http://127.0.0.1:1/" }),
			serviceaccount.ErrUnavailable, serviceaccount.StepDiscovery},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := serviceaccount.New(context.Background(), tc.config)
			e, ok := errors.AsType[*serviceaccount.Error](err)
			if !ok || !errors.Is(err, tc.is) || e.Step != tc.step || fmt.Sprint(err) == "" {
				t.Errorf("%v", err)
			}
		})
	}
}

func changed(c serviceaccount.Config, f func(*serviceaccount.Config)) serviceaccount.Config {
	f(&c)
	return c
}
