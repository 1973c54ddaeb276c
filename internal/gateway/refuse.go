package gateway

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/web"
)

// A problem is why a call is not forwarded.
type problem struct {
	status   int
	message  string // for the client; "" is the status's usual sentence
	rule     string // with 403: the operation's name
	clause   string // with rule: what follows the service's own words for a policy refusal, a sentence but for its first letter
	role     string // with 403: the least role that would do; "any", or "none" if there is none
	right    string // with 403: the right that gives it at the least cost; "any", or "none"
	decision audit.Verdict
}

func (p *problem) Error() string { return fmt.Sprintf("%d %s", p.status, p.sentence()) }

// sentence is the message without the service's own words.
func (p *problem) sentence() string {
	if p.clause != "" {
		return upperFirst(p.clause)
	}
	return p.message
}

func badRequest(reason string) *problem {
	return &problem{status: http.StatusBadRequest, decision: audit.Malformed, message: upperFirst(reason) + "."}
}

// refusal explains why judge said no.
func (s *Server) refusal(r *http.Request, c *call) *problem {
	d := c.decision
	p := &problem{status: http.StatusForbidden}
	if d.Operation != nil {
		p.rule = d.Operation.Name()
	}
	switch d.Verdict {
	case rbac.Malformed:
		return badRequest(d.Reason)
	case rbac.AdminOnly:
		p.decision = audit.AdministratorField
		p.clause = fmt.Sprintf("only the cloud administrator may set %s; leave it out.", d.Field)
	case rbac.NotTaken:
		p.decision, p.clause = audit.NotTaken, d.Reason+"."
	case rbac.OtherProject:
		p.decision = audit.AnotherProject
		p.clause = fmt.Sprintf("it names a project that is not the token's, in %s.", d.Field)
	case rbac.Judged:
		s.explain(r, c, p)
	default:
		p.decision = audit.UnknownOperation
		p.message = "No rule names this call, so no role permits it."
		if s.c.Table.SearchedByName(c.target, r.Method, string(c.bearer.Token.Project)) {
			p.status, p.message = http.StatusNotFound, "The resource could not be found."
		}
	}
	return p
}

// explain names the role and the right that would do, and the rights that the caller has.
func (s *Server) explain(r *http.Request, c *call, p *problem) {
	p.decision = audit.MissingRole
	switch op := c.decision.Operation; op.Access {
	case rbac.Nobody:
		p.decision = audit.AdministratorCall
		p.clause = "it is the cloud administrator's call, which no right opens."
	case rbac.AnyRole:
		p.role, p.right = anyRole, anyRole
		p.clause = "needs any role on this project" + s.held(r, c)
	default:
		role := op.Roles.Least()
		p.role = role.String()
		p.clause = "needs role " + p.role + " on this project"
		if rights := s.c.Rights(role); len(rights) > 0 {
			p.right = string(rights[0])
			p.clause += ", which the right " + p.right + " grants"
		}
		p.clause += s.held(r, c)
	}
}

// closedProblem is a call that the operator has turned off for one cloud.
func closedProblem(op *rbac.Operation) *problem {
	return &problem{status: http.StatusForbidden, rule: op.Name(), decision: audit.ClosedCall,
		clause: "the operator of this gateway has turned the call off for this cloud."}
}

// anyRole stands where every role would do.
const anyRole = "any"

// held ends a sentence with the rights that the caller has on the project, if they can be known. They are asked for when a call is refused, and
// only then.
func (s *Server) held(r *http.Request, c *call) string {
	rights, err := s.c.Held(r.Context(), c.bearer, web.ClientAddr(r))
	if err != nil {
		return "."
	}
	c.rights = rights
	if len(rights) == 0 {
		return "; this account has no right on this project."
	}
	names := make([]string, len(rights))
	for i, a := range rights {
		names[i] = string(a[strings.LastIndexByte(string(a), ':')+1:])
	}
	last := len(names) - 1
	if last == 0 {
		return "; this account has " + names[0] + "."
	}
	return "; this account has " + strings.Join(names[:last], ", ") + " and " + names[last] + "."
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// writeError is the gateway's one error path.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, c *call, err error) {
	p := s.problemOf(r, err)
	e := web.EventOf(r.Context())
	e.Decision = string(p.decision)
	h := w.Header()
	if p.status == http.StatusForbidden {
		h.Set("X-Stackgate-Missing-Role", cmp.Or(p.role, "none"))
		h.Set("X-Stackgate-Rights", cmp.Or(p.right, "none"))
	}
	if p.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", s.challenge(c))
	}
	ids := idsOf(r, c.service, s.c.Now().Unix())
	s.recordRefusal(r, c, p, ids)
	writeProblem(w, r, c.service, p, ids)
}

// problemOf is the table from kinds of errors to statuses.
func (s *Server) problemOf(r *http.Request, err error) *problem {
	switch p := err.(type) {
	case *problem:
		return p
	case *web.Error:
		return &problem{status: p.Status, message: p.Message, decision: audit.Malformed}
	}
	status := statusOf(iam.KindOf(err))
	if status >= http.StatusInternalServerError {
		web.EventOf(r.Context()).Err = err
	}
	return &problem{status: status, decision: audit.Verdict(http.StatusText(status))}
}

