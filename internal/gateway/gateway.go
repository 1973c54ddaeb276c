// Package gateway judges each OpenStack call and forwards it, or refuses it in the service's own shape.
//
// A call comes in as /<region>/<service>/<the service's own path>. Its target must be canonical; its token is opened, the roles
// of its bearer are asked for as they are now, and the operation table says whether one of them permits it. What is forwarded is
// the target that was judged, byte for byte, without the token and without any identity header that the gateway has not set itself.
package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/urn"
	"github.com/stackgate/stackgate/internal/web"
)

// A Bearer is whoever a token belongs to.
type Bearer struct {
	Token            iam.Token
	Identity         urn.URN // for the log
	UserID, UserName string  // as the services are to see them
}

// Config configures a Server. Table, Open and Roles are required.
type Config struct {
	Table *rbac.Table

	// Open opens a token and checks that it still stands: iam.Unauthenticated if not, iam.Unavailable if nobody can say.
	Open func(ctx context.Context, token string) (Bearer, error)
	// Still checks, of a call under way, that what Open opened has not been taken back. That it has expired since does not matter: the call
	// began in time, and a large object may take longer than any token lives. nil: Open is asked again.
	Still func(ctx context.Context, b Bearer) error
	// Roles gives the bearer's roles on the token's project now, for a request from addr (invalid: unknown).
	Roles func(ctx context.Context, b Bearer, addr netip.Addr) (rbac.Roles, error)
	// Rights gives the rights that grant a role, cheapest first, to explain refusals.
	Rights func(role rbac.Role) []iam.Action
	// Held gives the rights that the bearer has on the token's project now, to explain refusals. nil: nobody can say.
	Held func(ctx context.Context, b Bearer, addr netip.Addr) ([]iam.Action, error)
	// Record keeps a decision to be looked up: every refusal of somebody we know, and one in Sample grants (0: none). It must not wait.
	Record func(audit.Decision)
	Sample uint32
	// KnownProject reports whether calls without a token may be forwarded for a project. nil: for none.
	KnownProject func(id string) bool

	// Clouds says where judged calls go, by region and service, as it is now; what it gives is not changed any more. The handler gets the
	// request with the path below /<region>/<service>. Two regions may share handlers.
	Clouds func() Clouds
	// Away reports whether there may be more than Clouds gives, which nobody could ask yet. nil: there is not.
	Away func() bool

	IdentityURL string        // shown in WWW-Authenticate: https://…/v3
	BodyLimit   int64         // of bodies that must be looked into, in bytes; 0: 1 MiB
	BodyWait    time.Duration // how long such a body may take to arrive, and any other to go on; 0: web.DefaultBodyWait
	Recheck     time.Duration // how often a running call is judged again; 0: one second
	Now         func() time.Time
}

// Services are those of a region.
type Services = map[rbac.Service]http.Handler

// Clouds are the services behind the gateway, by region.
type Clouds map[string]Services

// Fixed gives the same Clouds for ever.
func Fixed(c Clouds) func() Clouds { return func() Clouds { return c } }

// A Server is the gateway. Mount it by the first segment of the raw target (Request.RequestURI), before any mux: a mux cleans paths.
type Server struct {
	c         Config
	running   running
	roleLists sync.Map // rbac.Roles to string
}

// New makes a Server.
func New(c Config) (*Server, error) {
	if c.Table == nil || c.Open == nil || c.Roles == nil {
		return nil, errors.New("gateway: Table, Open and Roles are required")
	}
	if c.Rights == nil {
		c.Rights = func(rbac.Role) []iam.Action { return nil }
	}
	if c.Held == nil {
		c.Held = func(context.Context, Bearer, netip.Addr) ([]iam.Action, error) { return nil, iam.Unavailable }
	}
	if c.Record == nil {
		c.Record, c.Sample = func(audit.Decision) {}, 0
	}
	if c.KnownProject == nil {
		c.KnownProject = func(string) bool { return false }
	}
	if c.Clouds == nil {
		c.Clouds = Fixed(nil)
	}
	if c.Away == nil {
		c.Away = func() bool { return false }
	}
	if c.BodyLimit == 0 {
		c.BodyLimit = 1 << 20
	}
	if c.BodyWait == 0 {
		c.BodyWait = web.DefaultBodyWait
	}
	if c.Recheck == 0 {
		c.Recheck = time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Server{c: c}
	s.running.init(s)
	return s, nil
}

// ServicePath gives the path of a catalog entry below the public URL, e.g. /GRA1/volume/v3/$(project_id)s for the type volumev3.
func ServicePath(region, catalogType string) (path string, ok bool) {
	service := map[string]string{
		"compute": "compute/v2.1", "volumev3": "volume/v3/$(project_id)s", "block-storage": "volume/v3/$(project_id)s", "image": "image",
		"network": "network", "object-store": "object-store/v1/AUTH_$(project_id)s", "ai-training": "ai-training",
	}[catalogType]
	return "/" + region + "/" + service, service != ""
}

// A call is one request on its way.
type call struct {
	region   string
	service  rbac.Service
	next     http.Handler
	target   rbac.Target
	decision rbac.Decision
	token    string // "" if the request has none
	bearer   Bearer
	roles    rbac.Roles
	rights   []iam.Action // with a refusal, if they can be known
	body     []byte
	hasBody  bool
	account  string // Swift: the account segment, for its realm
	open     bool   // it needs no token, and goes on with no credential
	leg      leg
	watch    watch
	answer   answer
}

// ServeHTTP serves one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{}
	if err := s.serve(w, r, c); err != nil {
		s.writeError(w, r, c, err)
	}
}

