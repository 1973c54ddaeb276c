package keystone

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/web"
)

// errNotAToken is a string that no ring of ours sealed as an Identity token.
var errNotAToken = &iam.Error{Kind: iam.Unauthenticated, Message: "not an Identity token"}

// OpenToken opens an Identity token and asks the registry whether it still stands, and whose it is. iam.Unauthenticated when it is
// no such token or stands no longer, iam.Unavailable when that cannot be known. Its project and roles are not looked at.
func OpenToken(ctx context.Context, ring *keys.Ring, reg *registry.Registry, token string) (iam.Token, *iam.ServiceAccount, error) {
	t, err := unseal(ring, iam.IdentityToken, token)
	if err != nil {
		return iam.Token{}, nil, err
	}
	account, err := reg.Check(ctx, t)
	if err != nil {
		return iam.Token{}, nil, err
	}
	return t, account, nil
}

func unseal(ring *keys.Ring, purpose iam.Purpose, token string) (iam.Token, error) {
	if token == "" || len(token) > maxToken {
		return iam.Token{}, errNotAToken
	}
	var buf [256]byte
	payload, err := ring.Open(buf[:0], string(purpose), token)
	if err != nil {
		return iam.Token{}, errNotAToken
	}
	t, err := iam.ParseToken(payload)
	if err != nil {
		return iam.Token{}, errNotAToken
	}
	return t, nil
}

// seal makes the string form of a new token.
func (s *Server) seal(t *iam.Token) (string, error) {
	payload, err := t.AppendBinary(make([]byte, 0, 192))
	if err != nil {
		return "", err
	}
	return s.c.Ring.Seal(string(iam.IdentityToken), payload)
}

// newToken starts a token: who, with which secret, from now. The caller decides until when.
func (s *Server) newToken(id iam.ClientID, secret string) iam.Token {
	t := iam.Token{ClientID: id, SecretID: secret, IssuedAt: s.c.Now().UTC().Truncate(time.Second)}
	_, _ = rand.Read(t.AuditID[:]) // crypto/rand does not fail
	return t
}

// sessionOf finds whose token it is, by a check of the registry.
func (s *Server) sessionOf(t iam.Token, account *iam.ServiceAccount, err error) (*session, error) {
	if err != nil {
		return nil, err
	}
	p := s.byPart[account.Owner.Partition]
	if p == nil {
		return nil, iam.Errorf(iam.Unauthenticated, "no identity provider for the partition %s", account.Owner.Partition)
	}
	return &session{t, account, p}, nil
}

// open opens a token that must stand now.
func (s *Server) open(ctx context.Context, token string) (*session, error) {
	t, account, err := OpenToken(ctx, s.c.Ring, s.c.Registry, token)
	return s.sessionOf(t, account, err)
}

// authenticate opens the token of X-Auth-Token and notes its owner in the event.
func (s *Server) authenticate(r *http.Request) (*session, error) {
	values := r.Header["X-Auth-Token"]
	if len(values) != 1 {
		return nil, unauthorized("X-Auth-Token is missing or there are several")
	}
	in, err := s.open(r.Context(), values[0])
	if err != nil {
		return nil, err
	}
	web.EventOf(r.Context()).Caller = string(in.account.Identity())
	return in, nil
}

// caller is who makes the request, as the registry wants to know.
func (in *session) caller(r *http.Request) iam.Caller {
	return iam.Caller{
		Identity: in.account.Identity(), Account: in.account.Owner, Address: web.ClientAddr(r), RequestID: web.RequestID(r),
	}
}

// A look is what may be done with somebody's token: beside its owner, a service may read it.
type look struct{ allowExpired, byService bool }

// subject opens the token of X-Subject-Token for somebody who may look at it or revoke it: its own owner, or a service where that may.
// Nobody but a service ever gets another's.
func (s *Server) subject(r *http.Request, p params, l look) (in *session, others bool, err error) {
	caller, err := s.authenticate(r)
	if err != nil {
		return nil, false, err
	}
	values := r.Header["X-Subject-Token"]
	if len(values) != 1 || values[0] == "" {
		return nil, false, notFound("No token in the request")
	}
	if values[0] == r.Header["X-Auth-Token"][0] {
		return caller, false, nil
	}
	in, err = s.openSubject(r.Context(), values[0], l.allowExpired)
	if err != nil {
		return nil, false, deadToken(err)
	}
	if in.account.ID == caller.account.ID {
		return in, false, nil
	}
	service, err := s.isService(r.Context(), caller)
	if err == nil && !(service && l.byService) {
		err = policyRefusal(p)
	}
	web.EventOf(r.Context()).Add(slog.String("subject", string(in.account.Identity())))
	return in, true, err
}

