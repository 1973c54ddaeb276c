// Package api speaks the management API, OVHcloud's routes and ours beside them: handler and client together.
//
// A Server is an http.Handler for everything under /v1, /1.0 (the same as /v1) and /v2; its routes stand in one table
// (routes.go). Each request goes through one pipeline: find the route, open the management token, read the body, ask the
// registry, which judges and acts, write the answer. A Client is the other end, with one typed method for each route and the
// same errors: what the registry refused with, the Client's method returns.
//
//	srv, err := api.New(api.Config{Registry: reg, Open: openManagementToken})
//	c, err := api.NewClient(api.ClientConfig{BaseURL: "https://cloud.example", ClientID: id, ClientSecret: secret})
//	made, err := c.CreateServiceAccount(ctx, api.ServiceAccountCreation{Name: "backup", Description: new(""), Flow: api.ClientCredentials})
package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/urn"
	"github.com/stackgate/stackgate/internal/web"
)

// maxBody is the largest request body read, in bytes: a policy with every list full is far below it.
const maxBody = 1 << 20

// Config configures a Server.
type Config struct {
	Registry *registry.Registry
	Open     func(token string) (iam.Token, error) // opens a management token, and no other kind; any error is a 401
	// Preview judges a call of OpenStack that nobody has made. nil: it cannot be asked.
	Preview   func(ctx context.Context, account iam.ServiceAccount, c Call) (audit.Decision, error)
	PublicURL string           // of the server, for telling where tokens come from; "": only the path is told
	Now       func() time.Time // nil: time.Now
}

// A Server answers the management API. It is safe for concurrent use.
type Server struct {
	registry *registry.Registry
	open     func(token string) (iam.Token, error)
	preview  func(ctx context.Context, account iam.ServiceAccount, c Call) (audit.Decision, error)
	login    string // where tokens come from
	now      func() time.Time
	routes   []route
}

// New makes a Server.
func New(c Config) (*Server, error) {
	if c.Registry == nil || c.Open == nil {
		return nil, errors.New("the management API needs a registry and a way to open tokens")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Server{registry: c.Registry, open: c.Open, preview: c.Preview, login: c.PublicURL + "/auth/oauth2/token", now: c.Now}
	s.routes = s.table()
	return s, nil
}

// A query is one request, understood: who asks, for what.
type query struct {
	caller  iam.Caller
	account *iam.ServiceAccount
	args    []string // the path's variable segments, unescaped
	params  url.Values
	body    []byte
	header  http.Header // of the answer
	request *http.Request
}

// arg gives the i-th variable segment of the path.
func (q *query) arg(i int) string { return q.args[i] }

// decode reads the body strictly.
func (q *query) decode(dst any) error { return web.Decode(q.body, dst, web.RefuseUnknown) }

// decodeOptional is decode for a body all of whose members may be left out: an empty body is an empty object.
func (q *query) decodeOptional(dst any) error {
	if len(q.body) == 0 {
		return nil
	}
	return q.decode(dst)
}

// A handler answers a query with a value to be written as JSON; nil is written as null, as OVHcloud does where there is nothing to say.
type handler func(ctx context.Context, q *query) (any, error)

// ServeHTTP answers one request. It looks at the path as it was sent: an escaped slash separates nothing, and nothing redirects.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := web.RequestID(r)
	w.Header().Set("X-OVH-QueryID", id)
	w.Header().Set("X-Request-Id", id)
	w.Header().Set("Cache-Control", "no-store")
	web.Handler(s.serve, writeError).ServeHTTP(w, r)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	rt, args, err := s.find(w, r)
	if err != nil {
		return err
	}
	web.EventOf(r.Context()).Operation = rt.String()
	q := &query{args: args, request: r, header: w.Header()}
	if q.account, err = s.authenticate(r); err != nil {
		return err
	}
	q.caller = iam.Caller{
		Identity: q.account.Identity(), Account: q.account.Owner, Address: web.ClientAddr(r), RequestID: web.RequestID(r),
	}
	web.EventOf(r.Context()).Caller = string(q.caller.Identity)
	if q.params, err = rt.parameters(r.URL.RawQuery); err != nil {
		return err
	}
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		if q.body, err = web.ReadBody(w, r, maxBody); err != nil {
			return err
		}
	}
	answer, err := rt.handle(r.Context(), q)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, answer)
}

