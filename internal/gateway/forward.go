package gateway

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/web"
)

// forward hands a call to its cloud and watches it for as long as it runs.
func (s *Server) forward(w http.ResponseWriter, r *http.Request, c *call) {
	ctx := r.Context()
	proxy, proxied := c.next.(*Proxy)
	if proxied || r.ContentLength != 0 || r.Header["Upgrade"] != nil { // else a broken connection is enough to end everything
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
		c.watch.cancel = cancel
	}
	c.watch.pause = s.c.BodyWait
	if proxied {
		c.watch.answer, c.watch.idle, c.watch.pause = proxy.c.Answer, proxy.c.Idle, proxy.c.Idle
		c.leg = leg{project: c.project(), credential: !c.open, watch: &c.watch}
		ctx = context.WithValue(ctx, legKey{}, &c.leg)
	}
	if !c.hasBody && r.ContentLength != 0 { // the watch sees to it that the body goes on, and afterwards there may be a rest
		web.LimitBody(w, 0)
		defer func() {
			if ctx.Err() == nil {
				web.LimitBody(w, s.c.BodyWait)
			}
		}()
	}
	s.running.add(c, w, web.ClientAddr(r), ctx)
	defer s.running.remove(c)
	id := []string{requestID(r)}
	out := c.outgoing(r, ctx, id)
	var noted func(string)
	if !c.open {
		if !proxied || proxy.c.Way == nil {
			s.identify(out, c)
		}
		noted = s.sample(r, c)
	}
	c.answer.init(w, id, &c.watch, noted)
	c.next.ServeHTTP(&c.answer, out)
	c.answer.begin() // a connection that was taken over has no other beginning
}

// project is the one that the call is about, "" if it is about none.
func (c *call) project() string {
	if c.open {
		return c.decision.Project
	}
	return string(c.bearer.Token.Project)
}

// identify says who calls, to a cloud that believes us. A real one has its own token, and is told nothing of ours.
func (s *Server) identify(out *http.Request, c *call) {
	values := [...]string{"Confirmed", string(c.bearer.Token.Project), c.bearer.UserID, c.bearer.UserName, s.roleList(c.roles)}
	for i, name := range [...]string{"X-Identity-Status", "X-Project-Id", "X-User-Id", "X-User-Name", "X-Roles"} {
		out.Header[name] = values[i : i+1 : i+1] // one allocation for all
	}
}

// outgoing makes the request that the cloud gets: the judged target, and no identity from outside.
// The request is told to the cloud from here on, so its header is made that of the cloud's, where it stands.
func (c *call) outgoing(r *http.Request, ctx context.Context, id []string) *http.Request {
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
	cleanHeader(out.Header, c.service)
	out.Header["X-Openstack-Request-Id"] = id
	out.Trailer = nil
	switch {
	case c.hasBody:
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c.body)), nil }
	case r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0:
		out.Body = &clientBody{r.Body, &c.watch}
		c.watch.phase.Store(sending)
	}
	return out
}

// roleList gives the names of the roles, separated by commas. There are few sets, so each list is made once.
func (s *Server) roleList(roles rbac.Roles) string {
	if list, ok := s.roleLists.Load(roles); ok {
		return list.(string)
	}
	list := strings.Join(roleNames(roles), ",")
	s.roleLists.Store(roles, list)
	return list
}

// cleanHeader takes out of h what only the gateway may say, credentials, what Connection (RFC 9110 §7.6.1) lists, so that nothing listed
// there can take away what is set afterwards, and any name that a Python server would read as another one.
func cleanHeader(h http.Header, service rbac.Service) {
	connection := h["Connection"]
	for name := range h {
		if reserved(name) || aliased(name, service) {
			delete(h, name)
		}
	}
	upgrade := ""
	for _, v := range connection {
		for item := range strings.SplitSeq(v, ",") {
			item = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(item))
			if item == "Upgrade" {
				upgrade = "Upgrade"
			} else {
				delete(h, item)
			}
		}
	}
	delete(h, "Connection")
	if upgrade != "" && webSocket(h["Upgrade"]) {
		h["Connection"] = []string{upgrade}
	} else {
		delete(h, "Upgrade")
	}
}

// webSocket reports whether a WebSocket is asked for. Another protocol, such as h2c, would carry calls that nobody judges.
func webSocket(upgrade []string) bool {
	return len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket")
}

// reserved reports whether a header, in its canonical spelling, is dropped: what auth_token and the services' own proxies set,
// every credential, and what is for one connection only.
func reserved(name string) bool {
	switch name {
	case "Authorization", "Cookie", "Forwarded", "Http2-Settings", "Keep-Alive", "Openstack-System-Scope", "Proxy", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
		"X-Allow-Reserved-Names", "X-Authorization", "X-Container-Sync-Auth", "X-Is-Admin-Project", "X-Openstack-Request-Id", "X-Real-Ip", "X-Role", "X-Roles", "X-Storage-Token",
		"X-Storage-User", "X-Tenant", "X-Timestamp", "X-User", "X-Trans-Id", "Idempotency-Key", "X-Idempotency-Key", "X-Http-Method-Override", "X-Http-Method", "X-Method-Override":
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
