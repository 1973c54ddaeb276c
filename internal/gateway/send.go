package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/stackgate/stackgate/internal/web"
)

// A clientBody is a request's body on its way to the cloud. It marks its errors, so that they are not taken for the cloud's, and lets the watch
// see it move.
type clientBody struct {
	io.ReadCloser
	watch *watch
}

type clientError struct{ error }

func (e clientError) Unwrap() error { return e.error }

func (b *clientBody) Read(p []byte) (int, error) {
	b.watch.reading.Store(true)
	n, err := b.ReadCloser.Read(p)
	b.watch.reading.Store(false)
	b.watch.moved.Add(1)
	if err == io.EOF {
		b.watch.phase.CompareAndSwap(sending, waiting)
	} else if err != nil {
		err = clientError{err}
	}
	return n, err
}

// A cloudBody is an answer's body. It has the record of the request say when it breaks off, which is too late for any other answer.
type cloudBody struct {
	io.ReadCloser
	ctx context.Context
}

func (b *cloudBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && b.ctx.Err() == nil {
		web.EventOf(b.ctx).Err = fmt.Errorf("forward: read the answer: %w", err)
	}
	return n, err
}

// A sender sends a call on. Where the service answers 401 and nothing of the body was read, it sends it once more with another token.
type sender struct{ base http.RoundTripper }

// RoundTrip never gives the 401 of a call that had a credential: it is ours, not the client's.
func (s sender) RoundTrip(req *http.Request) (*http.Response, error) {
	way := &legOf(req.Context()).way
	if way.Token == "" {
		return s.base.RoundTrip(req)
	}
	var body *onceBody
	if req.Body != nil && req.GetBody == nil {
		body = &onceBody{ReadCloser: req.Body}
		req = req.WithContext(req.Context())
		req.Body = body
	}
	resp, err := s.base.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	_ = resp.Body.Close() // what it says is for us
	token := way.Renew(req.Context())
	if token == "" || body != nil && !body.rewind() {
		return nil, errRefused
	}
	if req, err = again(req, token, body); err != nil {
		return nil, err
	}
	if resp, err = s.base.RoundTrip(req); err == nil && resp.StatusCode == http.StatusUnauthorized {
		_ = resp.Body.Close()
		return nil, errRefused
	}
	return resp, err
}

// again is the request with another token, and with its body from the start.
func again(req *http.Request, token string, body *onceBody) (*http.Request, error) {
	header := req.Header.Clone()
	header["X-Auth-Token"] = []string{token}
	req = req.WithContext(req.Context())
	req.Header = header
	switch {
	case body != nil:
		req.Body = body.ReadCloser
	case req.GetBody != nil:
		fresh, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		req.Body = fresh
	}
	return req, nil
}

// A onceBody can be sent once more for as long as nobody has read from it: a client that expects 100 Continue waits for the service's word.
type onceBody struct {
	io.ReadCloser
	state atomic.Int32
}

const (
	unread int32 = iota
	begun
	sealed // it was given up unread
)

var errSealed = errors.New("the body is sent with another request")

func (b *onceBody) Read(p []byte) (int, error) {
	if !b.state.CompareAndSwap(unread, begun) && b.state.Load() == sealed {
		return 0, errSealed
	}
	return b.ReadCloser.Read(p)
}

// Close leaves a body open that nobody has read: rewind may want it.
func (b *onceBody) Close() error {
	if b.state.Load() != begun {
		return nil
	}
	return b.ReadCloser.Close()
}

// rewind reports whether the body is as it was, and sees to it that it stays so.
func (b *onceBody) rewind() bool { return b.state.CompareAndSwap(unread, sealed) }

// idleConnections are kept of each service. Fewer than the concurrency, and connections are made anew under load.
const idleConnections = 1024

// NewTransport makes what carries calls to services. connect is how long it may take to connect, TLS included; 0: ten seconds. All other limits
// are those of the watch, which costs a call less than a timer of its own.
func NewTransport(connect time.Duration, t *tls.Config) *http.Transport {
	if connect == 0 {
		connect = 10 * time.Second
	}
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       t,
		TLSHandshakeTimeout:   connect,
		MaxIdleConns:          0, // of each service, not of all
		MaxIdleConnsPerHost:   idleConnections,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
		ReadBufferSize:        16 << 10,
		WriteBufferSize:       16 << 10,
	}
}
