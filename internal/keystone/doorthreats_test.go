package keystone_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keystone"
)

// K3, K4, K7: no token makes a credential or a delegation, whichever door it came through.
func TestK7_NoTokenMakesACredential(t *testing.T) {
	w := newWorld(t)
	me := w.client.userID()
	minting := []string{
		"/v3/users/" + me + "/application_credentials", "/v3/users/" + me + "/credentials/OS-EC2", "/v3/credentials", "/v3/ec2tokens", "/v3/s3tokens",
		"/v3/OS-TRUST/trusts", "/v3/OS-OAUTH1/consumers", "/v3/OS-OAUTH1/request_token", "/v3/OS-OAUTH2/token", "/v3/users/" + me + "/password", "/v3/users",
	}
	body := `{"application_credential":{"name":"x","unrestricted":true},"credential":{"type":"ec2","project_id":"` + string(w.unused) + `"},"trust":{}}`
	for _, d := range doors() {
		token := d.open(w, w.client, projectScope(w.project)).token()
		for _, target := range minting {
			if a := w.do("POST", target, body, "X-Auth-Token", token); a.status != 403 && a.status != 404 {
				t.Errorf("%s, %s: %d %s", d.name, target, a.status, a.text)
			}
		}
		a := w.do("POST", minting[0], body, "X-Auth-Token", token)
		a.want(t, 403, "stackgate service-account secret add "+string(w.client.id))
		w.do("POST", minting[1], body, "X-Auth-Token", token).want(t, 403, "identity:ec2_create_credential. There are no EC2 credentials here")
		w.do("GET", minting[1], "", "X-Auth-Token", token).want(t, 200, `"credentials":[]`)
		w.do("DELETE", minting[0]+"/"+w.client.credential(w.project), "", "X-Auth-Token", token).want(t, 403, "To end it, delete the policy, or the secret")
	}
}

