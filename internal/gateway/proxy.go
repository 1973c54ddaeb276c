package gateway

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stackgate/stackgate/internal/rbac"
)

// A ProxyConfig configures a proxy to one service of a real cloud. Either URL or Way is required.
type ProxyConfig struct {
	Service   rbac.Service // for the shape of errors
	URL       string       // the service's root, without version and project: https://nova.example:8774
	Transport http.RoundTripper
	Now       func() time.Time

	// Way says where a call about a project ("" if about none) goes on, with a credential for that project or with none. Errors are
	// NotServed, or else mean that nobody can say now.
	Way func(ctx context.Context, project string, credential bool) (Way, error)

	Answer time.Duration     // how long an answer may take to begin, once the request is sent; 0: for ever
	Idle   time.Duration     // how long nothing may move in a body, either way; 0: for ever
	AtOnce int               // how many calls may be under way; more are refused; 0: any number
	Closed func(string) bool // the names of operations that are turned off; nil: none
}

// A Way is where a call goes on, and as whom.
type Way struct {
	Scheme, Host string
	Prefix       string // escaped path of the service's root, without a slash at its end
	Token        string // for X-Auth-Token; "": none
	// Renew gives another token where this one was answered with 401; "": there is none.
	Renew func(context.Context) string
	// Plain asks for answers that are not compressed, because Answer looks into them.
	Plain bool
	// Answer may change an answer before anything of it is sent on. nil: it stays as it is.
	Answer func(*http.Response) error
}

// NotServed is the error of a Way to what is not there: a client's mistake.
type NotServed struct{ Message string }

// Error gives the message.
func (e NotServed) Error() string { return e.Message }

// A Proxy forwards judged calls to a service: the same bytes in the target, streaming both ways, nothing compressed or decompressed on the
// way, WebSockets through.
type Proxy struct {
	c       ProxyConfig
	fixed   Way
	reverse *httputil.ReverseProxy
	running atomic.Int64
}

// NewProxy makes a Proxy for Config.Clouds.
func NewProxy(c ProxyConfig) (*Proxy, error) {
	p := &Proxy{c: c}
	if c.Way == nil {
		base, err := url.Parse(c.URL)
		if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" ||
			base.Fragment != "" {
			return nil, errors.New("gateway: the URL of a service must be http(s)://host[:port][/path]")
		}
		p.fixed = Way{Scheme: base.Scheme, Host: base.Host, Prefix: strings.TrimSuffix(base.EscapedPath(), "/")}
	}
	if p.c.Now == nil {
		p.c.Now = time.Now
	}
	if p.c.Transport == nil {
		p.c.Transport = NewTransport(0, nil)
	}
	p.reverse = &httputil.ReverseProxy{
		Rewrite: p.rewrite, Transport: sender{p.c.Transport}, ModifyResponse: answered, BufferPool: &bufferPool{},
		ErrorHandler: p.fail, ErrorLog: log.New(io.Discard, "", 0), // the record of the request has it
	}
	return p, nil
}

// A leg is what a call's proxy knows of it.
type leg struct {
	project    string
	credential bool
	watch      *watch
	way        Way
	header     http.Header // what is sent on, where the ReverseProxy need not see it
}

type legKey struct{}

func legOf(ctx context.Context) *leg {
	l, _ := ctx.Value(legKey{}).(*leg)
	return l
}

// ServeHTTP forwards a call of the gateway's.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if n := p.running.Add(1); p.c.AtOnce > 0 && n > int64(p.c.AtOnce) {
		p.running.Add(-1)
		p.fail(w, r, errBusy)
		return
	}
	defer p.running.Add(-1)
	l := legOf(r.Context())
	l.way = p.fixed
	if p.c.Way != nil {
		way, err := p.c.Way(r.Context(), l.project, l.credential)
		if err != nil {
			p.fail(w, r, &wayError{err})
			return
		}
		l.way = way
	}
	if r.Header["Upgrade"] == nil { // the header is clean and nobody else's: the ReverseProxy would only copy it
		l.header, r.Header = r.Header, http.Header{}
	}
	p.reverse.ServeHTTP(w, r)
}

// closed reports whether an operation is turned off here.
func (p *Proxy) closed(op *rbac.Operation) bool {
	return p.c.Closed != nil && op != nil && p.c.Closed(op.Name())
}

// rewrite turns a judged call towards its service. Its target stays as it is, byte for byte, behind the service's root.
func (p *Proxy) rewrite(pr *httputil.ProxyRequest) {
	way := &legOf(pr.In.Context()).way
	path, query, hasQuery := strings.Cut(pr.In.RequestURI, "?")
	pr.Out.URL = &url.URL{Scheme: way.Scheme, Host: way.Host, Opaque: way.Prefix + path, RawQuery: query, ForceQuery: hasQuery && query == ""}
	pr.Out.Host = ""
	if header := legOf(pr.In.Context()).header; header != nil {
		pr.Out.Header = header
	}
	if way.Token != "" {
		pr.Out.Header["X-Auth-Token"] = []string{way.Token}
	}
	if way.Plain {
		pr.Out.Header["Accept-Encoding"] = []string{"identity"}
	}
}

// answered has the answer changed, where its Way wants that.
func answered(resp *http.Response) error {
	l := legOf(resp.Request.Context())
	if resp.StatusCode == http.StatusSwitchingProtocols {
		l.watch.phase.Store(upgraded) // ReverseProxy takes the connection over, and nobody sees an answer begin
	} else {
		l.watch.phase.Store(receiving)
		resp.Body = &cloudBody{resp.Body, resp.Request.Context()}
	}
	if l.way.Answer == nil {
		return nil
	}
	return l.way.Answer(resp)
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