// authenticate finds the service account behind the bearer token (RFC 6750 §2.1; the other two ways are not taken).
func (s *Server) authenticate(r *http.Request) (*iam.ServiceAccount, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return nil, iam.Errorf(iam.Unauthenticated, "Send one header Authorization: Bearer with a management token; POST %s gives one.", s.login)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, iam.Errorf(iam.Unauthenticated, "Send a management token as Authorization: Bearer; POST %s gives one.", s.login)
	}
	t, err := s.open(token)
	if err != nil {
		e := iam.Errorf(iam.Unauthenticated, "This is no management token of ours, or it has expired; POST %s gives a new one.", s.login)
		e.Err = err
		return nil, e
	}
	return s.registry.Check(r.Context(), t)
}

// may reports whether a policy grants the caller an action on its account. It is for what an answer shows beside what was asked
// for: unlike a refusal, it leaves no audit record.
func (s *Server) may(ctx context.Context, c iam.Caller, action iam.Action) (bool, error) {
	d, err := s.registry.Decide(ctx, c, action, urn.AccountResource(c.Account))
	return d.Allowed, err
}

// demand refuses a caller without an action. It is for routes with nothing behind them in the registry, whose methods judge otherwise.
func (s *Server) demand(ctx context.Context, c iam.Caller, action iam.Action) error {
	allowed, err := s.may(ctx, c, action)
	if err != nil || allowed {
		return err
	}
	return &iam.Error{Kind: iam.Denied, Message: "No policy grants " + string(action) + ".", Actions: []iam.Action{action}}
}

// A route is one line of the table.
type route struct {
	method  string
	pattern []string // segments; "{}" takes any one
	params  []string // query parameters it knows, a list's without its []
	handle  handler
}

// String names the route as the documentation does.
func (rt *route) String() string { return rt.method + " /" + strings.Join(rt.pattern, "/") }

// match gives the variable segments if the path is this route's.
func (rt *route) match(path []string) ([]string, bool) {
	if len(path) != len(rt.pattern) {
		return nil, false
	}
	var args []string
	for i, want := range rt.pattern {
		if want == "{}" {
			args = append(args, path[i])
		} else if want != path[i] {
			return nil, false
		}
	}
	return args, true
}

// find gives the route of a request, or 404, or 405 with Allow.
func (s *Server) find(w http.ResponseWriter, r *http.Request) (*route, []string, error) {
	path, err := segments(r.URL.EscapedPath())
	if err != nil {
		return nil, nil, err
	}
	var allowed []string
	for i := range s.routes {
		args, ok := s.routes[i].match(path)
		if ok && s.routes[i].method == r.Method {
			return &s.routes[i], args, nil
		}
		if ok && !slices.Contains(allowed, s.routes[i].method) {
			allowed = append(allowed, s.routes[i].method)
		}
	}
	if len(allowed) == 0 {
		return nil, nil, iam.Errorf(iam.NotFound, "There is no such route in this API; docs/protocols/management-api.md lists those there are.")
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return nil, nil, &web.Error{Status: http.StatusMethodNotAllowed, Message: "This route knows " + strings.Join(allowed, ", ") + " only."}
}

// segments splits an escaped path and unescapes each part; /1.0 is read as /v1.
func segments(escaped string) ([]string, error) {
	parts := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for i, p := range parts {
		plain, err := url.PathUnescape(p)
		if err != nil {
			return nil, iam.Errorf(iam.Invalid, "The path holds a broken percent-encoding.")
		}
		parts[i] = plain
	}
	if parts[0] == "1.0" {
		parts[0] = "v1"
	}
	return parts, nil
}

// parameters reads the query string. A parameter that the route does not know is refused: a filter that is silently
// ignored answers with everything.
func (rt *route) parameters(raw string) (url.Values, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, iam.Errorf(iam.Invalid, "The query string cannot be read.")
	}
	known := url.Values{}
	for name, vs := range values {
		plain := strings.TrimSuffix(name, "[]")
		if !slices.Contains(rt.params, plain) {
			if len(rt.params) == 0 {
				return nil, iam.Errorf(iam.Invalid, "Unknown query parameter %q; this route takes none.", cut(name))
			}
			return nil, iam.Errorf(iam.Invalid, "Unknown query parameter %q; this route knows %s.", cut(name), strings.Join(rt.params, ", "))
		}
		known[plain] = append(known[plain], vs...)
	}
	return known, nil
}

// cut shortens text of the request before it is repeated in an answer.
func cut(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