func statusOf(k iam.Kind) int {
	switch k {
	case iam.Unauthenticated, iam.Invalid, iam.NotFound: // a token that cannot be read is no token
		return http.StatusUnauthorized
	case iam.Denied:
		return http.StatusForbidden
	case iam.Conflict:
		return http.StatusConflict
	case iam.TooLarge:
		return http.StatusRequestEntityTooLarge
	case iam.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func (s *Server) challenge(c *call) string {
	if c.service == rbac.ObjectStore {
		realm := c.account
		if realm == "" || strings.ContainsAny(realm, `"\`) {
			realm = "unknown"
		}
		return `Swift realm="` + realm + `"`
	}
	return `Keystone uri="` + s.c.IdentityURL + `"`
}

// ids are what an answer of our own can be found by.
type ids struct {
	own   string
	other string // Swift's transaction id, else own
}

func idsOf(r *http.Request, service rbac.Service, unix int64) ids {
	id := requestID(r)
	if service != rbac.ObjectStore {
		return ids{id, id}
	}
	trans := transID(unix)
	web.EventOf(r.Context()).Add(slog.String("trans_id", trans))
	return ids{id, trans}
}

// writeProblem answers in the shape that the service's own errors have.
func writeProblem(w http.ResponseWriter, r *http.Request, service rbac.Service, p *problem, id ids) {
	h := w.Header()
	h.Set(requestIDHeader, id.own)
	h.Set("X-Openstack-Request-Id", id.other)
	var body string
	switch service {
	case rbac.ObjectStore:
		h.Set("X-Trans-Id", id.other)
		h.Set("Content-Type", "text/html; charset=UTF-8")
		body = swiftBody(p)
	case rbac.Image:
		h.Set("Content-Type", "text/html; charset=UTF-8")
		body = glanceBody(p)
	default:
		if service == rbac.Compute || service == rbac.Volume {
			h.Set("X-Compute-Request-Id", id.own)
		}
		h.Set("Content-Type", "application/json")
		body = jsonBody(service, p)
	}
	if r.Method == http.MethodHead {
		body = ""
	}
	w.WriteHeader(p.status)
	_, _ = w.Write([]byte(body)) // a client that went away is no error of ours
}

func requestID(r *http.Request) string {
	if id := web.RequestID(r); id != "" {
		return id
	}
	return "req-" + uuid.NewString()
}

// transID makes a transaction id as Swift does: 21 hexadecimal digits at random and the time in ten.
func transID(unix int64) string {
	var b [11]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("tx%s-%010x", hex.EncodeToString(b[:])[:21], unix)
}

// swiftBody is Swift's own text, to the byte: clients turn it into the lines that users know.
func swiftBody(p *problem) string {
	text := cmp.Or(p.message, usualSentence(p.status))
	switch p.status {
	case http.StatusForbidden:
		text = "Access was denied to this resource."
	case http.StatusUnauthorized:
		text = "This server could not verify that you are authorized to access the document you requested."
	case http.StatusServiceUnavailable:
		text = cmp.Or(p.message, "The server is currently unavailable. Please try again at a later time.")
	}
	return "<html><h1>" + http.StatusText(p.status) + "</h1><p>" + html.EscapeString(text) + "</p></html>"
}

// glanceBody is the page that WebOb makes for Glance.
func glanceBody(p *problem) string {
	if p.status == http.StatusUnauthorized {
		return keystoneBody(p)
	}
	title := fmt.Sprintf("%d %s", p.status, http.StatusText(p.status))
	return "<html>\n <head>\n  <title>" + title + "</title>\n </head>\n <body>\n  <h1>" + title + "</h1>\n  " +
		html.EscapeString(policySentence(rbac.Image, p)) + "<br /><br />\n\n\n\n </body>\n</html>"
}

// policySentence gives the message with the service's own words for a policy refusal in front.
func policySentence(service rbac.Service, p *problem) string {
	if p.clause == "" {
		return cmp.Or(p.message, usualSentence(p.status))
	}
	switch service {
	case rbac.Image:
		return "You are not authorized to complete " + p.rule + " action. " + p.sentence()
	case rbac.Network:
		return "rule:" + p.rule + " is disallowed by policy: " + p.clause
	case rbac.AITraining:
		return p.sentence()
	}
	return "Policy doesn't allow " + p.rule + " to be performed: " + p.clause
}

func usualSentence(status int) string {
	switch status {
	case http.StatusBadGateway:
		return "The service behind the gateway did not answer."
	case http.StatusGatewayTimeout:
		return "The service behind the gateway did not answer in time."
	case http.StatusServiceUnavailable:
		return "It cannot be known now what this token may do. Try again."
	case http.StatusInternalServerError:
		return "An unexpected error prevented the gateway from answering."
	}
	return http.StatusText(status) + "."
}
