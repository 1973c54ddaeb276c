package gateway

import (
	"context"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/web"
)

// forward hands a granted call to its cloud and watches it for as long as it runs.
func (s *Server) forward(w http.ResponseWriter, r *http.Request, c *call) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	watch := s.watch(ctx, cancel, w, r, c)
	defer watch.stop()
	out := c.outgoing(r, ctx)
	out.Header["X-Identity-Status"] = []string{"Confirmed"}
	out.Header["X-Project-Id"] = []string{string(c.bearer.Token.Project)}
	out.Header["X-User-Id"] = []string{c.bearer.UserID}
	out.Header["X-User-Name"] = []string{c.bearer.UserName}
	out.Header["X-Roles"] = []string{roleList(c.roles)}
	a := newAnswer(w, requestID(r), s.sample(r, c))
	c.next.ServeHTTP(a, out)
	a.begin() // a connection that was taken over has no other beginning
}

// outgoing makes the request that the cloud gets: the judged target, and no identity from outside.
func (c *call) outgoing(r *http.Request, ctx context.Context) *http.Request {
	out := r.WithContext(ctx)
	query, hasQuery := c.target.Query()
	if c.decision.Dropped {
		query, hasQuery = c.decision.Query, c.decision.Query != ""
	}
	raw := c.target.Path()
	path, err := url.PathUnescape(raw)
	if err != nil {
		path = raw // cannot be: ParseTarget has seen it
	}
	out.URL = &url.URL{Path: path, RawPath: raw, RawQuery: query, ForceQuery: hasQuery && query == ""}
	out.RequestURI = raw
	if hasQuery {
		out.RequestURI += "?" + query
	}
	out.Header = cleanHeader(r.Header, c.service)
	out.Header["X-Openstack-Request-Id"] = []string{requestID(r)}
	out.Trailer = nil
	return out
}

func roleList(roles rbac.Roles) string {
	var b strings.Builder
	for r := range roles.All() {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(r.String())
	}
	return b.String()
}

// cleanHeader copies h without what only the gateway may say, without credentials, without what Connection (RFC 9110 §7.6.1)
// lists, so that nothing listed there can take away what is set afterwards, and without any name that a Python server would
// read as another one.
func cleanHeader(h http.Header, service rbac.Service) http.Header {
	out := make(http.Header, len(h)+6)
	for name, values := range h {
		if !reserved(name) && !aliased(name, service) {
			out[name] = values
		}
	}
	upgrade := ""
	for _, v := range h["Connection"] {
		for item := range strings.SplitSeq(v, ",") {
			item = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(item))
			if item == "Upgrade" {
				upgrade = "Upgrade"
			} else {
				delete(out, item)
			}
		}
	}
	delete(out, "Connection")
	if upgrade != "" && out["Upgrade"] != nil {
		out["Connection"] = []string{upgrade}
	} else {
		delete(out, "Upgrade")
	}
	return out
}

// reserved reports whether a header, in its canonical spelling, is dropped: what auth_token and the services' own proxies set,
// and every credential.
func reserved(name string) bool {
	switch name {
	case "Authorization", "Cookie", "Forwarded", "Openstack-System-Scope", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
		"X-Authorization", "X-Is-Admin-Project", "X-Openstack-Request-Id", "X-Real-Ip", "X-Role", "X-Roles", "X-Storage-Token",
		"X-Storage-User", "X-Tenant", "X-Timestamp", "X-User", "X-Trans-Id", "X-Http-Method-Override", "X-Http-Method", "X-Method-Override":
		return true
	}
	rest, ok := strings.CutPrefix(name, "X-")
	if !ok {
		return false
	}
	for _, p := range [...]string{"Auth-", "Backend-", "Domain-", "Forwarded-", "Identity-", "Project-", "Service-", "Stackgate-", "System-Scope",
		"Tenant-", "Token-", "User-", "Original-", "Rewrite-", "Account-Sysmeta-", "Container-Sysmeta-", "Object-Sysmeta-",
		"Object-Transient-Sysmeta-"} {
		if strings.HasPrefix(rest, p) {
			return true
		}
	}
	return false
}

// aliased reports whether a name holds an underscore, which WSGI turns into the same key as a hyphen. Only Swift's metadata,
// whose names are the tenant's own, may have one.
func aliased(name string, service rbac.Service) bool {
	if strings.IndexByte(name, '_') < 0 {
		return false
	}
	if service != rbac.ObjectStore {
		return true
	}
	for _, p := range [...]string{"X-Account-Meta-", "X-Container-Meta-", "X-Object-Meta-", "X-Remove-Account-Meta-", "X-Remove-Container-Meta-",
		"X-Remove-Object-Meta-"} {
		if len(name) > len(p) && strings.EqualFold(name[:len(p)], p) {
			return false
		}
	}
	return true
}

// A watch judges a running call again and again, and cuts it when what allowed it is gone.
type watch struct {
	mu      sync.Mutex // guards timer and stopped
	timer   *time.Timer
	stopped bool
}

// watch starts a watch. Cutting cancels ctx, which ends proxied transfers and hijacked connections, and makes the client's
// connection fail, which ends what an in-process cloud reads or writes.
func (s *Server) watch(ctx context.Context, cancel context.CancelFunc, w http.ResponseWriter, r *http.Request, c *call) *watch {
	t := &watch{}
	addr := web.ClientAddr(r)
	check := func() {
		if s.stillAllowed(ctx, c, addr) {
			t.again(s.c.Recheck)
			return
		}
		cancel()
		t.cut(w)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(s.c.Recheck, check)
	return t
}

func (t *watch) again(after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.stopped {
		t.timer.Reset(after)
	}
}

// cut lets every further read and write of the client's connection fail. It does nothing once the handler has returned: the
// connection may then serve another request.
func (t *watch) cut(w http.ResponseWriter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	past := time.Unix(1, 0)
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(past) // a writer without deadlines has no connection to cut
	_ = rc.SetWriteDeadline(past)
}

func (t *watch) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.timer.Stop()
}

// stillAllowed asks again what authenticate and judge asked. Every error is a no.
func (s *Server) stillAllowed(ctx context.Context, c *call, addr netip.Addr) bool {
	b, err := s.c.Open(ctx, c.token)
	if err != nil {
		return false
	}
	roles, err := s.c.Roles(ctx, b, addr)
	return err == nil && c.decision.Allows(roles)
}
