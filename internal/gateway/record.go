package gateway

import (
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/web"
)

// recordRefusal keeps why somebody was refused. Nobody's refusals (401), and what is no decision (5xx), are not kept.
func (s *Server) recordRefusal(r *http.Request, c *call, p *problem, id ids) {
	if c.bearer.Identity == "" || p.status == http.StatusUnauthorized || p.status >= http.StatusInternalServerError {
		return
	}
	s.c.Record(s.decisionOf(r, c, p, id))
}

// sample gives what keeps a grant, for one in so many, else nil.
func (s *Server) sample(r *http.Request, c *call) func(cloudID string) {
	if s.c.Sample == 0 || rand.Uint32N(s.c.Sample) != 0 {
		return nil
	}
	return func(cloudID string) {
		s.c.Record(s.decisionOf(r, c, &problem{decision: audit.Granted}, ids{requestID(r), cloudID}))
	}
}

// decisionOf writes down how a call was judged, without anything of its query, headers and body but the name of what decided.
func (s *Server) decisionOf(r *http.Request, c *call, p *problem, id ids) audit.Decision {
	account, _ := c.bearer.Identity.Account()
	d := audit.Decision{
		ID: id.own, Time: s.c.Now(), Account: account, Identity: c.bearer.Identity, Verdict: p.decision, Address: web.ClientAddr(r),
		Method: r.Method, Path: shownPath(c.target.Path()), Service: string(c.service), Region: c.region,
		Project: string(c.bearer.Token.Project), Message: p.sentence(), Field: shownField(c.decision), Held: roleNames(c.roles),
	}
	if id.other != id.own {
		d.OtherID = id.other
	}
	for _, a := range c.rights {
		d.Rights = append(d.Rights, string(a))
	}
	if op := c.decision.Operation; op != nil {
		d.Operation = op.Name()
		if d.Needed = roleNames(op.Needs()); op.Access == rbac.AnyRole {
			d.Needed = []string{anyRole}
		}
	}
	return d
}

func roleNames(roles rbac.Roles) []string {
	var names []string
	for r := range roles.All() {
		names = append(names, r.String())
	}
	return names
}

// consoleTokens is before the one secret that Nova has in a path, the token of a console.
const consoleTokens = "/os-console-auth-tokens/"

// shownPath leaves the secret out.
func shownPath(path string) string {
	before, token, ok := strings.Cut(path, consoleTokens)
	if !ok || token == "" {
		return path
	}
	return before + consoleTokens + "…"
}

// hideSecret leaves it out of the log, too.
func hideSecret(r *http.Request) {
	if e := web.EventOf(r.Context()); strings.Contains(e.Path, consoleTokens) {
		e.Path = shownPath(e.Path)
	}
}

// shownField leaves out what a body says and the table does not know, unless it looks like the name of an action.
func shownField(d rbac.Decision) string {
	if d.Verdict != rbac.Unknown {
		return d.Field
	}
	other := func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_:.", r)
	}
	if len(d.Field) > 64 || strings.ContainsFunc(d.Field, other) {
		return ""
	}
	return d.Field
}
