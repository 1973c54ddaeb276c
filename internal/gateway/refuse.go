package gateway

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/web"
)

// A problem is why a call is not forwarded.
type problem struct {
	status   int
	message  string // for the client; "" is the status's usual sentence
	rule     string // with 403: the service's policy rule
	role     string // with 403: the least role that would do; "none" if there is none
	right    iam.Action
	decision string // for the log
}

func (p *problem) Error() string { return fmt.Sprintf("%d %s", p.status, p.message) }

func badRequest(reason string) *problem {
	return &problem{status: http.StatusBadRequest, decision: "malformed",
		message: strings.ToUpper(reason[:1]) + reason[1:] + "."}
}

// refusal explains why judge said no.
func (s *Server) refusal(c *call) *problem {
	d := c.decision
	p := &problem{status: http.StatusForbidden, role: "none"}
	if d.Operation != nil {
		p.rule = d.Operation.Name()
	}
	switch d.Verdict {
	case rbac.Malformed:
		return badRequest(d.Reason)
	case rbac.AdminOnly:
		p.decision = "administrator's field"
		p.message = fmt.Sprintf("%s is the cloud administrator's to set; no right opens it. Leave it out.", d.Field)
	case rbac.OtherProject:
		p.decision = "another project"
		p.message = fmt.Sprintf("%s names a project that is not the token's.", upperFirst(d.Field))
	case rbac.Judged:
		s.explain(c, p)
	default:
		p.decision = "unknown operation"
		p.message = "No rule names this call, so no role permits it."
	}
	return p
}

// explain names the role and the right that would do.
func (s *Server) explain(c *call, p *problem) {
	p.decision = "missing role"
	switch op := c.decision.Operation; op.Access {
	case rbac.Nobody:
		p.message = "This is the cloud administrator's call; no right opens it."
	case rbac.AnyRole:
		p.role, p.message = "any", "It needs any role on the project, and there is none."
	default:
		role := op.Roles.Least()
		p.role = role.String()
		p.message = fmt.Sprintf("It needs the role %s.", role)
		if rights := s.c.Rights(role); len(rights) > 0 {
			p.right = rights[0]
			p.message = fmt.Sprintf("It needs the role %s, which the right %s gives.", role, p.right)
		}
	}
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
	e.Decision = p.decision
	h := w.Header()
	if p.status == http.StatusForbidden {
		h.Set("X-Stackgate-Missing-Role", p.role)
		if p.right != "" {
			h.Set("X-Stackgate-Rights", string(p.right))
		}
	}
	if p.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", s.challenge(c))
	}
	s.write(w, r, c.service, p)
}

// problemOf is the table from kinds of errors to statuses.
func (s *Server) problemOf(r *http.Request, err error) *problem {
	switch p := err.(type) {
	case *problem:
		if p.status == http.StatusForbidden && p.role == "" {
			p.role = "none"
		}
		return p
	case *web.Error:
		return &problem{status: p.Status, message: p.Message, decision: "malformed"}
	}
	status := statusOf(iam.KindOf(err))
	if status >= http.StatusInternalServerError {
		web.EventOf(r.Context()).Err = err
	}
	return &problem{status: status, decision: http.StatusText(status), role: "none"}
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

func (s *Server) write(w http.ResponseWriter, r *http.Request, service rbac.Service, p *problem) {
	writeProblem(w, r, service, p, s.c.Now().Unix())
}

// writeProblem answers in the shape that the service's own errors have.
func writeProblem(w http.ResponseWriter, r *http.Request, service rbac.Service, p *problem, unix int64) {
	h := w.Header()
	id := requestID(r)
	h.Set("X-Stackgate-Request-Id", id)
	h.Set("X-Openstack-Request-Id", id)
	var body string
	switch service {
	case rbac.ObjectStore:
		trans := transID(unix)
		h.Set("X-Trans-Id", trans)
		h.Set("X-Openstack-Request-Id", trans)
		web.EventOf(r.Context()).Add(slog.String("trans_id", trans))
		h.Set("Content-Type", "text/html; charset=UTF-8")
		body = swiftBody(p)
	case rbac.Image:
		h.Set("Content-Type", "text/html; charset=UTF-8")
		body = glanceBody(p)
	default:
		if service == rbac.Compute {
			h.Set("X-Compute-Request-Id", id)
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
	text := p.message
	switch p.status {
	case http.StatusForbidden:
		text = "Access was denied to this resource."
	case http.StatusUnauthorized:
		text = "This server could not verify that you are authorized to access the document you requested."
	case http.StatusServiceUnavailable:
		text = "The server is currently unavailable. Please try again at a later time."
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
	text := p.message
	if text == "" {
		text = usualSentence(p.status)
	}
	if p.status != http.StatusForbidden || p.rule == "" {
		return text
	}
	switch service {
	case rbac.Image:
		return "You are not authorized to complete " + p.rule + " action. " + text
	case rbac.Network:
		return "rule:" + p.rule + " is disallowed by policy. " + text
	case rbac.AITraining:
		return text
	}
	return "Policy doesn't allow " + p.rule + " to be performed. " + text
}

func usualSentence(status int) string {
	switch status {
	case http.StatusBadGateway:
		return "The service behind the gateway did not answer."
	case http.StatusServiceUnavailable:
		return "It cannot be known now what this token may do. Try again."
	case http.StatusInternalServerError:
		return "An unexpected error prevented the gateway from answering."
	}
	return http.StatusText(status) + "."
}
