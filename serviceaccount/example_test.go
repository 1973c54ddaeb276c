package serviceaccount_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/stackgate/stackgate/internal/recorded"
	"github.com/stackgate/stackgate/serviceaccount"
)

// exampleCloud stands for a cloud in the examples. Its configuration is what FromEnv or FromCloud would read.
func exampleCloud(tokenLife time.Duration) (c serviceaccount.Config, logins func() int, stop func()) {
	cloud := recorded.New(tokenLife)
	s := httptest.NewServer(cloud)
	c = config(cloud)
	c.AuthURL, c.DiscoveryEndpoint, c.Transport = s.URL+"/v3", s.URL+recorded.Adapter+"/.well-known/openid-configuration", nil
	return c, func() int { return cloud.Count(recorded.Scope) }, s.Close
}

// List the servers of a project. A program begins with FromEnv or FromCloud instead of exampleCloud.
func Example() {
	config, _, stop := exampleCloud(time.Hour)
	defer stop()

	ctx := context.Background()
	client, err := serviceaccount.New(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	compute, err := openstack.NewComputeV2(client, config.EndpointOpts())
	if err != nil {
		log.Fatal(err)
	}
	pages, err := servers.List(compute, nil).AllPages(ctx)
	if err != nil {
		log.Fatal(err)
	}
	list, err := servers.ExtractServers(pages)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range list {
		fmt.Println(s.ID, s.Name)
	}
	// Output: 0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0ff0 name_vm
}

// Four thousand goroutines that meet the end of a token make one login.
func Example_goroutines() {
	config, logins, stop := exampleCloud(2 * time.Second)
	defer stop()

	ctx := context.Background()
	login, err := serviceaccount.NewLogin(config)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := login.Token(ctx); err != nil {
		log.Fatal(err)
	}
	before := logins()
	time.Sleep(2 * time.Second) // the token ends

	var all sync.WaitGroup
	for range 4000 {
		all.Go(func() {
			if _, err := login.Token(ctx); err != nil {
				log.Fatal(err)
			}
		})
	}
	all.Wait()
	fmt.Println(logins()-before, "login")
	// Output: 1 login
}

// Against OVHcloud itself, as its guide says; the newer guide wants a wider scope.
func ExampleConfig() {
	config := serviceaccount.Config{
		AuthURL:           "https://auth.cloud.ovh.net/v3",
		IdentityProvider:  "ovhcloud-emea",
		Protocol:          "openid",
		AccessTokenType:   "id_token",
		DiscoveryEndpoint: "https://iam.ovh.net/role-adapter/urn:v1:eu:resource:publicCloudProject:pci/.well-known/openid-configuration",
		Scope:             "openid profile email publicCloudProject/all",
		ClientID:          "0f0f0f0f0f0f0f0f",
		SecretFile:        "/run/secrets/ovhcloud", // read at each login, so that it can be replaced
		ProjectID:         "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
		Region:            "GRA1",
	}
	_, err := serviceaccount.NewLogin(config)
	fmt.Println(err)
	// Output: <nil>
}
