package keystone_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
)

// The two requests with which Terraform, and whatever else is built on gophercloud, logs in, to the byte but for who and what. TestRealTerraform…
// run the provider; what they cannot see is here: that the answers have what a real Keystone's have, and a provider with a token alone.
func TestTerraformsRequests(t *testing.T) {
	w := newWorld(t)
	headers := []string{
		"User-Agent", "HashiCorp Terraform/1.11.4 (+https://www.terraform.io) Terraform Plugin SDK/v2.40.1 Terraform Provider OpenStack/dev gophercloud/v2.13.0",
		"Accept", "application/json", "Content-Type", "application/json",
	}
	id, secret, project := string(w.client.id), w.client.value, string(w.project)
	credential := `{"auth":{"identity":{"application_credential":{"id":"` + w.client.credential(w.project) + `","secret":"` + secret + `"},"methods":["application_credential"]}}}`
	password := `{"auth":{"identity":{"methods":["password"],"password":{"user":{"domain":{"name":"ovhcloud-emea"},"name":"` + id + `","password":"` + secret +
		`"}}},"scope":{"project":{"id":"` + project + `"}}}}`
	for body, sample := range map[string]string{credential: "credential.json", password: "password.json"} {
		a := w.do("POST", "/v3/auth/tokens", body, headers...)
		a.want(t, 201, "")
		compareShape(t, sample, a.body)
		again := w.do("POST", "/v3/auth/tokens", body, headers...) // as it does on a 401
		if again.status != 201 || again.token() == a.token() {
			t.Errorf("logging in again: %d", again.status)
		}
	}
	first := w.do("POST", "/v3/auth/tokens", password, headers...).token()
	byToken := `{"auth":{"identity":{"methods":["token"],"token":{"id":"` + first + `"}},"scope":{"project":{"id":"` + project + `"}}}}`
	w.do("POST", "/v3/auth/tokens", byToken, headers...).want(t, 201, "")
	w.do("GET", "/v3/auth/tokens", "", append(headers, "X-Auth-Token", first, "X-Subject-Token", first)...).want(t, 200, "")
}

func TestPasswordsThatAreMalformed(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ name, password, message string }{
		{"nothing", `null`, "Expecting to find user in password."},
		{"a list", `[]`, "must be an object"},
		{"no user", `{}`, "Expecting to find user in password."},
		{"nobody", `{"user":{"password":"x"}}`, "Expecting to find id or name in user."},
		{"an empty name", `{"user":{"name":"","domain":{"name":"ovhcloud-emea"},"password":"x"}}`, "Expecting to find id or name in user."},
		{"no domain", `{"user":{"name":"x","password":"x"}}`, "Expecting to find domain in user."},
		{"a domain of nothing", `{"user":{"name":"x","domain":{"name":null},"password":"x"}}`, "Expecting to find domain in user."},
		{"no password", `{"user":{"name":"x","domain":{"name":"ovhcloud-emea"}}}`, "Expecting to find password in user."},
		{"a password that is a number", `{"user":{"name":"x","domain":{"name":"ovhcloud-emea"},"password":1}}`, "must be a string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.auth(`{"methods":["password"],"password":`+c.password+`}`, "").want(t, 400, c.message)
		})
	}
	w.auth(`{"methods":["password"]}`, "").want(t, 400, "Expecting to find password in identity.")
}

