package cli

import (
	"context"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/stackgate/stackgate/serviceaccount"
)

// identityClient logs in as an entry of clouds.yaml and gives Identity v3 at the address of the login: what a catalog says may be for
// others.
func identityClient(ctx context.Context, cloud string) (*gophercloud.ServiceClient, error) {
	c, err := serviceaccount.FromCloud(cloud)
	if err != nil {
		return nil, err
	}
	client, err := serviceaccount.New(ctx, c)
	if err != nil {
		return nil, err
	}
	return &gophercloud.ServiceClient{ProviderClient: client, Endpoint: client.IdentityBase + "v3/", Type: "identity"}, nil
}
