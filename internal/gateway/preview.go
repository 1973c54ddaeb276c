package gateway

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/web"
)

// A Question is a call that nobody has made.
type Question struct {
	Bearer  Bearer     // with the project in its token
	Address netip.Addr // invalid: unknown
	Service string     // as in the gateway's paths or as in the catalog; "": region and service stand at the start of the target
	Method  string
	Target  string // raw path and query: behind the gateway's root, or with Service behind the service's
	Header  http.Header
	Body    []byte
}

// Preview judges a call as ServeHTTP would, and forwards nothing. The decision is not recorded. What is asked so badly that it is no call at all is
// iam.Invalid.
func (s *Server) Preview(ctx context.Context, q Question) (audit.Decision, error) {
	r, err := s.request(ctx, q)
	if err != nil {
		return audit.Decision{}, err
	}
	c := &call{bearer: q.Bearer}
	err = s.preview(r, c)
	if err == nil {
		verdict := audit.Granted
		if c.decision.Open() {
			verdict = audit.Open
		}
		return s.decisionOf(r, c, &problem{decision: verdict}, ids{}), nil
	}
	p := s.problemOf(r, err)
	if p.status == http.StatusNotFound {
		return audit.Decision{}, iam.Errorf(iam.Invalid, "%s The path must start with a region and a service of this gateway, such as /GRA1/compute.", p.message)
	}
	if p.status >= http.StatusInternalServerError {
		return audit.Decision{}, err
	}
	return s.decisionOf(r, c, p, ids{}), nil
}

// preview takes a call through serve's steps up to where it would be forwarded, with a bearer instead of a token.
func (s *Server) preview(r *http.Request, c *call) (err error) {
	if err := s.locate(r, c); err != nil {
		return err
	}
	project := c.bearer.Token.Project
	c.bearer.Token.Project = ""
	c.classify(s.c.Table, r)
	c.bearer.Token.Project = project
	if c.decision.Open() {
		if p := c.decision.Project; p != "" && !s.c.KnownProject(p) {
			return unknownProject()
		}
		return nil
	}
	if c.roles, err = s.c.Roles(r.Context(), c.bearer, web.ClientAddr(r)); err != nil {
		return err
	}
	return s.judge(nowhere{}, r, c)
}

// nowhere is where the answer to a call goes that nobody made.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}

// request makes the request that a question is about, as it would come off the wire.
func (s *Server) request(ctx context.Context, q Question) (*http.Request, error) {
	target := q.Target
	if q.Service != "" {
		region, service, ok := s.place(q.Service)
		if !ok {
			return nil, iam.Errorf(iam.Invalid, "There is no service %q here.", q.Service[:min(len(q.Service), 100)])
		}
		target = "/" + region + "/" + service + target
	}
	if !strings.HasPrefix(q.Target, "/") || strings.ContainsAny(target, " \r\n\t") {
		return nil, iam.Errorf(iam.Invalid, "The path must start with a slash and be as on the wire, with %%20 for a space.")
	}
	ctx = web.WithEvent(ctx, &web.Event{Address: q.Address})
	r := &http.Request{
		Method: q.Method, URL: &url.URL{Path: "/"}, RequestURI: target, Header: q.Header, Body: io.NopCloser(bytes.NewReader(q.Body)),
		ContentLength: int64(len(q.Body)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	return r.WithContext(ctx), nil
}

// place finds a service in the gateway's paths and the first region that has it.
func (s *Server) place(name string) (region, service string, ok bool) {
	if path, known := ServicePath("", name); known {
		name, _, _ = strings.Cut(path[2:], "/")
	}
	clouds := s.c.Clouds()
	for _, region := range slices.Sorted(maps.Keys(clouds)) {
		if clouds[region][rbac.Service(name)] != nil {
			return region, name, true
		}
	}
	return "", "", false
}
