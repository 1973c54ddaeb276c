package keystone

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/web"
)

// Wire forms of the methods that take a secret.
type (
	wirePassword struct {
		User *struct {
			ID       *string `json:"id"`
			Name     *string `json:"name"`
			Domain   *domain `json:"domain"`
			Password *string `json:"password"`
		} `json:"user"`
	}
	wireCredential struct {
		ID     *string        `json:"id"`
		Secret *string        `json:"secret"`
		Others jsontext.Value `json:",embed"`
	}
)

// byPassword logs in a service account as a user: its name is the client id and its domain the identity provider's, or it is given by
// the user id that tokens show; the password is a secret.
func byPassword(s *Server, r *http.Request, id *identity, _ target) (*session, error) {
	client, via, secret, err := s.parsePassword(id.Password)
	if err != nil {
		return nil, err
	}
	in, err := s.login(r, client, secret, iam.MethodPassword)
	if err != nil {
		return nil, err
	}
	if via != nil && via != in.provider {
		return nil, unauthorized("the service account belongs to another domain")
	}
	return in, nil
}

// parsePassword reads whose password it is. A user who cannot be is the client "", for whom the same work is done as for any other; the
// provider is nil when no domain was named.
func (s *Server) parsePassword(v jsontext.Value) (client iam.ClientID, via *provider, secret string, err error) {
	var p wirePassword
	if v == nil {
		return "", nil, "", expecting("password", "identity")
	}
	if err := decode(v, &p); err != nil {
		return "", nil, "", err
	}
	u := p.User
	switch {
	case u == nil:
		return "", nil, "", expecting("user", "password")
	case deref(u.ID) == "" && deref(u.Name) == "":
		return "", nil, "", expecting("id or name", "user")
	case deref(u.Name) != "" && u.Domain.empty():
		return "", nil, "", expecting("domain", "user")
	case u.Password == nil:
		return "", nil, "", expecting("password", "user")
	}
	client, via = s.userOf(deref(u.ID), deref(u.Name), u.Domain)
	return client, via, *u.Password, nil
}

// userOf finds the client that an id and a name with a domain mean together; "" if they mean none.
func (s *Server) userOf(id, name string, d *domain) (iam.ClientID, *provider) {
	client, via := iam.ClientID(name), s.domainOf(d)
	if id != "" {
		client = clientOf(id)
	}
	switch {
	case name != "" && string(client) != name:
		return "", nil
	case via == nil && !d.empty():
		return "", nil
	}
	return client, via
}

// domainOf finds the provider that every member of d names.
func (s *Server) domainOf(d *domain) *provider {
	if d.empty() {
		return nil
	}
	for _, p := range s.byPart {
		id, name := deref(d.ID), deref(d.Name)
		if (id == "" || id == p.domainID) && (name == "" || name == p.Name) {
			return p
		}
	}
	return nil
}

// byCredential logs in with an application credential: every service account has one for each project on which it has a role. It
// says whose it is and for which project; the request says neither, and nothing else about an identity (threat K5).
func byCredential(s *Server, r *http.Request, id *identity, asked target) (*session, error) {
	if asked.kind != scopeNone {
		return nil, credentialError("Application credentials cannot request a scope.")
	}
	if id.Token != nil || id.Password != nil || len(id.Others) > 0 {
		return nil, malformedCredential("identity has members other than methods and application_credential")
	}
	name, secret, err := parseCredential(id.Credential)
	if err != nil {
		return nil, err
	}
	client, project, named := strings.Cut(name, "@")
	in, err := s.login(r, iam.ClientID(client), secret, iam.MethodApplicationCredential)
	if err != nil {
		return nil, err
	}
	if in.token.Project = iam.ProjectID(project); !named {
		in.token.Project = in.account.DefaultProject
	}
	if !in.token.Project.Valid() {
		return nil, unauthorized("the application credential names no project, and no default project is stored")
	}
	return in, nil
}

func parseCredential(v jsontext.Value) (id, secret string, err error) {
	var c wireCredential
	if v == nil {
		return "", "", expecting("application_credential", "identity")
	}
	if err := decode(v, &c); err != nil {
		return "", "", err
	}
	switch {
	case len(c.Others) > 0 && !emptyUser(c.Others):
		return "", "", malformedCredential("application_credential has members other than id and secret")
	case deref(c.ID) == "":
		return "", "", expecting("id", "application_credential")
	case c.Secret == nil:
		return "", "", expecting("secret", "application_credential")
	}
	return *c.ID, *c.Secret, nil
}

// emptyUser reports whether the only other member is a user of whom nothing is said, as rclone and restic send it.
func emptyUser(others jsontext.Value) bool {
	v := others.Clone()
	return v.Compact() == nil && string(v) == `{"user":{}}`
}

func credentialError(detail string) error {
	return &refusal{
		status: http.StatusUnauthorized, message: "Error authenticating with application credential: " + detail, decided: detail,
	}
}

// malformedCredential refuses what must not be looked at: members that say who somebody is beside the credential's id.
func malformedCredential(what string) error {
	return iam.Errorf(iam.Invalid, "Error authenticating with application credential: %s. It is found by its id, <client id>@<project id>, and by nothing else.", what)
}

// credentialID names the application credential of a service account on a project.
func credentialID(id iam.ClientID, project iam.ProjectID) string {
	return string(id) + "@" + string(project)
}

// login starts a session from a secret. Whatever is wrong, the work and the answer are the same (threats O15, K16).
func (s *Server) login(r *http.Request, client iam.ClientID, secret string, m iam.Methods) (*session, error) {
	event := web.EventOf(r.Context())
	if !client.Valid() {
		client = ""
	}
	login, err := s.c.Registry.Authenticate(r.Context(), client, secret, registry.Use{Address: web.ClientAddr(r), Agent: event.Agent})
	if iam.KindOf(err) == iam.Unauthenticated {
		if _, ours := client.Partition(); ours { // anything else may be a secret in the wrong place
			event.Add(slog.String("client", string(client)))
		}
	}
	in, err := s.sessionOf(s.newToken(client, login.SecretID), &login.Account, err)
	if err != nil {
		return nil, err
	}
	event.Caller = string(in.account.Identity())
	if in.provider.Disabled {
		return nil, unauthorized("the identity provider is disabled")
	}
	in.token.Methods, in.token.Expires = m, in.token.IssuedAt.Add(s.lifeOf(in.account))
	return in, nil
}
