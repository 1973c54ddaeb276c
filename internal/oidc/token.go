package oidc

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/web"
)

const (
	scopeAll         = "all" // of the management API
	scopeAllProjects = "publicCloudProject/all"
	scopeProject     = "publicCloudProject/"

	maxIDToken = 6 << 10 // Apache refuses header lines over 8190 bytes, and a bearer token is not alone in one
)

// grantedTokens is a successful answer (RFC 6749 §5.1, OpenID Connect Core 1.0 §3.1.3.3).
type grantedTokens struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
	IDToken     string `json:"id_token,omitzero"`
}

// An issuer turns an authenticated client and the scopes it asks for into tokens. It is all that the two token endpoints differ in.
type issue func(r *http.Request, login registry.Login, scopes []string) (grantedTokens, error)

// token is the pipeline of every token endpoint. The secret comes before the grant type and the scopes: whoever has none learns
// nothing about a client (threat O15).
func (s *Server) token(issue issue) web.Func {
	return func(w http.ResponseWriter, r *http.Request) error {
		f, err := readForm(w, r)
		if err != nil {
			return err
		}
		login, err := s.authenticate(r, f)
		if err != nil {
			return err
		}
		web.EventOf(r.Context()).Caller = string(login.Account.Identity())
		if err := checkGrant(f); err != nil {
			return err
		}
		scopes, err := parseScopes(f["scope"])
		if err != nil {
			return err
		}
		tokens, err := issue(r, login, scopes)
		if err != nil {
			return err
		}
		web.EventOf(r.Context()).Decision = "granted"
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Pragma", "no-cache")
		return web.WriteJSON(w, http.StatusOK, tokens)
	}
}

func (s *Server) authenticate(r *http.Request, f form) (registry.Login, error) {
	all, err := presented(r.Header, f)
	if err != nil {
		return registry.Login{}, err
	}
	use := registry.Use{Address: web.ClientAddr(r), Agent: web.EventOf(r.Context()).Agent}
	for _, c := range all {
		id, secret := c.known()
		login, err := s.c.Registry.Authenticate(r.Context(), id, secret, use)
		if err == nil || !errors.Is(err, iam.Unauthenticated) {
			return login, err
		}
		if _, ours := id.Partition(); ours && id.Valid() { // anything else may be a secret in the wrong place
			web.EventOf(r.Context()).Add(slog.String("client", string(id)))
		}
	}
	return registry.Login{}, errClient
}

func checkGrant(f form) error {
	switch f["grant_type"] {
	case "client_credentials":
		return nil
	case "":
		return invalidRequest("The parameter grant_type is missing: it is client_credentials")
	}
	return &failure{http.StatusBadRequest, "unsupported_grant_type", "The only grant_type here is client_credentials"}
}

