package keystone

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/web"
)

// An authRequest is the body of POST /v3/auth/tokens. Members that we do not know are ignored, as Keystone does: they reach nothing.
type authRequest struct {
	Auth *struct {
		Identity *identity      `json:"identity"`
		Scope    jsontext.Value `json:"scope"`
	} `json:"auth"`
}

// An identity says how the caller proves who they are: the methods, and what each of them needs. What one method needs is read by
// that method only: nothing beside it may say who somebody is (threat K5).
type identity struct {
	Methods []string `json:"methods"`
	Token   *struct {
		ID *string `json:"id"`
	} `json:"token"`
	Password   jsontext.Value `json:"password"`
	Credential jsontext.Value `json:"application_credential"`
	Others     jsontext.Value `json:",embed"`
}

// A method proves an identity and starts the token that follows from it.
type method func(s *Server, r *http.Request, id *identity, asked target) (*session, error)

// methodNamed finds a way to log in at POST /v3/auth/tokens.
func methodNamed(name string) method {
	switch name {
	case "token":
		return byToken
	case "password":
		return byPassword
	case "application_credential":
		return byCredential
	case protocolID:
		return byFederation
	}
	return nil
}

// methodNames lists them for who asks for another.
func methodNames() []string {
	return []string{"token", "password", "application_credential", protocolID}
}

// createToken is POST /v3/auth/tokens. X-Auth-Token is not looked at.
func createToken(s *Server, w http.ResponseWriter, r *http.Request, _ params) error {
	id, asked, err := readAuth(w, r)
	if err != nil {
		return err
	}
	if len(id.Methods) == 0 {
		return unauthorized("no method")
	}
	for _, name := range id.Methods {
		if methodNamed(name) == nil {
			return unsupportedMethod()
		}
	}
	if len(id.Methods) > 1 {
		return unauthorized("several methods") // no two of ours go together
	}
	in, err := methodNamed(id.Methods[0])(s, r, id, asked)
	if err != nil {
		return err
	}
	web.EventOf(r.Context()).Caller = string(in.account.Identity())
	if in.token.Project, err = s.resolve(r, in, asked); err != nil {
		return err
	}
	return s.issue(w, r, in)
}

func readAuth(w http.ResponseWriter, r *http.Request) (*identity, target, error) {
	body, err := web.ReadBody(w, r, maxBody)
	if err != nil {
		return nil, target{}, err
	}
	var req authRequest
	if err := decode(body, &req); err != nil {
		return nil, target{}, err
	}
	if req.Auth == nil {
		return nil, target{}, expecting("auth", "request body")
	}
	if req.Auth.Identity == nil {
		return nil, target{}, expecting("identity", "auth")
	}
	asked, err := parseScope(req.Auth.Scope)
	return req.Auth.Identity, asked, err
}

// decode reads JSON strictly. What is no JSON gets the original's sentence, what has another shape the place of it.
func decode(body []byte, dst any) error {
	err := web.Decode(body, dst, web.IgnoreUnknown)
	if err != nil && !jsontext.Value(body).IsValid() {
		return expecting("valid JSON", "request body")
	}
	return err
}

func unsupportedMethod() error {
	return &refusal{
		status: http.StatusUnauthorized, message: "Attempted to authenticate with an unsupported method.", methods: true,
	}
}

// byToken exchanges a token for one of another scope. What is new expires when what was shown does, never later, and keeps every
// method that led to it.
func byToken(s *Server, r *http.Request, id *identity, asked target) (*session, error) {
	if id.Token == nil {
		return nil, expecting("token", "identity")
	}
	if id.Token.ID == nil {
		return nil, expecting("id", "token")
	}
	shown, err := s.open(r.Context(), *id.Token.ID)
	if err != nil {
		return nil, deadToken(err)
	}
	if shown.delegated() {
		return nil, &refusal{
			status: http.StatusForbidden, decided: "a token of an application credential is not rescoped",
			message: msgForbidden + ". A token of an application credential is not exchanged for another: log in with the application credential itself.",
		}
	}
	if shown.provider.Disabled {
		return nil, forbidden("the identity provider is disabled")
	}
	t := s.newToken(shown.token.ClientID, shown.token.SecretID)
	t.Methods = shown.token.Methods | iam.MethodToken
	t.Expires = shown.token.Expires
	shown.token = t
	return shown, nil
}

// byFederation is not possible here: the bearer token goes to the federation path.
func byFederation(*Server, *http.Request, *identity, target) (*session, error) {
	return nil, unauthorized("openid is not a method of /auth/tokens")
}
