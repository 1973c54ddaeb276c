package keystone

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/urn"
)

const timeLayout = "2006-01-02T15:04:05.000000Z"

// The one domain that projects are in.
const (
	projectDomainID   = "default"
	projectDomainName = "Default"
)

// serviceRole is the name, known to every service of OpenStack, of the flag that only the operator sets.
const serviceRole = "service"

// roleFragments are the JSON objects of the roles, by role.
type roleFragments [][]byte

func newRoleFragments() roleFragments {
	var f roleFragments
	for role := range rbac.AllRoles.All() {
		f = append(f, appendRole(nil, role.String()))
	}
	return f
}

func appendRole(b []byte, name string) []byte {
	b = append(append(b, `{"id":"`...), stableID("role", name)...)
	b = append(append(b, `","name":"`...), name...)
	return append(b, `","domain_id":null,"description":null,"options":{}}`...)
}

// userFragments are the user object of this provider's users after their id and name: for tokens that began with federation, and
// for the others, whose users have a password in Keystone's sense.
func (p *provider) userFragments() (federated, local []byte) {
	b := append([]byte(`,"domain":{"id":"`), p.domainID...)
	b = append(appendString(append(b, `","name":`...), p.Name), '}')
	federated = appendString(append(slices.Clone(b), `,"OS-FEDERATION":{"groups":[],"identity_provider":{"id":`...), p.Name)
	federated = append(federated, `},"protocol":{"id":"`+protocolID+`"}}}`...)
	return federated, append(b, `,"password_expires_at":null}`...)
}

// UserID gives the 64 hexadecimal digits that name a service account to OpenStack: its client id, filled up with zero bytes. Who
// logs in by user id is so found without a look-up of its own.
func UserID(account *iam.ServiceAccount) string {
	var b [urn.MaxClientID]byte
	copy(b[:], account.ID)
	return hex.EncodeToString(b[:])
}

// clientOf reads a user id; "" if it is none.
func clientOf(userID string) iam.ClientID {
	b, err := hex.DecodeString(userID)
	if err != nil || len(b) != urn.MaxClientID || userID != strings.ToLower(userID) {
		return ""
	}
	id := iam.ClientID(bytes.TrimRight(b, "\x00"))
	if !id.Valid() {
		return ""
	}
	return id
}

// A session is an opened token that still stands, with whose it is.
type session struct {
	token    iam.Token
	account  *iam.ServiceAccount
	provider *provider
}

// delegated reports whether the token was got with an application credential: it is for its one project, and nothing but that.
func (in *session) delegated() bool { return in.token.Methods&iam.MethodApplicationCredential != 0 }

// serves reports whether the token is one of a service of OpenStack, on the service's own project, and not of an application
// credential, which is for a project's things and nothing else (threat K10).
func (in *session) serves() bool {
	return in.token.Project != "" && in.token.Project == in.account.ServiceProject && !in.delegated()
}

// A scope is what a token body says of its project: nothing for an unscoped token.
type scope struct {
	project iam.Project
	roles   rbac.Roles
	service bool // the role that no policy grants: of OpenStack's services on their own project
}

// scopeOf asks for the project of a token and the roles on it, as they are now. No role, or no project any more: iam.NotFound.
func (s *Server) scopeOf(ctx context.Context, in *session, addr netip.Addr) (scope, error) {
	t, service := &in.token, in.serves()
	if t.Project == "" {
		return scope{}, nil
	}
	roles, err := s.c.Registry.Roles(ctx, t.ClientID, t.Project, addr)
	if err != nil {
		return scope{}, err
	}
	if roles == 0 && !service {
		return scope{}, iam.Errorf(iam.NotFound, "no role on the project")
	}
	project, err := s.c.Registry.ProjectByID(ctx, t.ClientID, t.Project, addr)
	if err != nil {
		return scope{}, err
	}
	return scope{project, roles, service}, nil
}

// appendToken appends the body of a token answer.
func (s *Server) appendToken(b []byte, in *session, sc *scope, withCatalog bool) []byte {
	t := &in.token
	b = appendMethods(append(b, `{"token":{"methods":`...), t.Methods)
	b = append(append(b, `,"user":{"id":"`...), UserID(in.account)...)
	b = appendString(append(b, `","name":`...), string(in.account.ID))
	if t.Methods&iam.MethodOpenID != 0 {
		b = append(b, in.provider.federated...)
	} else {
		b = append(b, in.provider.local...)
	}
	b = base64.RawURLEncoding.AppendEncode(append(b, `,"audit_ids":["`...), t.AuditID[:])
	b = appendTime(append(b, `"],"expires_at":`...), t.Expires)
	b = appendTime(append(b, `,"issued_at":`...), t.IssuedAt)
	if in.delegated() {
		b = appendString(append(b, `,"application_credential":{"id":`...), credentialID(t.ClientID, t.Project))
		b = append(appendString(append(b, `,"name":`...), sc.project.Name), `,"restricted":true}`...)
	}
	if t.Project != "" {
		b = s.appendScope(b, sc)
		if withCatalog {
			b = s.c.CatalogOf(t.Project).appendFor(append(b, `,"catalog":`...), t.Project)
		}
	}
	return append(b, "}}\n"...)
}

func (s *Server) appendScope(b []byte, sc *scope) []byte {
	b = append(b, `,"project":{"domain":{"id":"`+projectDomainID+`","name":"`+projectDomainName+`"},"id":"`...)
	b = append(b, sc.project.ID...)
	b = appendString(append(b, `","name":`...), sc.project.Name)
	b = append(b, `},"is_domain":false,"roles":`...)
	return s.appendRoles(b, sc.roles, sc.service)
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
