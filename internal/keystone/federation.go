package keystone

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/urn"
	"github.com/stackgate/stackgate/internal/web"
)

// claims are what an id_token must say (OpenID Connect Core §2). All but the groups are required; the groups are for an
// operator's own Keystone and not believed here.
type claims struct {
	Issuer   string         `json:"iss"`
	Subject  string         `json:"sub"`
	Audience jsontext.Value `json:"aud"`
	Expires  *int64         `json:"exp"`
	IssuedAt *int64         `json:"iat"`
	NotFrom  *int64         `json:"nbf"`
	SecretID string         `json:"secret_id"`
}

// federatedLogin is POST, or GET, on …/identity_providers/{idp}/protocols/{protocol}/auth: a bearer token becomes an unscoped
// token. The body, if any, is not read.
func federatedLogin(s *Server, w http.ResponseWriter, r *http.Request, p params) error {
	idp, protocol := p.segments[0], p.segments[1]
	if protocol != protocolID {
		return unsupportedMethod()
	}
	via := s.byName[idp]
	if via == nil {
		return notFound("Could not find Identity Provider: %s.", idp)
	}
	bearer, err := bearerOf(r)
	if err != nil {
		return err
	}
	if via.Disabled {
		return forbidden("the identity provider is disabled")
	}
	in, err := s.openBearer(r, via, bearer)
	if err != nil {
		return err
	}
	web.EventOf(r.Context()).Caller = string(in.account.Identity())
	t := s.newToken(in.account.ID, in.token.SecretID)
	t.Methods = iam.MethodOpenID
	t.Expires = t.IssuedAt.Add(s.lifeOf(in.account))
	in.token = t
	return s.issue(w, r, in)
}

// bearerOf gives the token of the Authorization header (RFC 6750 §2.1).
func bearerOf(r *http.Request) (string, error) {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return "", badBearer("there must be one Authorization header")
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ")
	switch {
	case !ok || !strings.EqualFold(scheme, "Bearer") || token == "":
		return "", badBearer("the Authorization header must be Bearer and a token")
	case len(token) > maxToken:
		return "", badBearer("it is too long")
	}
	return token, nil
}

// openBearer opens an id_token or an access token, both of which the role-adapter made, and checks that the service account and
// the secret behind it still live and belong to this provider.
func (s *Server) openBearer(r *http.Request, via *provider, bearer string) (*session, error) {
	t, subject, err := s.readBearer(via, bearer)
	if err != nil {
		return nil, err
	}
	account, err := s.c.Registry.Check(r.Context(), t)
	if iam.KindOf(err) == iam.Unauthenticated {
		return nil, badBearer("it has expired, or its service account or secret is gone or disabled")
	}
	if err != nil {
		return nil, err
	}
	if subject != "" && account.Identity() != subject {
		return nil, badBearer("its sub does not name the service account")
	}
	if account.Owner.Partition != via.Partition {
		return nil, forbidden("the service account belongs to another identity provider")
	}
	return &session{t, account, via}, nil
}

// readBearer gives what a bearer token stands for, and its subject where it has one.
func (s *Server) readBearer(via *provider, bearer string) (iam.Token, urn.URN, error) {
	if strings.Contains(bearer, ".") {
		return s.readIDToken(via, bearer)
	}
	t, err := unseal(s.c.Ring, iam.AccessToken, bearer)
	if err != nil || t.Project != "" {
		return iam.Token{}, "", badBearer("it is neither an id_token nor an access token of ours")
	}
	return t, "", nil
}

func (s *Server) readIDToken(via *provider, jwt string) (iam.Token, urn.URN, error) {
	b, err := s.c.Ring.VerifyJWT(jwt)
	if err != nil {
		return iam.Token{}, "", badBearer("its signature is not ours")
	}
	var c claims
	if err := web.Decode(b, &c, web.IgnoreUnknown); err != nil {
		return iam.Token{}, "", badBearer("its claims cannot be read")
	}
	if err := s.checkClaims(via, &c); err != nil {
		return iam.Token{}, "", err
	}
	_, client, ok := strings.Cut(c.Subject, "/oauth2-")
	if !ok || !iam.ClientID(client).Valid() {
		return iam.Token{}, "", badBearer("its sub does not name a service account")
	}
	t := iam.Token{
		ClientID: iam.ClientID(client), SecretID: c.SecretID, Methods: iam.MethodOpenID,
		IssuedAt: time.Unix(*c.IssuedAt, 0).UTC(), Expires: time.Unix(*c.Expires, 0).Add(clockSkew).UTC(),
	}
	return t, urn.URN(c.Subject), nil
}

// checkClaims judges what the signature cannot: for whom, by whom, from when, until when.
func (s *Server) checkClaims(via *provider, c *claims) error {
	if c.Issuer != via.Issuer { // as if it were not among the provider's remote ids
		return forbidden("the issuer is not the identity provider's")
	}
	if c.Subject == "" || c.SecretID == "" || c.Expires == nil || c.IssuedAt == nil || c.NotFrom == nil {
		return badBearer("it needs the claims sub, secret_id, exp, iat and nbf")
	}
	now, skew := s.c.Now().Unix(), int64(clockSkew/time.Second)
	switch {
	case !plausible(*c.Expires) || !plausible(*c.IssuedAt) || !plausible(*c.NotFrom):
		return badBearer("its times make no sense")
	case !hasAudience(c.Audience, s.c.Audience):
		return badBearer("its aud does not contain " + s.c.Audience)
	case now >= *c.Expires+skew:
		return badBearer("it has expired")
	case now < *c.NotFrom-skew, now < *c.IssuedAt-skew:
		return badBearer("it is not valid yet")
	case *c.Expires < *c.IssuedAt, *c.Expires-*c.IssuedAt > int64(maxIDTokenAge/time.Second):
		return badBearer("its life is longer than any id_token of ours")
	}
	return nil
}

// plausible bounds a time in seconds since 1970, so that sums and differences of times cannot overflow.
func plausible(unix int64) bool { return unix >= 0 && unix < 1<<40 }

// hasAudience reports whether aud, one string or an array of strings, contains want.
func hasAudience(aud jsontext.Value, want string) bool {
	var list []string
	switch aud.Kind() {
	case '"':
		list = make([]string, 1)
		if json.Unmarshal(aud, &list[0]) != nil {
			return false
		}
	case '[':
		if json.Unmarshal(aud, &list) != nil {
			return false
		}
	}
	return slices.Contains(list, want)
}
