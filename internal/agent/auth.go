package agent

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/stackgate/stackgate/internal/web"
)

// An authRequest is the body of POST /v3/auth/tokens, as far as we look at it.
type authRequest struct {
	Auth struct {
		Identity identity        `json:"identity"`
		Scope    json.RawMessage `json:"scope"`
	} `json:"auth"`
}

type identity struct {
	Methods  []string `json:"methods"`
	Password struct {
		User struct {
			ID       string `json:"id"`
			Name     string `json:"name"`
			Password string `json:"password"`
		} `json:"user"`
	} `json:"password"`
	ApplicationCredential struct {
		ID     string `json:"id"`
		Secret string `json:"secret"`
	} `json:"application_credential"`
	Token struct {
		ID string `json:"id"`
	} `json:"token"`
}

// authenticate accepts the one-time credential, by any of three methods. The domain of the user does not matter. The user's id may be that of
// the cloud's user: keystoneclient, and so swift, takes it from the first token for its second login.
func (a *Agent) authenticate(v identity) error {
	c, ok := a.c.Credential, false
	switch {
	case slices.Equal(v.Methods, []string{"password"}):
		user := v.Password.User
		_, real := a.subject()
		ok = (user.Name == c.ID || user.ID == c.ID || user.ID != "" && user.ID == real.ID) && equal(user.Password, c.Secret)
	case slices.Equal(v.Methods, []string{"application_credential"}):
		ok = v.ApplicationCredential.ID == c.ID && equal(v.ApplicationCredential.Secret, c.Secret)
	case slices.Equal(v.Methods, []string{"token"}):
		ok = a.known(v.Token.ID) != nil
	default:
		return refusal(http.StatusUnauthorized, "stackgate's agent takes the methods password, application_credential and token, one at a time.")
	}
	if !ok {
		return refusal(http.StatusUnauthorized, "This is stackgate's agent: it takes the credential that it has given to the command it runs, and no other.")
	}
	return nil
}

// checkScope refuses what the cloud's token is not for. No scope, and the scope unscoped, get the token as it is.
func (a *Agent) checkScope(scope json.RawMessage) error {
	if len(scope) == 0 || string(scope) == "null" || string(scope) == `"unscoped"` {
		return nil
	}
	var v struct {
		Project *named `json:"project"`
	}
	if err := web.Decode(scope, &v, web.IgnoreUnknown); err != nil || v.Project == nil {
		return refusal(http.StatusUnauthorized, "stackgate's agent logs in on one project only, and not on a domain, the system or a trust.")
	}
	p, _ := a.subject()
	if v.Project.ID != "" && v.Project.ID == p.ID || v.Project.ID == "" && v.Project.Name != "" && v.Project.Name == p.Name {
		return nil
	}
	return refusal(http.StatusUnauthorized, "stackgate's agent logs in on project %s (%s) only.", p.Name, p.ID)
}
