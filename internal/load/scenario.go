package load

import (
	"context"
	"errors"
	"net/http"
)

// Scenarios gives every scenario against a Target, in the order of design.md's budgets.
func Scenarios(t Target) []Scenario {
	return []Scenario{Login(t), Token(t), Validate(t), Rescope(t), Gateway(t)}
}

// Login is the whole login of an OpenStack client: discovery, token, federation, scope.
func Login(t Target) Scenario {
	return Scenario{Name: "whole login (4 requests)", Budget: "≥ 2 000/s, p99 < 50 ms", Prepare: func(_ context.Context, c *Client) (func(context.Context) error, error) {
		return func(ctx context.Context) error {
			_, _, err := t.login(ctx, c)
			return err
		}, nil
	}}
}

// Token is the role-adapter's token endpoint alone.
func Token(t Target) Scenario {
	return Scenario{Name: "token endpoint", Budget: "≥ 0.8 × bare", Bare: bareSignature, Prepare: func(ctx context.Context, c *Client) (func(context.Context) error, error) {
		var d discovery
		if _, err := c.sendJSON(ctx, t.discover(), &d); err != nil {
			return nil, err
		}
		q := t.token(d.TokenEndpoint)
		q.discard = true
		return repeat(c, q), nil
	}}
}

// Validate asks what a token is, as every OpenStack service does.
func Validate(t Target) Scenario {
	return Scenario{Name: "GET /v3/auth/tokens", Budget: "≥ 20 000/s", Prepare: func(ctx context.Context, c *Client) (func(context.Context) error, error) {
		token, _, err := t.login(ctx, c)
		if err != nil {
			return nil, err
		}
		return repeat(c, request{name: "validation", method: http.MethodGet, url: t.authURL() + "/auth/tokens", want: http.StatusOK, discard: true,
			header: http.Header{"X-Auth-Token": {token}, "X-Subject-Token": {token}}}), nil
	}}
}

// Rescope exchanges an unscoped token for one of the project.
func Rescope(t Target) Scenario {
	return Scenario{Name: "rescope", Budget: "≥ 15 000/s", Prepare: func(ctx context.Context, c *Client) (func(context.Context) error, error) {
		token, err := t.unscoped(ctx, c)
		if err != nil {
			return nil, err
		}
		return repeat(c, t.rescope(token)), nil
	}}
}

// Gateway lists servers through the gateway.
func Gateway(t Target) Scenario {
	return Scenario{Name: "gateway, servers/detail", Budget: "≥ 0.9 × bare", Bare: bareProxy, Prepare: func(ctx context.Context, c *Client) (func(context.Context) error, error) {
		q, err := t.read(ctx, c)
		return repeat(c, q), err
	}}
}

// Get repeats one GET with a header that may be nil, for whatever else is to be compared.
func Get(name, url string, header http.Header) Scenario {
	return Scenario{Name: name, Prepare: func(ctx context.Context, c *Client) (func(context.Context) error, error) {
		if url == "" {
			return nil, errors.New("no address")
		}
		flow := repeat(c, request{name: name, method: http.MethodGet, url: url, want: http.StatusOK, header: header, discard: true})
		return flow, flow(ctx)
	}}
}

// Post repeats one POST of a form, as a token endpoint gets it.
func Post(name, url string, form string) Scenario {
	return Scenario{Name: name, Prepare: func(ctx context.Context, c *Client) (func(context.Context) error, error) {
		flow := repeat(c, request{name: name, method: http.MethodPost, url: url, want: http.StatusOK, discard: true, body: []byte(form),
			header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}})
		return flow, flow(ctx)
	}}
}

func repeat(c *Client, q request) func(context.Context) error {
	return func(ctx context.Context) error {
		_, _, err := c.send(ctx, q)
		return err
	}
}