// A default project is where a bare client id logs in, and a password without a scope: as in Keystone, only if there is a role on it.
func TestDefaultProject(t *testing.T) {
	w := newWorld(t)
	store := func(p iam.ProjectID) {
		_, err := w.registry.UpdateServiceAccount(t.Context(), operator(ownAccount), w.client.id, func(s *iam.ServiceAccount) error {
			s.DefaultProject = p
			return nil
		})
		must(t, err)
	}
	project := func(a *answer) any {
		a.want(t, 201, "")
		if a.tok("project") == nil {
			return nil
		}
		return iam.ProjectID(a.tok("project").(map[string]any)["id"].(string))
	}
	store(w.project)
	unscoped := w.password(w.client, "", `"unscoped"`)
	for name, c := range map[string]struct {
		got  *answer
		want any
	}{
		"the bare client id":           {w.credential(string(w.client.id), w.client.value), w.project},
		"a password without scope":     {w.password(w.client, "", ""), w.project},
		"a password, explicitly none":  {unscoped, nil},
		"its token, exchanged for any": {w.rescope(unscoped.token(), ""), w.project},
		"its token, explicitly none":   {w.rescope(unscoped.token(), `"unscoped"`), nil},
		"a federated login":            {w.bearer(w.idToken(w.client)), nil},
		"a federated token, for any":   {w.rescope(w.login(w.client), ""), nil},
		"a credential of the project":  {w.credential(w.client.credential(w.project), w.client.value), w.project},
	} {
		if got := project(c.got); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if id := w.credential(string(w.client.id), w.client.value).tok("application_credential").(map[string]any)["id"]; id != w.client.credential(w.project) {
		t.Errorf("the bare client id's credential is %v", id)
	}
	store(w.unused)
	w.credential(string(w.client.id), w.client.value).want(t, 401, generic401)
	if got := project(w.password(w.client, "", "")); got != nil {
		t.Errorf("a default project without a role: %v", got)
	}
}

func TestApplicationCredentialsAreThoseOfThePolicies(t *testing.T) {
	w := newWorld(t)
	me, token := w.client.userID(), w.login(w.client)
	base := "/v3/users/" + me + "/application_credentials"
	ids := func(query string) (out []string) {
		a := w.get(base+query, token)
		a.want(t, 200, "")
		for _, c := range a.body["application_credentials"].([]any) {
			out = append(out, c.(map[string]any)["id"].(string))
		}
		return out
	}
	w.grant(w.client, objectstore, w.unused)
	want := []string{w.client.credential(w.project), w.client.credential(w.unused)}
	slices.Sort(want)
	if got := ids(""); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := ids("?name=unused"); len(got) != 1 || got[0] != w.client.credential(w.unused) {
		t.Errorf("by name: %v", got)
	}
	for _, id := range want {
		a := w.get(base+"/"+id, token)
		a.want(t, 200, "")
		compareShape(t, "application_credential.json", withoutRoles(a.body))
		w.credential(id, w.client.value).want(t, 201, "")
	}
	must(t, w.registry.DeletePolicy(t.Context(), operator(ownAccount), w.policy))
	w.get(base+"/"+w.client.credential(w.project), token).want(t, 404, "Could not find Application Credential: "+w.client.credential(w.project))
	w.get(base, w.login(w.stranger)).want(t, 403, "identity:list_application_credentials")
	w.get(base+"/"+want[0], w.login(w.stranger)).want(t, 403, "identity:get_application_credential")
	w.do("POST", base, "{}", "X-Auth-Token", w.login(w.stranger)).want(t, 403, "identity:create_application_credential.")
	w.get(base, "bogus").want(t, 401, generic401)

	rules := w.get("/v3/users/"+me+"/access_rules", token)
	rules.want(t, 200, "")
	if !strings.HasPrefix(rules.text, `{"access_rules":[]`) {
		t.Error(rules.text)
	}
	w.get("/v3/users/"+me+"/access_rules/0f", token).want(t, 404, "Could not find Access Rule: 0f.")
	w.do("DELETE", "/v3/users/"+me+"/access_rules/0f", "", "X-Auth-Token", token).want(t, 404, "Could not find Access Rule: 0f.")
}

// withoutRoles takes out what differs between one credential and the other.
func withoutRoles(body map[string]any) map[string]any {
	c := body["application_credential"].(map[string]any)
	if len(c["roles"].([]any)) == 0 {
		delete(c, "links") // so that the comparison fails
	}
	delete(c, "roles")
	return body
}

// A login by secret is noted as a use of that secret, with address and client, whichever door it came through.
func TestLastUseIsNotedAtEveryDoor(t *testing.T) {
	for name, login := range map[string]func(w *world, u user) *answer{
		"password":               func(w *world, u user) *answer { return w.password(u, "", "") },
		"application credential": func(w *world, u user) *answer { return w.credential(u.credential(w.project), u.value) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.advance(time.Hour)
			w.from = "198.51.100.7"
			login(w, w.client).want(t, 201, "")
			wrong := w.client
			wrong.value = w.stranger.value
			login(w, wrong).want(t, 401, "")
			must(t, w.registry.Flush(t.Context()))
			list, err := w.registry.Secrets(t.Context(), operator(ownAccount), w.client.id)
			must(t, err)
			if !list[0].LastUsedAt.Equal(w.clock()) || list[0].LastUsedFrom.String() != w.from {
				t.Errorf("%+v", list[0])
			}
			others, err := w.registry.Secrets(t.Context(), operator(otherAccount), w.stranger.id)
			must(t, err)
			if others[0].LastUsedAt.Equal(w.clock()) {
				t.Error("a secret that was refused counts as used")
			}
		})
	}
}