// serve takes a call through all steps. None can be skipped: forward is reached with a Judged decision only.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, c *call) error {
	if err := s.locate(r, c); err != nil {
		return err
	}
	if err := c.readToken(r); err != nil {
		return err
	}
	c.classify(s.c.Table, r)
	if c.decision.Open() || c.token == "" && c.decision.OpenWithoutToken() {
		return s.forwardOpen(w, r, c)
	}
	if err := s.authenticate(r, c); err != nil {
		return err
	}
	if err := s.judge(w, r, c); err != nil {
		return err
	}
	s.forward(w, r, c)
	return nil
}

// locate finds region and service and parses the target.
func (s *Server) locate(r *http.Request, c *call) error {
	rest, ok := strings.CutPrefix(r.RequestURI, "/")
	if !ok {
		return badRequest("the request target must be a path")
	}
	region, rest, _ := strings.Cut(rest, "/")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	service, raw := rbac.Service(rest[:end]), rest[end:]
	if raw == "" || raw[0] == '?' {
		raw = "/" + raw
	}
	c.next = s.c.Clouds()[region][service]
	if c.next == nil && s.c.Away() {
		c.service = service
		return &problem{status: http.StatusServiceUnavailable, message: "A cloud behind the gateway cannot be reached. Try again."}
	}
	if c.next == nil {
		return &problem{status: http.StatusNotFound, message: "There is no such region or service."}
	}
	c.region, c.service = region, service
	if r.Method == http.MethodConnect {
		return badRequest("the request target must be a path")
	}
	hideSecret(r)
	target, reason := rbac.ParseTarget(service, raw)
	if reason != "" {
		return badRequest(reason)
	}
	c.target, c.account = target, accountOf(service, target.Path())
	return nil
}

// readToken takes the token from X-Auth-Token; AI Training's clients send it as a bearer token (RFC 6750 §2.1).
func (c *call) readToken(r *http.Request) error {
	values := r.Header["X-Auth-Token"]
	if c.service == rbac.AITraining {
		for _, v := range r.Header["Authorization"] {
			scheme, token, _ := strings.Cut(v, " ")
			if strings.EqualFold(scheme, "Bearer") {
				values = append(values[:len(values):len(values)], token)
			}
		}
	}
	if len(values) > 1 {
		return badRequest("a request must carry one token only")
	}
	if len(values) == 1 {
		c.token = strings.TrimSpace(values[0])
	}
	return nil
}

func (c *call) classify(t *rbac.Table, r *http.Request) {
	c.decision = t.Classify(rbac.Request{
		Target: c.target, Method: r.Method, Header: r.Header, Project: string(c.bearer.Token.Project), Body: c.body, HasBody: c.hasBody,
	})
	if op := c.decision.Operation; op != nil {
		web.EventOf(r.Context()).Operation = op.Name()
	}
}

// authenticate opens the token and asks for the roles, as they are now.
func (s *Server) authenticate(r *http.Request, c *call) error {
	if c.token == "" {
		return &problem{status: http.StatusUnauthorized, decision: "no token"}
	}
	var err error
	if c.bearer, err = s.c.Open(r.Context(), c.token); err != nil {
		return fmt.Errorf("open the token: %w", err)
	}
	web.EventOf(r.Context()).Caller = string(c.bearer.Identity)
	if c.bearer.Token.Project == "" {
		return &problem{status: http.StatusForbidden, decision: audit.NoProject,
			message: "The token is not scoped to a project. Ask for one with a project as its scope."}
	}
	if c.roles, err = s.c.Roles(r.Context(), c.bearer, web.ClientAddr(r)); err != nil {
		return fmt.Errorf("compute the roles: %w", err)
	}
	return nil
}

// judge classifies the call for its bearer, reading the body if the operation or what is forbidden lives in it.
func (s *Server) judge(w http.ResponseWriter, r *http.Request, c *call) error {
	c.classify(s.c.Table, r)
	if c.decision.Verdict == rbac.NeedsBody {
		if err := s.readBody(w, r, c); err != nil {
			return err
		}
		c.classify(s.c.Table, r)
	}
	if p, ok := c.next.(*Proxy); ok && p.closed(c.decision.Operation) {
		return closedProblem(c.decision.Operation)
	}
	if c.decision.Allows(c.roles) {
		web.EventOf(r.Context()).Decision = string(audit.Granted)
		return nil
	}
	return s.refusal(r, c)
}

// readBody reads the whole body once and puts the same bytes back for the service.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, c *call) error {
	web.LimitBody(w, s.c.BodyWait)
	body, err := web.ReadBody(w, r, s.c.BodyLimit)
	if err != nil {
		return err
	}
	web.LimitBody(w, 0)
	c.body, c.hasBody = body, true
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	return nil
}

// forwardOpen forwards a call that needs no token, with no credential, and only for projects we know.
func (s *Server) forwardOpen(w http.ResponseWriter, r *http.Request, c *call) error {
	if p := c.decision.Project; p != "" && !s.c.KnownProject(p) {
		return unknownProject()
	}
	web.EventOf(r.Context()).Decision = string(audit.Open)
	c.open = true
	s.forward(w, r, c)
	return nil
}

func unknownProject() *problem {
	return &problem{status: http.StatusUnauthorized, decision: "unknown project", message: "Calls without a token are for projects of this server only."}
}

func accountOf(service rbac.Service, path string) string {
	if service != rbac.ObjectStore {
		return ""
	}
	rest, _ := strings.CutPrefix(path, "/v1/")
	account, _, _ := strings.Cut(rest, "/")
	return account
}
