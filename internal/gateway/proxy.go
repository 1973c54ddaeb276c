package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/web"
)

// A ProxyConfig configures a proxy to one service of a real cloud.
type ProxyConfig struct {
	Service   rbac.Service // for the shape of errors
	URL       string       // the service's root, without version and project: https://nova.example:8774
	Conns     int          // idle connections kept; 0: 1024. As large as the concurrency, or connections are made anew under load
	Transport http.RoundTripper
	Now       func() time.Time
}

// NewProxy makes a handler for Config.Clouds that forwards to a service: the same bytes in the target, streaming both ways,
// nothing compressed or decompressed on the way, WebSockets through.
func NewProxy(c ProxyConfig) (http.Handler, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" ||
		base.Fragment != "" {
		return nil, errors.New("gateway: the URL of a service must be http(s)://host[:port][/path]")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Transport == nil {
		c.Transport = newTransport(c.Conns)
	}
	prefix := strings.TrimSuffix(base.EscapedPath(), "/")
	return &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			path, query, hasQuery := strings.Cut(pr.In.RequestURI, "?")
			pr.Out.URL = &url.URL{Scheme: base.Scheme, Host: base.Host, Opaque: prefix + path, RawQuery: query, ForceQuery: hasQuery && query == ""}
			pr.Out.Host = ""
		},
		Transport:     c.Transport,
		FlushInterval: -1,
		BufferPool:    &bufferPool{},
		ErrorHandler:  c.badGateway,
	}, nil
}

// badGateway answers when the service did not.
func (c ProxyConfig) badGateway(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) {
		panic(http.ErrAbortHandler) // the client went away, or was cut off
	}
	if _, ok := errors.AsType[clientError](err); ok {
		writeProblem(w, r, c.Service, badRequest("the request body could not be read to its end"), idsOf(r, c.Service, c.Now().Unix()))
		return
	}
	e := web.EventOf(r.Context())
	e.Err = fmt.Errorf("forward: %w", err)
	writeProblem(w, r, c.Service, &problem{status: http.StatusBadGateway}, idsOf(r, c.Service, c.Now().Unix()))
}

// A clientBody marks the errors of a request's body, so that they are not taken for the cloud's.
type clientBody struct{ io.ReadCloser }

type clientError struct{ error }

func (e clientError) Unwrap() error { return e.error }

func (b clientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = clientError{err}
	}
	return n, err
}

func newTransport(conns int) *http.Transport {
	if conns == 0 {
		conns = 1024
	}
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		MaxIdleConns:          conns,
		MaxIdleConnsPerHost:   conns,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
		ReadBufferSize:        16 << 10,
		WriteBufferSize:       16 << 10,
	}
}

// A bufferPool lends ReverseProxy the buffers it copies bodies with.
type bufferPool struct{ pool sync.Pool }

const bufferSize = 64 << 10

func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[bufferSize]byte); ok {
		return b[:]
	}
	return make([]byte, bufferSize)
}

func (p *bufferPool) Put(b []byte) {
	if len(b) == bufferSize {
		p.pool.Put((*[bufferSize]byte)(b))
	}
}
