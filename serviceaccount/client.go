package serviceaccount

import (
	"context"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
)

// New logs in and gives a client for gophercloud's packages. Use Config.EndpointOpts with it.
func New(ctx context.Context, c Config) (*gophercloud.ProviderClient, error) {
	l, err := NewLogin(c)
	if err != nil {
		return nil, err
	}
	return l.Client(ctx)
}

// Client logs in, if that has not happened yet, and gives a client for gophercloud's packages that takes its tokens from l. Several clients
// may share one Login.
func (l *Login) Client(ctx context.Context) (*gophercloud.ProviderClient, error) {
	pc, err := openstack.NewClient(l.c.AuthURL)
	if err != nil {
		return nil, configError("auth_url: %w", err)
	}
	if l.c.UserAgent != "" {
		pc.UserAgent.Prepend(l.c.UserAgent)
	}
	pc.HTTPClient = http.Client{Transport: &renewing{l, l.http.Transport, pc}, CheckRedirect: keepToken}
	set := func(ctx context.Context) error {
		t, err := l.Token(ctx)
		if err != nil {
			return err
		}
		return pc.SetTokenAndAuthResult(t.result)
	}
	if err := set(ctx); err != nil {
		return nil, err
	}
	// Whoever is first to be refused calls this for all who are, and must not end their wait with its own. A login ends by its time-outs.
	pc.ReauthFunc = func(ctx context.Context) error { return set(context.WithoutCancel(ctx)) }
	// The catalog is always that of the newest token. It is not read under the locks of pc: a locator that asks a service for its
	// versions makes requests of its own.
	pc.EndpointLocator = func(opts gophercloud.EndpointOpts) (string, error) {
		t, err := l.Token(context.Background())
		if err != nil {
			return "", err
		}
		return openstack.V3Endpoint(context.Background(), pc, t.catalog, opts)
	}
	return pc, nil
}

// keepToken does not let a token follow a redirect to another host. The standard library takes away only the headers that it knows.
func keepToken(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return http.ErrUseLastResponse
	}
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		req.Header.Del("X-Auth-Token")
	}
	return nil
}
