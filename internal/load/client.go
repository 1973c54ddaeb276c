package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
)

// A Client sends a run's requests. It follows no redirect: none of the programs that we stand for would get far with one.
type Client struct {
	transport http.RoundTripper
	received  atomic.Int64
}

// A request is what a flow sends. Want is the only status that counts as success.
type request struct {
	name    string // for errors
	method  string
	url     string
	header  http.Header // read only: flows share it
	body    []byte
	basic   *url.Userinfo
	want    int
	discard bool // of the body only the size matters
}

// send sends a request and gives the answer's header and body.
func (c *Client) send(ctx context.Context, q request) (http.Header, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, q.method, q.url, bytes.NewReader(q.body))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: the address cannot be parsed", q.name) // the text of err may hold it, and so a password
	}
	if q.header != nil {
		r.Header = q.header.Clone()
	}
	if q.basic != nil {
		password, _ := q.basic.Password()
		r.SetBasicAuth(q.basic.Username(), password)
	}
	res, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", q.name, err)
	}
	var body []byte
	var n int64
	if q.discard {
		n, err = drain(res.Body)
	} else {
		body, err = io.ReadAll(io.LimitReader(res.Body, 1<<20))
		rest, err2 := drain(res.Body)
		n = int64(len(body)) + rest
		if err == nil {
			err = err2
		}
	}
	c.received.Add(n)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: read the answer: %w", q.name, err)
	}
	if res.StatusCode != q.want {
		return nil, nil, fmt.Errorf("%s: status %d instead of %d", q.name, res.StatusCode, q.want)
	}
	return res.Header, body, nil
}

// sendJSON is send with the body decoded into dst.
func (c *Client) sendJSON(ctx context.Context, q request, dst any) (http.Header, error) {
	h, body, err := c.send(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, dst); err != nil {
		return nil, fmt.Errorf("%s: the answer is not the JSON expected", q.name)
	}
	return h, nil
}