// parseScopes splits a scope parameter (RFC 6749 §3.3).
func parseScopes(s string) ([]string, error) {
	var out []string
	for scope := range strings.SplitSeq(s, " ") {
		switch {
		case scope == "":
		case !visible(scope) || strings.ContainsAny(scope, `"\`):
			return nil, &failure{http.StatusBadRequest, "invalid_scope", "The parameter scope is malformed: it is a list of words with one space between them"}
		default:
			out = append(out, scope)
		}
	}
	return out, nil
}

// issueManagement makes a token for the management API, which wants its one scope named.
func (s *Server) issueManagement(_ *http.Request, login registry.Login, scopes []string) (grantedTokens, error) {
	if !slices.Contains(scopes, scopeAll) {
		return grantedTokens{}, &failure{http.StatusBadRequest, "invalid_scope", "The parameter scope=all is required"}
	}
	token, _, err := s.seal(iam.ManagementToken, login, s.c.ManagementTokenLife)
	return grantedTokens{AccessToken: token, TokenType: "Bearer", ExpiresIn: left(s.c.ManagementTokenLife), Scope: scopeAll}, err
}

// issueIdentity makes both tokens that the federation endpoint of the Identity API takes. Which one a client presents is its choice.
func (s *Server) issueIdentity(r *http.Request, login registry.Login, scopes []string) (grantedTokens, error) {
	access, t, err := s.seal(iam.AccessToken, login, s.c.AccessTokenLife)
	if err != nil {
		return grantedTokens{}, err
	}
	granted := grant(scopes)
	id, err := s.idToken(r, login, t, granted)
	return grantedTokens{access, "Bearer", left(s.c.AccessTokenLife), strings.Join(granted, " "), id}, err
}

// left is what remains of a life that began at the whole second before now, rounded down.
func left(life time.Duration) int64 { return max(int64(life/time.Second)-1, 1) }

func (s *Server) seal(purpose iam.Purpose, login registry.Login, life time.Duration) (string, iam.Token, error) {
	now := s.c.Now().UTC().Truncate(time.Second)
	t := iam.Token{ClientID: login.Account.ID, SecretID: login.SecretID, Methods: iam.MethodOpenID, IssuedAt: now, Expires: now.Add(life)}
	_, _ = rand.Read(t.AuditID[:]) // never fails
	payload, err := t.AppendBinary(make([]byte, 0, 192))
	if err != nil {
		return "", t, fmt.Errorf("encode a token: %w", err)
	}
	sealed, err := s.c.Ring.Seal(string(purpose), payload)
	return sealed, t, err
}

// grant keeps those scopes that mean something here, and adds openid, which the answer always is about. Unknown ones are ignored:
// clients ask for what some other provider knows.
func grant(scopes []string) []string {
	granted := []string{"openid"}
	for _, s := range scopes {
		if (s == "profile" || s == "email" || strings.HasPrefix(s, scopeProject)) && !slices.Contains(granted, s) {
			granted = append(granted, s)
		}
	}
	return granted
}

// claims are those of the id_token.
type claims struct {
	Issuer     string   `json:"iss"`
	Subject    string   `json:"sub"` // URN of the service account
	Audience   []string `json:"aud"`
	Authorized string   `json:"azp"`
	Expires    int64    `json:"exp"`
	IssuedAt   int64    `json:"iat"`
	NotBefore  int64    `json:"nbf"`
	ID         string   `json:"jti"`
	SecretID   string   `json:"secret_id"`
	Groups     []string `json:"groups"`            // for an operator's own Keystone; ours never believes them
	Provider   string   `json:"provider,omitzero"` // as that Keystone calls us
}

func (s *Server) idToken(r *http.Request, login registry.Login, t iam.Token, scopes []string) (string, error) {
	groups, err := s.groups(r, login, scopes)
	if err != nil {
		return "", err
	}
	account := login.Account
	c := claims{
		Issuer: Issuer(s.c.PublicURL, account.Owner.Partition), Subject: string(account.Identity()),
		Audience: []string{string(account.ID), s.audience(account.Owner.Partition)}, Authorized: string(account.ID),
		Expires: t.IssuedAt.Add(s.c.IDTokenLife).Unix(), IssuedAt: t.IssuedAt.Unix(), NotBefore: t.IssuedAt.Unix(),
		ID: base64.RawURLEncoding.EncodeToString(t.AuditID[:]), SecretID: login.SecretID, Groups: groups,
		Provider: s.c.Keystones[account.Owner.Partition].Provider,
	}
	body, err := json.Marshal(c, json.FormatNilSliceAsNull(false))
	if err == nil && signedSize(body) > maxIDToken {
		web.EventOf(r.Context()).Add(slog.String("groups_omitted",
			fmt.Sprintf("%d groups do not fit into an id_token of %d bytes; ask for scope publicCloudProject/<id>", len(groups), maxIDToken)))
		c.Groups = nil
		body, err = json.Marshal(c, json.FormatNilSliceAsNull(false))
	}
	if err != nil {
		return "", fmt.Errorf("encode an id_token: %w", err)
	}
	return s.c.Ring.SignJWT(body)
}

// signedSize is how long a token with these claims gets, with the longer of the two signatures and its header.
func signedSize(claims []byte) int {
	const header, signature = 96, 342 // RS256
	return header + 1 + base64.RawURLEncoding.EncodedLen(len(claims)) + 1 + signature
}

// groups lists <project id>:<right> for the projects that the scopes name; all of them when they name none, or all.
func (s *Server) groups(r *http.Request, login registry.Login, scopes []string) ([]string, error) {
	list, err := s.c.Registry.ProjectRights(r.Context(), login.Account.ID, web.ClientAddr(r))
	if err != nil {
		return nil, err
	}
	named := slices.ContainsFunc(scopes, func(s string) bool { return strings.HasPrefix(s, scopeProject) })
	every := !named || slices.Contains(scopes, scopeAllProjects)
	var out []string
	for _, p := range list {
		if !every && !slices.Contains(scopes, scopeProject+string(p.Project.ID)) {
			continue
		}
		for _, right := range p.Rights {
			out = append(out, iam.GroupName(p.Project.ID, right))
		}
	}
	return out, nil
}
