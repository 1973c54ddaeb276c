package stackgate

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/applicationcredentials"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
	"github.com/gophercloud/gophercloud/v2/openstack/objectstorage/v1/containers"
	"github.com/gophercloud/gophercloud/v2/pagination"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/servertest"
)

// gophercloudOptions are the ways to log in that gophercloud, and so Terraform, Packer, restic and the Kubernetes cloud provider, know.
func gophercloudOptions(s *servertest.Server, c servertest.Credential) map[string]gophercloud.AuthOptions {
	id, project := string(c.ID), string(servertest.Project)
	user := func(o gophercloud.AuthOptions) gophercloud.AuthOptions {
		o.Password, o.AllowReauth, o.Scope = c.Secret, true, &gophercloud.AuthScope{ProjectID: project}
		return o
	}
	all := map[string]gophercloud.AuthOptions{
		"password, domain by name": user(gophercloud.AuthOptions{Username: id, DomainName: "ovhcloud-emea"}),
		"application credential":   {ApplicationCredentialID: id + "@" + project, ApplicationCredentialSecret: c.Secret, AllowReauth: true},
		"token":                    {TokenID: s.Scoped(c), Scope: &gophercloud.AuthScope{ProjectID: project}, AllowReauth: true},
		"password, project by name": {
			Username: id, DomainName: "ovhcloud-emea", Password: c.Secret, AllowReauth: true,
			Scope: &gophercloud.AuthScope{ProjectName: "guide", DomainName: "Default"},
		},
	}
	for name, o := range all {
		o.IdentityEndpoint = s.URL + "/v3"
		all[name] = o
		o.IdentityEndpoint = s.URL // it looks for a version
		all[name+", address without version"] = o
	}
	return all
}

// TestGophercloud uses the real library: log in, list servers, be refused containers, log in again by itself, be out.
func TestGophercloud(t *testing.T) {
	s := servertest.Start(t)
	c := s.ServiceAccount("gophercloud", "publicCloudProject:openstack:infrastructureSupervisor")
	clients := map[string]*gophercloud.ProviderClient{}
	for name, o := range gophercloudOptions(s, c) {
		t.Run(name, func(t *testing.T) {
			pc, err := openstack.AuthenticatedClient(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			clients[name] = pc
			if n, err := countServers(t, pc); err != nil || n != 1 {
				t.Errorf("servers: %d %v", n, err)
			}
			refusedContainers(t, pc)
			ownCredential(t, pc, c)
			if o.TokenID != "" {
				return // what it would log in again with is what is revoked
			}
			revokeOwnToken(t, pc)
			if n, err := countServers(t, pc); err != nil || n != 1 {
				t.Errorf("servers, after the token was revoked: %d %v", n, err)
			}
		})
	}
	if err := s.Registry().SetServiceAccountDisabled(t.Context(), s.Operator, c.ID, true); err != nil {
		t.Fatal(err)
	}
	for name, pc := range clients {
		_, err := countServers(t, pc)
		if _, ok := errors.AsType[*gophercloud.ErrUnableToReauthenticate](err); !ok {
			t.Errorf("%s, disabled: %v", name, err)
		}
	}
}

var inGRA1 = gophercloud.EndpointOpts{Region: "GRA1"}

func countServers(t *testing.T, pc *gophercloud.ProviderClient) (n int, err error) {
	t.Helper()
	compute, err := openstack.NewComputeV2(pc, inGRA1)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := servers.List(compute, nil).AllPages(t.Context())
	if err != nil {
		return 0, err
	}
	list, err := servers.ExtractServers(pages)
	return len(list), err
}

func refusedContainers(t *testing.T, pc *gophercloud.ProviderClient) {
	t.Helper()
	store, err := openstack.NewObjectStorageV1(pc, inGRA1)
	if err != nil {
		t.Fatal(err)
	}
	err = containers.List(store, nil).EachPage(t.Context(), func(_ context.Context, _ pagination.Page) (bool, error) { return true, nil })
	if !gophercloud.ResponseCodeIs(err, http.StatusForbidden) {
		t.Errorf("containers: %v", err)
	}
}

// ownCredential finds the one application credential, by way of the token, as the Terraform provider's data source does.
func ownCredential(t *testing.T, pc *gophercloud.ProviderClient, c servertest.Credential) {
	t.Helper()
	identity, err := openstack.NewIdentityV3(pc, inGRA1)
	if err != nil {
		t.Fatal(err)
	}
	user, err := tokens.Get(t.Context(), identity, pc.TokenID).ExtractUser()
	if err != nil || user.Name != string(c.ID) {
		t.Fatalf("whose token: %+v %v", user, err)
	}
	pages, err := applicationcredentials.List(identity, user.ID, nil).AllPages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := applicationcredentials.ExtractApplicationCredentials(pages)
	if want := string(c.ID) + "@" + string(servertest.Project); err != nil || len(list) != 1 || list[0].ID != want || list[0].Unrestricted || len(list[0].Roles) == 0 {
		t.Errorf("application credentials: %+v %v", list, err)
	}
	_, err = applicationcredentials.Create(t.Context(), identity, user.ID, applicationcredentials.CreateOpts{Name: "mine"}).Extract()
	if !gophercloud.ResponseCodeIs(err, http.StatusForbidden) {
		t.Errorf("making one: %v", err)
	}
}

func revokeOwnToken(t *testing.T, pc *gophercloud.ProviderClient) {
	t.Helper()
	identity, err := openstack.NewIdentityV3(pc, inGRA1)
	if err != nil {
		t.Fatal(err)
	}
	if err := tokens.Revoke(t.Context(), identity, pc.TokenID).Err; err != nil {
		t.Fatal(err)
	}
}

// TestGophercloudByUserID logs in with what a token says of its user.
func TestGophercloudByUserID(t *testing.T) {
	s := servertest.Start(t)
	c := s.ServiceAccount("gophercloud", iam.Action("publicCloudProject:openstack:infrastructureSupervisor"))
	o := gophercloudOptions(s, c)["password, domain by name"]
	pc, err := openstack.AuthenticatedClient(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	user, err := pc.GetAuthResult().(tokens.CreateResult).ExtractUser()
	if err != nil {
		t.Fatal(err)
	}
	o.Username, o.DomainName, o.UserID = "", "", user.ID
	if pc, err = openstack.AuthenticatedClient(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if n, err := countServers(t, pc); err != nil || n != 1 {
		t.Errorf("servers: %d %v", n, err)
	}
}