// isService reports whether a session is one of a service, whose project is still there.
func (s *Server) isService(ctx context.Context, in *session) (bool, error) {
	if !in.serves() {
		return false, nil
	}
	sc, err := s.scopeOf(ctx, in, netip.Addr{})
	if iam.KindOf(err) == iam.NotFound {
		return false, nil
	}
	return sc.service, err
}

func (s *Server) openSubject(ctx context.Context, token string, allowExpired bool) (*session, error) {
	if !allowExpired {
		return s.open(ctx, token)
	}
	t, err := unseal(s.c.Ring, iam.IdentityToken, token)
	if err != nil {
		return nil, err
	}
	account, err := s.c.Registry.CheckExpired(ctx, t, expiredWindow)
	return s.sessionOf(t, account, err)
}

// deadToken turns "does not stand" into the 404 that Keystone gives for tokens that are looked at rather than used.
func deadToken(err error) error {
	switch {
	case errors.Is(err, errNotAToken):
		return notFound(msgNotAToken)
	case iam.KindOf(err) == iam.Unauthenticated, iam.KindOf(err) == iam.NotFound:
		return notFound(msgDeadToken)
	}
	return err
}

// validateToken is GET and HEAD /v3/auth/tokens. The roles in the answer are those of this moment. A service may GET anybody's token, but,
// as with the original, not HEAD it; from where its owner sent it, the service knows and we do not.
func validateToken(s *Server, w http.ResponseWriter, r *http.Request, p params) error {
	q := queryOf(r)
	in, others, err := s.subject(r, p, look{allowExpired: q.allowExpired, byService: r.Method == http.MethodGet})
	if err != nil {
		return err
	}
	from := web.ClientAddr(r)
	if others {
		from = netip.Addr{}
	}
	sc, err := s.scopeOf(r.Context(), in, from)
	if err != nil {
		return deadToken(err)
	}
	w.Header()["X-Subject-Token"] = []string{r.Header["X-Subject-Token"][0]}
	s.sendToken(w, http.StatusOK, in, &sc, !q.noCatalog)
	return nil
}

// sendToken writes a token body from a buffer that is used again.
func (s *Server) sendToken(w http.ResponseWriter, status int, in *session, sc *scope, withCatalog bool) {
	buf := s.buffers.Get().(*[]byte)
	*buf = s.appendToken((*buf)[:0], in, sc, withCatalog)
	send(w, status, *buf)
	s.buffers.Put(buf)
}

// issue seals a token, says so in the event, and answers 201 with it.
func (s *Server) issue(w http.ResponseWriter, r *http.Request, in *session) error {
	sc, err := s.scopeOf(r.Context(), in, web.ClientAddr(r))
	if iam.KindOf(err) == iam.NotFound { // unknown, disabled, another account's, no role: nobody learns which
		return unauthorized("no role on the project")
	}
	if err != nil {
		return err
	}
	sealed, err := s.seal(&in.token)
	if err != nil {
		return err
	}
	web.EventOf(r.Context()).Decision = "granted"
	w.Header()["X-Subject-Token"] = []string{sealed}
	s.sendToken(w, http.StatusCreated, in, &sc, !queryOf(r).noCatalog)
	return nil
}

// revokeToken is DELETE /v3/auth/tokens: one's own token ends, those made from it do not.
func revokeToken(s *Server, w http.ResponseWriter, r *http.Request, p params) error {
	in, _, err := s.subject(r, p, look{})
	if err != nil {
		return err
	}
	if err := s.c.Registry.RevokeToken(r.Context(), in.caller(r), in.token); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// query is what a token call's query string asks for. It never says who or what is asked about.
type query struct{ noCatalog, allowExpired bool }

func queryOf(r *http.Request) query {
	if r.URL.RawQuery == "" {
		return query{}
	}
	values := r.URL.Query()
	_, noCatalog := values["nocatalog"]
	expired, asked := values["allow_expired"]
	return query{noCatalog, asked && isTrue(expired[0])}
}

// isTrue reads a flag as Keystone does: all but the words for no is yes.
func isTrue(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "0", "f", "false", "n", "no", "off":
		return false
	}
	return true
}
