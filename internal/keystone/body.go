package keystone

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
)

const timeLayout = "2006-01-02T15:04:05.000000Z"

// The one domain that projects are in.
const (
	projectDomainID   = "default"
	projectDomainName = "Default"
)

// roleFragments are the JSON objects of the roles, by role.
type roleFragments [][]byte

func newRoleFragments() roleFragments {
	var f roleFragments
	for role := range rbac.AllRoles.All() {
		name := role.String()
		b := append([]byte(`{"id":"`), stableID("role", name)...)
		b = append(append(b, `","name":"`...), name...)
		f = append(f, append(b, `","domain_id":null,"description":null,"options":{}}`...))
	}
	return f
}

// userFragment is the user object of this provider's users after their id and name.
func (p *provider) userFragment() []byte {
	b := append([]byte(`,"domain":{"id":"`), p.domainID...)
	b = appendString(append(b, `","name":`...), p.Name)
	b = appendString(append(b, `},"OS-FEDERATION":{"groups":[],"identity_provider":{"id":`...), p.Name)
	return append(b, `},"protocol":{"id":"`+protocolID+`"}}}`...)
}

// UserID gives the 64 hexadecimal digits that name a service account to OpenStack.
func UserID(account *iam.ServiceAccount) string {
	sum := sha256.Sum256([]byte(account.Identity()))
	return hex.EncodeToString(sum[:])
}

// A session is an opened token that still stands, with whose it is.
type session struct {
	token    iam.Token
	account  *iam.ServiceAccount
	provider *provider
}

// A scope is what a token body says of its project: nothing for an unscoped token.
type scope struct {
	project iam.Project
	roles   rbac.Roles
}

// scopeOf asks for the project of a token and the roles on it, as they are now. No role, or no project any more: iam.NotFound.
func (s *Server) scopeOf(ctx context.Context, t *iam.Token, addr netip.Addr) (scope, error) {
	if t.Project == "" {
		return scope{}, nil
	}
	roles, err := s.c.Registry.Roles(ctx, t.ClientID, t.Project, addr)
	if err != nil {
		return scope{}, err
	}
	if roles == 0 {
		return scope{}, iam.Errorf(iam.NotFound, "no role on the project")
	}
	project, err := s.c.Registry.ProjectByID(ctx, t.ClientID, t.Project, addr)
	if err != nil {
		return scope{}, err
	}
	return scope{project, roles}, nil
}

// appendToken appends the body of a token answer.
func (s *Server) appendToken(b []byte, in *session, sc *scope, withCatalog bool) []byte {
	t := &in.token
	b = appendMethods(append(b, `{"token":{"methods":`...), t.Methods)
	b = append(append(b, `,"user":{"id":"`...), UserID(in.account)...)
	b = appendString(append(b, `","name":`...), string(in.account.ID))
	b = append(b, in.provider.user...)
	b = base64.RawURLEncoding.AppendEncode(append(b, `,"audit_ids":["`...), t.AuditID[:])
	b = appendTime(append(b, `"],"expires_at":`...), t.Expires)
	b = appendTime(append(b, `,"issued_at":`...), t.IssuedAt)
	if t.Project != "" {
		b = s.appendScope(b, sc)
		if withCatalog {
			b = s.catalog.appendFor(append(b, `,"catalog":`...), t.Project)
		}
	}
	return append(b, "}}\n"...)
}

func (s *Server) appendScope(b []byte, sc *scope) []byte {
	b = append(b, `,"project":{"domain":{"id":"`+projectDomainID+`","name":"`+projectDomainName+`"},"id":"`...)
	b = append(b, sc.project.ID...)
	b = appendString(append(b, `","name":`...), sc.project.Name)
	b = append(b, `},"is_domain":false,"roles":[`...)
	first := true
	for role := range sc.roles.All() {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, s.roles[role]...)
	}
	return append(b, ']')
}

func appendTime(b []byte, t time.Time) []byte {
	b = t.UTC().AppendFormat(append(b, '"'), timeLayout)
	return append(b, '"')
}

// appendMethods appends the names of a token's methods, token first as the original has it.
func appendMethods(b []byte, m iam.Methods) []byte {
	b = append(b, '[')
	for _, known := range [...]struct {
		method iam.Methods
		name   string
	}{
		{iam.MethodToken, "token"}, {iam.MethodOpenID, protocolID}, {iam.MethodPassword, "password"},
		{iam.MethodApplicationCredential, "application_credential"},
	} {
		if m&known.method == 0 {
			continue
		}
		if b[len(b)-1] != '[' {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), known.name...), '"')
	}
	return append(b, ']')
}
