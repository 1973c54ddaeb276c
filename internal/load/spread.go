package load

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// SpreadLogin is Login by many service accounts in turn.
func SpreadLogin(targets []Target) Scenario {
	return Scenario{Name: "whole login, by all active in turn", Budget: "≥ 2 000/s, p99 < 50 ms",
		Prepare: func(_ context.Context, c *Client) (func(context.Context) error, error) {
			if len(targets) == 0 {
				return nil, errors.New("no service accounts")
			}
			var n atomic.Int64
			return func(ctx context.Context) error {
				_, _, err := targets[int(n.Add(1))%len(targets)].login(ctx, c)
				return err
			}, nil
		}}
}

// SpreadGateway is Gateway with the tokens of many service accounts in turn. Preparing it logs each of them in once.
func SpreadGateway(targets []Target) Scenario {
	return Scenario{Name: "gateway, servers/detail, all active in turn", Prepare: func(ctx context.Context, c *Client) (func(context.Context) error, error) {
		if len(targets) == 0 {
			return nil, errors.New("no service accounts")
		}
		requests, err := reads(ctx, c, targets)
		if err != nil {
			return nil, err
		}
		var n atomic.Int64
		return func(ctx context.Context) error {
			_, _, err := c.send(ctx, requests[int(n.Add(1))%len(requests)])
			return err
		}, nil
	}}
}

// reads logs all targets in, over a few connections, and gives a read through the gateway for each.
func reads(ctx context.Context, c *Client, targets []Target) ([]request, error) {
	requests := make([]request, len(targets))
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for k := range errs {
		wg.Go(func() {
			for i := k; i < len(targets) && errs[k] == nil; i += len(errs) {
				requests[i], errs[k] = targets[i].read(ctx, c)
			}
		})
	}
	wg.Wait()
	return requests, errors.Join(errs...)
}

// read logs in and gives a read through the gateway.
func (t Target) read(ctx context.Context, c *Client) (request, error) {
	token, body, err := t.login(ctx, c)
	if err != nil {
		return request{}, err
	}
	compute, err := t.endpoint(body, "compute")
	if err != nil {
		return request{}, err
	}
	return request{name: "servers/detail", method: http.MethodGet, url: compute + "/servers/detail", want: http.StatusOK, discard: true,
		header: http.Header{"X-Auth-Token": {token}, "Accept": {"application/json"}}}, nil
}

// FirstToken asks for an id_token until a server that is starting gives one, or ctx ends.
func FirstToken(ctx context.Context, t Target) error {
	c := &Client{transport: &http.Transport{DisableKeepAlives: true}}
	for {
		var d discovery
		_, err := c.sendJSON(ctx, t.discover(), &d)
		if err == nil {
			var tokens oidcTokens
			_, err = c.sendJSON(ctx, t.token(d.TokenEndpoint), &tokens)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
	}
}
