package keystone_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
)

// userID is what names a service account to OpenStack.
func (u user) userID() string {
	return (hex.EncodeToString([]byte(u.id)) + strings.Repeat("0", 64))[:64]
}

func (u user) credential(p iam.ProjectID) string { return string(u.id) + "@" + string(p) }

// authBody is a request for a token; scope is JSON, "" for none.
func authBody(identity, scope string) string {
	if scope != "" {
		scope = `,"scope":` + scope
	}
	return `{"auth":{"identity":` + identity + scope + `}}`
}

func (w *world) auth(identity, scope string) *answer {
	w.t.Helper()
	return w.do("POST", "/v3/auth/tokens", authBody(identity, scope), "Content-Type", "application/json")
}

// passwordBody asks for a token by name and domain, as Terraform does.
func (u user) passwordBody(scope string) string { return u.bodyWith("", scope) }

// bodyWith is passwordBody with other members that say who the user is; "" for its name and domain.
func (u user) bodyWith(who, scope string) string {
	if who == "" {
		who = fmt.Sprintf(`"domain":{"name":"ovhcloud-emea"},"name":%q`, u.id)
	}
	return authBody(fmt.Sprintf(`{"methods":["password"],"password":{"user":{%s,"password":%q}}}`, who, u.value), scope)
}

func (w *world) password(u user, who, scope string) *answer {
	w.t.Helper()
	return w.do("POST", "/v3/auth/tokens", u.bodyWith(who, scope), "Content-Type", "application/json")
}

func credentialBody(id, secret string) string {
	return authBody(fmt.Sprintf(`{"application_credential":{"id":%q,"secret":%q},"methods":["application_credential"]}`, id, secret), "")
}

func (w *world) credential(id, secret string) *answer {
	w.t.Helper()
	return w.do("POST", "/v3/auth/tokens", credentialBody(id, secret), "Content-Type", "application/json")
}

// A door is one way to log in. scope is JSON, "" for none.
type door struct {
	name    string
	methods string // of the tokens it gives, sorted
	open    func(w *world, u user, scope string) *answer
	// What it takes: bearer is a token of the role-adapter, fixed is one project that the credential names.
	bearer, fixed bool
}

// throughBearer goes through the federation path and then, if there is a scope, through method token.
func throughBearer(bearer func(w *world, u user) string) func(*world, user, string) *answer {
	return func(w *world, u user, scope string) *answer {
		a := w.bearer(bearer(w, u))
		if scope == "" || a.status != 201 {
			return a
		}
		return w.rescope(a.token(), scope)
	}
}

func (w *world) accessToken(u user) string {
	now := w.clock().Truncate(time.Second)
	return w.seal(iam.AccessToken, iam.Token{ClientID: u.id, SecretID: u.secret, Methods: iam.MethodOpenID, IssuedAt: now, Expires: now.Add(10 * time.Minute)})
}

func byPassword(who func(w *world, u user) string) func(*world, user, string) *answer {
	return func(w *world, u user, scope string) *answer { return w.password(u, who(w, u), scope) }
}

// domainID is the id of the domain that the users of ovhcloud-emea are in.
func (w *world) domainID() string {
	w.t.Helper()
	return w.bearer(w.idToken(w.stranger)).tok("user").(map[string]any)["domain"].(map[string]any)["id"].(string)
}

func doors() []door {
	return []door{
		{"id_token", "openid", throughBearer((*world).idToken), true, false},
		{"access token", "openid", throughBearer((*world).accessToken), true, false},
		{"password, domain by name", "password", byPassword(func(*world, user) string { return "" }), false, false},
		{"password, domain by id", "password", byPassword(func(w *world, u user) string {
			return fmt.Sprintf(`"name":%q,"domain":{"id":%q}`, u.id, w.domainID())
		}), false, false},
		{"password, user by id", "password", byPassword(func(_ *world, u user) string { return fmt.Sprintf(`"id":%q`, u.userID()) }), false, false},
		{"application credential", "application_credential", func(w *world, u user, scope string) *answer {
			return w.credential(u.credential(projectOf(scope)), u.value)
		}, false, true},
	}
}

// projectOf finds the project that a scope names.
func projectOf(scope string) iam.ProjectID {
	_, id, _ := strings.Cut(scope, `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	return iam.ProjectID(id)
}