// K5: an application credential says whose it is. A request that says anything else about an identity is refused, also when it agrees.
func TestK5_NothingBesideAnApplicationCredential(t *testing.T) {
	w := newWorld(t)
	good := fmt.Sprintf(`"id":%q,"secret":%q`, w.client.credential(w.project), w.client.value)
	user := fmt.Sprintf(`"user":{"id":%q}`, w.stranger.userID())
	for name, identity := range map[string]string{
		"a user in it":             `{"methods":["application_credential"],"application_credential":{` + good + `,` + user + `}}`,
		"its own user in it":       `{"methods":["application_credential"],"application_credential":{` + good + `,"user":{"id":"` + w.client.userID() + `"}}}`,
		"a null user in it":        `{"methods":["application_credential"],"application_credential":{` + good + `,"user":null}}`,
		"an empty list of users":   `{"methods":["application_credential"],"application_credential":{` + good + `,"user":[]}}`,
		"a name in it":             `{"methods":["application_credential"],"application_credential":{` + good + `,"name":"proj"}}`,
		"a project in it":          `{"methods":["application_credential"],"application_credential":{` + good + `,"project_id":"` + string(w.unused) + `"}}`,
		"name and user, no id":     `{"methods":["application_credential"],"application_credential":{"name":"proj","secret":"` + w.client.value + `",` + user + `}}`,
		"a user beside it":         `{"methods":["application_credential"],"application_credential":{` + good + `},` + user + `}`,
		"a password beside it":     `{"methods":["application_credential"],"application_credential":{` + good + `},"password":{` + user + `}}`,
		"a token beside it":        `{"methods":["application_credential"],"application_credential":{` + good + `},"token":{"id":"` + w.login(w.stranger) + `"}}`,
		"an unknown member beside": `{"methods":["application_credential"],"application_credential":{` + good + `},"totp":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			a := w.auth(identity, "")
			a.want(t, 400, "Error authenticating with application credential: ")
			if a.token() != "" {
				t.Error("it gives a token")
			}
		})
	}
	for name, c := range map[string]struct{ identity, message string }{
		"no credential": {`{"methods":["application_credential"]}`, "Expecting to find application_credential in identity."},
		"no id":         {`{"methods":["application_credential"],"application_credential":{"secret":"x"}}`, "Expecting to find id in application_credential."},
		"no secret":     {`{"methods":["application_credential"],"application_credential":{"id":"x"}}`, "Expecting to find secret in application_credential."},
		"a number":      {`{"methods":["application_credential"],"application_credential":{"id":1}}`, "must be a string"},
	} {
		t.Run(name, func(t *testing.T) { w.auth(c.identity, "").want(t, 400, c.message) })
	}
	w.auth(`{"methods":["application_credential"],"application_credential":{`+good+`}}`, "").want(t, 201, "")
	w.auth(`{"methods":["application_credential"],"application_credential":{`+good+`,"user":{ }}}`, "").want(t, 201, "") // rclone's and restic's
}

// K9: an application credential takes no scope at all, not even its own, and its tokens lead nowhere else.
func TestK9_AnApplicationCredentialStaysOnItsProject(t *testing.T) {
	w := newWorld(t)
	w.grant(w.client, supervisor, w.unused)
	good := fmt.Sprintf(`{"methods":["application_credential"],"application_credential":{"id":%q,"secret":%q}}`, w.client.credential(w.project), w.client.value)
	token := w.auth(good, "").token()
	for _, scope := range []string{
		`"unscoped"`, `{"unscoped":{}}`, projectScope(w.project), projectScope(w.unused), `{"project":{"name":"proj","domain":{"id":"default"}}}`,
		`{"domain":{"id":"default"}}`, `{"system":{"all":true}}`, `{"OS-TRUST:trust":{"id":"0f"}}`,
	} {
		w.auth(good, scope).want(t, 401, "Application credentials cannot request a scope.")
		w.rescope(token, scope).want(t, 403, "You are not authorized to perform the requested action.")
	}
	w.rescope(token, "").want(t, 403, "You are not authorized to perform the requested action. A token of an application credential is not exchanged for another")
}

// K10: what a token of an application credential sees is its project, though its service account has others.
func TestK10_AnApplicationCredentialSeesItsProjectOnly(t *testing.T) {
	w := newWorld(t)
	w.grant(w.client, supervisor, w.unused)
	me, whole := w.client.userID(), w.login(w.client)
	token := w.credential(w.client.credential(w.project), w.client.value).token()
	for target, list := range map[string]string{
		"/v3/auth/projects": "projects", "/v3/OS-FEDERATION/projects": "projects", "/v3/users/" + me + "/projects": "projects",
		"/v3/users/" + me + "/application_credentials": "application_credentials",
	} {
		all, own := w.get(target, whole), w.get(target, token)
		if len(all.body[list].([]any)) != 2 || len(own.body[list].([]any)) != 1 || !strings.Contains(own.text, string(w.project)) {
			t.Errorf("%s: %s\n%s", target, all.text, own.text)
		}
	}
	w.get("/v3/projects/"+string(w.project), token).want(t, 200, "")
	w.get("/v3/projects/"+string(w.unused), token).want(t, 403, "identity:get_project")
	w.get("/v3/users/"+me+"/application_credentials/"+w.client.credential(w.project), token).want(t, 200, "")
	w.get("/v3/users/"+me+"/application_credentials/"+w.client.credential(w.unused), token).want(t, 404, "Could not find Application Credential")
	w.get("/v3/users/"+me+"/application_credentials/"+w.client.credential(w.unused), whole).want(t, 200, "")
}

// K14, K16, O15: whatever is wrong with a login by secret, the answer is the same to the byte, and names nobody.
func TestK16_WrongLoginsAreAlike(t *testing.T) {
	w := newWorld(t)
	disabled, other := w.newUser(ownAccount), w.newUser(ownAccount)
	must(t, w.registry.SetServiceAccountDisabled(t.Context(), operator(ownAccount), disabled.id, true))
	unknown, wrong, wide := w.client, w.client, w.client
	unknown.id, wrong.value, wide.value = "EU.ffffffffffffffff", iam.NewSecretValue(), strings.Repeat("x", 60<<10)
	byName := func(name, domain string) string { return fmt.Sprintf(`"name":%q,"domain":%s`, name, domain) }
	logins := map[string]*answer{
		"unknown":                       w.password(unknown, "", ""),
		"wrong":                         w.password(wrong, "", ""),
		"disabled":                      w.password(disabled, "", ""),
		"huge":                          w.password(wide, "", ""),
		"another's secret":              w.password(user{id: w.client.id, value: other.value}, "", ""),
		"no such domain":                w.password(w.client, byName(string(w.client.id), `{"name":"Default"}`), ""),
		"another partition's domain":    w.password(w.client, byName(string(w.client.id), `{"name":"ovhcloud-world"}`), ""),
		"domain id and name disagree":   w.password(w.client, byName(string(w.client.id), `{"name":"ovhcloud-world","id":"`+w.domainID()+`"}`), ""),
		"a domain of one space":         w.password(w.client, byName(string(w.client.id), `{"name":" "}`), ""),
		"the name in another case":      w.password(w.client, byName(strings.ToLower(string(w.client.id)), `{"name":"ovhcloud-emea"}`), ""),
		"a name with a NUL":             w.password(w.client, `"name":"`+string(w.client.id)+`\u0000","domain":{"name":"ovhcloud-emea"}`, ""),
		"user id and name disagree":     w.password(w.client, byName(string(other.id), `{"name":"ovhcloud-emea"},"id":"`+w.client.userID()+`"`), ""),
		"a user id in capitals":         w.password(w.client, `"id":"`+strings.ToUpper(w.client.userID())+`"`, ""),
		"a user id cut short":           w.password(w.client, `"id":"`+w.client.userID()[:62]+`"`, ""),
		"a client id as user id":        w.password(w.client, `"id":"`+string(w.client.id)+`"`, ""),
		"no role on the project":        w.password(w.client, "", projectScope(w.unused)),
		"credential: unknown":           w.credential(unknown.credential(w.project), w.client.value),
		"credential: wrong":             w.credential(w.client.credential(w.project), wrong.value),
		"credential: disabled":          w.credential(disabled.credential(w.project), disabled.value),
		"credential: huge":              w.credential(w.client.credential(w.project), wide.value),
		"credential: no role":           w.credential(w.client.credential(w.unused), w.client.value),
		"credential: foreign project":   w.credential(w.client.credential(w.foreign), w.client.value),
		"credential: no project stored": w.credential(string(w.client.id), w.client.value),
		"credential: half a project":    w.credential(w.client.credential(w.project[:31]), w.client.value),
		"credential: project empty":     w.credential(w.client.credential(""), w.client.value),
		"credential: two projects":      w.credential(w.client.credential(w.project)+"@"+string(w.project), w.client.value),
		"credential: no client":         w.credential("@"+string(w.project), w.client.value),
		"credential: the secret's id":   w.credential(w.client.secret, w.client.value),
	}
	want := logins["unknown"]
	want.want(t, 401, generic401)
	for name, a := range logins {
		for _, h := range []*answer{a, want} {
			h.header.Del("X-Openstack-Request-Id")
		}
		if a.status != want.status || a.text != want.text || fmt.Sprint(a.header) != fmt.Sprint(want.header) {
			t.Errorf("%s: %d %s %v", name, a.status, a.text, a.header)
		}
	}
}

// K8: no sequence of logins through any door and of exchanges makes a token that outlives the one it was made from.
func TestK8_ExpiryNeverGrowsThroughAnyDoor(t *testing.T) {
	w := newWorld(t)
	scopes := []string{"", `"unscoped"`, projectScope(w.project), `{"project":{"name":"proj","domain":{"id":"default"}}}`}
	type made struct {
		token     string
		expires   time.Time
		delegated bool
	}
	rapid.Check(t, func(rt *rapid.T) {
		var tokens []made
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			w.advance(time.Duration(rapid.IntRange(0, 1200).Draw(rt, "seconds")) * time.Second)
			if len(tokens) == 0 || rapid.Bool().Draw(rt, "login") {
				d := rapid.SampledFrom(doors()).Draw(rt, "door")
				a := d.open(w, w.client, projectScope(w.project))
				if a.status != 201 || expiry(t, a).After(w.clock().Add(time.Hour)) {
					rt.Fatalf("%s: %d %s", d.name, a.status, a.text)
				}
				tokens = append(tokens, made{a.token(), expiry(t, a), d.fixed})
				continue
			}
			from := rapid.SampledFrom(tokens).Draw(rt, "token")
			a := w.rescope(from.token, rapid.SampledFrom(scopes).Draw(rt, "scope"))
			want := 201
			if from.delegated {
				want = 403
			}
			if !w.clock().Before(from.expires) {
				want = 404
			}
			if a.status != want || want == 201 && expiry(t, a).After(from.expires) {
				rt.Fatalf("%d %s, want %d and nothing after %v", a.status, a.text, want, from.expires)
			}
			if want == 201 {
				tokens = append(tokens, made{a.token(), expiry(t, a), false})
			}
		}
	})
}

// K17: nobody logs in through a provider that is disabled.
func TestK17_ADisabledProviderShutsEveryDoor(t *testing.T) {
	w := newWorld(t)
	domain := w.domainID()
	w.config.Providers[0].Disabled = true
	s, err := keystone.New(w.config)
	must(t, err)
	w.handler = s
	for _, a := range []*answer{
		w.password(w.client, "", projectScope(w.project)), w.password(w.client, `"id":"`+w.client.userID()+`"`, ""),
		w.password(w.client, fmt.Sprintf(`"name":%q,"domain":{"id":%q}`, w.client.id, domain), ""), w.credential(w.client.credential(w.project), w.client.value),
	} {
		a.want(t, http.StatusUnauthorized, generic401)
	}
	w.password(w.canadian, fmt.Sprintf(`"name":%q,"domain":{"name":"ovhcloud-world"}`, w.canadian.id), "").want(t, 201, "")
}

// K11: roles follow from the policies, whatever an application credential's request asks for.
func TestK11_RolesCannotBeAskedFor(t *testing.T) {
	w := newWorld(t)
	body := strings.Replace(w.client.passwordBody(projectScope(w.project)), `"scope"`, `"roles":[{"name":"compute_all"}],"scope"`, 1)
	a := w.do("POST", "/v3/auth/tokens", body)
	a.want(t, 201, "")
	if got := a.roles(); !slices.Equal(got, roleNames([]iam.Action{supervisor})) {
		t.Errorf("roles %v", got)
	}
}
