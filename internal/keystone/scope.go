package keystone

import (
	"bytes"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/web"
)

// A target is the scope that a request asks for, parsed. Exactly one of the kinds is asked for; the zero value asks for none.
type target struct {
	kind   scopeKind
	id     string  // of a project, "" when it goes by name
	name   string  // of a project
	domain *domain // of a project by name
}

// A scopeKind tells scopes apart. Every kind that is not one of ours is refused, never guessed at.
type scopeKind string

const (
	scopeNone     scopeKind = ""
	scopeUnscoped scopeKind = "unscoped"
	scopeProject  scopeKind = "project"
	scopeForeign  scopeKind = "domain, system or trust" // known, but nobody has a role there
)

// Wire forms of a scope.
type (
	domain struct {
		ID   *string `json:"id"`
		Name *string `json:"name"`
	}
	wireProject struct {
		ID     *string `json:"id"`
		Name   *string `json:"name"`
		Domain *domain `json:"domain"`
	}
	wireScope struct {
		Project  jsontext.Value `json:"project"`
		Domain   jsontext.Value `json:"domain"`
		System   jsontext.Value `json:"system"`
		Trust    jsontext.Value `json:"OS-TRUST:trust"`
		Unscoped jsontext.Value `json:"unscoped"`
	}
)

func errScope() error {
	return expecting("system, project, domain, OS-TRUST:trust or unscoped", "scope")
}

func parseScope(v jsontext.Value) (target, error) {
	if v == nil {
		return target{}, nil
	}
	if v.Kind() == '"' {
		if string(bytes.TrimSpace(v)) == `"unscoped"` {
			return target{kind: scopeUnscoped}, nil
		}
		return target{}, errScope()
	}
	if v.Kind() != '{' {
		return target{}, errScope()
	}
	var ws wireScope
	if err := decode(v, &ws); err != nil {
		return target{}, err
	}
	return ws.target()
}

func (ws *wireScope) target() (target, error) {
	count := 0
	for _, v := range []jsontext.Value{ws.Project, ws.Domain, ws.System, ws.Trust, ws.Unscoped} {
		if v != nil {
			count++
		}
	}
	switch {
	case count != 1:
		return target{}, errScope()
	case ws.Unscoped != nil:
		return target{kind: scopeUnscoped}, nil
	case ws.Project != nil:
		return parseProject(ws.Project)
	case ws.Domain != nil:
		var d *domain
		if err := decode(ws.Domain, &d); err != nil {
			return target{}, err
		}
		if d.empty() {
			return target{}, expecting("id or name", "domain")
		}
	}
	return target{kind: scopeForeign}, nil
}

func parseProject(v jsontext.Value) (target, error) {
	var p *wireProject
	if err := decode(v, &p); err != nil {
		return target{}, err
	}
	if p == nil || deref(p.ID) == "" && deref(p.Name) == "" {
		return target{}, expecting("id or name", "project")
	}
	t := target{kind: scopeProject, id: deref(p.ID), name: deref(p.Name), domain: p.Domain}
	if t.name == "" {
		return t, nil
	}
	if p.Domain == nil {
		return target{}, expecting("domain", "project")
	}
	if p.Domain.empty() {
		return target{}, expecting("id or name", "domain")
	}
	return t, nil
}

// resolve finds the project that a session asks for, "" for none. What cannot be had is 401 whatever the reason.
func (s *Server) resolve(r *http.Request, in *session, asked target) (iam.ProjectID, error) {
	switch asked.kind {
	case scopeNone:
		return s.unasked(r, in)
	case scopeUnscoped:
		return "", nil
	case scopeForeign:
		return "", unauthorized("nobody has a role on a domain, the system or a trust")
	}
	if asked.name == "" {
		id := iam.ProjectID(asked.id)
		if !id.Valid() {
			return "", unauthorized("not the form of a project id")
		}
		return id, nil
	}
	if !asked.domain.isDefault() {
		return "", unauthorized("no such domain")
	}
	p, err := s.c.Registry.ProjectByName(r.Context(), in.account.ID, asked.name, web.ClientAddr(r))
	if errors.Is(err, iam.NotFound) || err == nil && asked.id != "" && asked.id != string(p.ID) {
		return "", unauthorized("no role on a project of that name")
	}
	return p.ID, err
}

// unasked finds the project of a session that asks for no scope: that of its application credential; else, for a user who did not
// come by federation, the default project if there is a role on it, as Keystone has it.
func (s *Server) unasked(r *http.Request, in *session) (iam.ProjectID, error) {
	stored := in.account.DefaultProject
	if in.delegated() {
		return in.token.Project, nil
	}
	if stored == "" || in.token.Methods&iam.MethodOpenID != 0 {
		return "", nil
	}
	roles, err := s.c.Registry.Roles(r.Context(), in.account.ID, stored, web.ClientAddr(r))
	if err != nil || roles == 0 {
		return "", err
	}
	return stored, nil
}

// isDefault reports whether every member that is there names the one domain that projects are in, and at least one does: what is
// absent matches nothing. Its name is also taken in lower case, as people write it.
func (d *domain) isDefault() bool {
	if d.empty() {
		return false
	}
	id, name := deref(d.ID), deref(d.Name)
	return (id == "" || id == projectDomainID) && (name == "" || name == projectDomainName || name == projectDomainID)
}

func (d *domain) empty() bool { return d == nil || deref(d.ID) == "" && deref(d.Name) == "" }

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
