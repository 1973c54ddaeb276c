package oidc_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/oidc"
	"github.com/stackgate/stackgate/internal/urn"
)

func TestTheGuidesLogin(t *testing.T) {
	w := newWorld(t)
	c := w.account(european)
	p := w.project(c, supervisor)
	a := w.basic(pciEU+"/token", string(c.ID), c.secret, "scope=openid+profile&grant_type=client_credentials")
	if a.status != 200 || a.json.TokenType != "Bearer" || a.json.Scope != "openid profile" || a.json.ExpiresIn < 595 || a.json.ExpiresIn > 600 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v", a.header)
	}
	claims := w.claims(a.json.IDToken)
	number := func(name string) int64 { f, _ := claims[name].(float64); return int64(f) }
	if claims["iss"] != w.url+pciEU || claims["sub"] != string(c.Identity()) || claims["azp"] != string(c.ID) {
		t.Errorf("claims %v", claims)
	}
	if got := claims["groups"].([]any); len(got) != 1 || got[0] != string(p)+":infrastructureSupervisor" {
		t.Errorf("groups %v", got)
	}
	if number("exp")-number("iat") != 600 || number("nbf") != number("iat") || time.Since(time.Unix(number("iat"), 0)).Abs() > time.Minute {
		t.Errorf("times %v", claims)
	}
	token, err := w.open(iam.AccessToken, a.json.AccessToken)
	must(t, err)
	if token.ClientID != c.ID || token.SecretID != claims["secret_id"] || token.Project != "" || token.Methods != iam.MethodOpenID ||
		token.Expires.Sub(token.IssuedAt) != 10*time.Minute || base64.RawURLEncoding.EncodeToString(token.AuditID[:]) != claims["jti"] {
		t.Errorf("access token %+v, claims %v", token, claims)
	}
	again := w.basic(pciEU+"/token", string(c.ID), c.secret, grant)
	if again.json.AccessToken == a.json.AccessToken || w.claims(again.json.IDToken)["jti"] == claims["jti"] {
		t.Error("two logins, one token")
	}
	e := w.events[0]
	if e.Caller != string(c.Identity()) || e.Operation != "oidc:token" || e.Decision != "granted" {
		t.Errorf("event %+v", e)
	}
}

// TestO18_TheAudienceNamesClientAndService: a list of both, never a bare string, so that each recipient finds itself.
func TestO18_TheAudienceNamesClientAndService(t *testing.T) {
	w := newWorld(t)
	c := w.account(european)
	claims := w.claims(w.basic(pciEU+"/token", string(c.ID), c.secret, grant).json.IDToken)
	if got, ok := claims["aud"].([]any); !ok || len(got) != 2 || got[0] != string(c.ID) || got[1] != w.url+"/v3" {
		t.Errorf("aud %v", claims["aud"])
	}
}

// TestO18_AnOperatorsKeystoneIsTheAudienceInsteadOfOurs: one of the two, never both, and only for that partition.
func TestO18_AnOperatorsKeystoneIsTheAudienceInsteadOfOurs(t *testing.T) {
	const keystone = "https://keystone.example:5000/v3"
	w := newWorld(t, func(c *oidc.Config) {
		c.Keystones = map[urn.Partition]oidc.Keystone{urn.EU: {Audience: keystone, Provider: "ours"}}
	})
	for _, owner := range []urn.Account{european, canadian} {
		c, want := w.account(owner), w.url+"/v3"
		if owner == european {
			want = keystone
		}
		claims := w.claims(w.basic(pciCA+"/token", string(c.ID), c.secret, grant).json.IDToken)
		if got, ok := claims["aud"].([]any); !ok || len(got) != 2 || got[0] != string(c.ID) || got[1] != want {
			t.Errorf("%s: aud %v", owner.Partition, claims["aud"])
		}
		if got, ok := claims["provider"]; ok != (owner == european) || ok && got != "ours" {
			t.Errorf("%s: provider %v", owner.Partition, got)
		}
	}
}

func TestAClientOfAnotherPartitionIsServedUnderItsOwnIssuer(t *testing.T) {
	w := newWorld(t)
	c := w.account(canadian)
	for _, path := range []string{pciEU, pciCA} {
		a := w.basic(path+"/token", string(c.ID), c.secret, grant)
		if claims := w.claims(a.json.IDToken); claims["iss"] != w.url+pciCA {
			t.Errorf("through %s: %v", path, claims["iss"])
		}
	}
}

func TestCredentialsInEverySpelling(t *testing.T) {
	w := newWorld(t)
	c := w.account(european)
	id, secret := string(c.ID), c.secret
	percent := func(s string) string { // more than anybody has to encode
		var b strings.Builder
		for i := range len(s) {
			b.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[s[i]>>4])+string("0123456789abcdef"[s[i]&15])))
		}
		return b.String()
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}.Encode()
	for _, test := range []struct {
		name, header, body string
	}{
		{"Basic, raw", id + ":" + secret, grant},
		{"Basic, percent-encoded", percent(id) + ":" + percent(secret), grant},
		{"Basic, and the client id again in the body", id + ":" + secret, grant + "&client_id=" + id},
		{"Basic, percent-encoded, and the client id in the body", percent(id) + ":" + secret, grant + "&client_id=" + id},
		{"the body", "", form},
		{"the body, with parameters that nobody knows", "", form + "&resource=x&audience=y"},
		{"the body, with empty pairs", "", "&&" + form + "&"},
	} {
		r := w.request(http.MethodPost, pciEU+"/token", test.body)
		if test.header != "" {
			r.Header.Set("Authorization", "bAsIc "+base64.StdEncoding.EncodeToString([]byte(test.header)))
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
		if a := w.do(r); a.status != 200 {
			t.Errorf("%s: %d %s", test.name, a.status, a.body)
		}
	}
}

func TestScopes(t *testing.T) {
	w := newWorld(t)
	c := w.account(european)
	one, two := string(w.project(c, supervisor)), string(w.project(c, supervisor, computing))
	w.project(c) // without a right
	all := []string{one + ":infrastructureSupervisor", two + ":computeOperator", two + ":infrastructureSupervisor"}
	slices.Sort(all)
	for _, test := range []struct {
		name, scope, granted string
		groups               []string
	}{
		{"none", "", "openid", all},
		{"keystoneauth's default", "openid profile", "openid profile", all},
		{"the newer guide's", "openid profile email publicCloudProject/all", "openid profile email publicCloudProject/all", all},
		{"without openid", "profile", "openid profile", all},
		{"unknown ones", "openid offline_access https://graph.example/.default x:y", "openid", all},
		{"one project", "openid publicCloudProject/" + one, "openid publicCloudProject/" + one, all[:0:0]},
		{"one project and all", "publicCloudProject/" + one + " publicCloudProject/all", "openid publicCloudProject/" + one + " publicCloudProject/all", all},
		{"a project that is not ours", "publicCloudProject/00000000000000000000000000000000", "openid publicCloudProject/00000000000000000000000000000000", nil},
		{"twice", "openid openid profile profile", "openid profile", all},
		{"with more spaces", " openid   profile ", "openid profile", all},
	} {
		want := test.groups
		if test.name == "one project" {
			want = []string{one + ":infrastructureSupervisor"}
		}
		a := w.basic(pciEU+"/token", string(c.ID), c.secret, grant+"&scope="+url.QueryEscape(test.scope))
		if a.status != 200 || a.json.Scope != test.granted {
			t.Errorf("%s: %d %s", test.name, a.status, a.body)
			continue
		}
		var got []string
		for _, g := range w.claims(a.json.IDToken)["groups"].([]any) {
			got = append(got, g.(string))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: groups %v instead of %v", test.name, got, want)
		}
	}
	for _, scope := range []string{"a\x00", "a\nb", `"`, `\`, "é", "\xff"} {
		refused(t, scope, w.basic(pciEU+"/token", string(c.ID), c.secret, grant+"&scope="+url.QueryEscape(scope)), 400, "invalid_scope")
	}
}

func TestGroupsThatDoNotFitAreLeftOut(t *testing.T) {
	w := newWorld(t)
	c := w.account(european)
	var last iam.ProjectID
	for range 90 {
		last = w.project(c, supervisor)
	}
	a := w.basic(pciEU+"/token", string(c.ID), c.secret, grant)
	if got := w.claims(a.json.IDToken)["groups"].([]any); got == nil || len(got) != 0 {
		t.Errorf("%d groups", len(got))
	}
	if !strings.Contains(w.log(), "groups_omitted=\"90 groups") {
		t.Errorf("the event does not say why: %s", w.log())
	}
	a = w.basic(pciEU+"/token", string(c.ID), c.secret, grant+"&scope=publicCloudProject/"+string(last))
	if got := w.claims(a.json.IDToken)["groups"].([]any); len(got) != 1 || len(a.json.IDToken) > 6<<10 {
		t.Errorf("with one project: %v", got)
	}
}

func TestManagementTokens(t *testing.T) {
	w := newWorld(t)
	c := w.account(european)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {string(c.ID)}, "client_secret": {c.secret}, "scope": {"all"}}
	const path = "/auth/oauth2/token"
	for _, a := range []answer{w.post(path, form.Encode()), w.basic(path, string(c.ID), c.secret, grant+"&scope=all")} {
		token, err := w.open(iam.ManagementToken, a.json.AccessToken)
		must(t, err)
		if a.status != 200 || a.json.ExpiresIn != 3599 || a.json.Scope != "all" || a.json.TokenType != "Bearer" || a.json.IDToken != "" ||
			token.ClientID != c.ID || token.Expires.Sub(token.IssuedAt) != time.Hour {
			t.Errorf("%s, %+v", a.body, token)
		}
	}
	for _, scope := range []string{"", "openid", "ALL", "all/x"} {
		form.Set("scope", scope)
		a := w.post(path, form.Encode())
		refused(t, "scope "+scope, a, 400, "invalid_scope")
		if !strings.Contains(a.json.Errors[0].Title, "scope=all is required") {
			t.Errorf("%s", a.body)
		}
	}
	refused(t, "wrong secret", w.basic(path, string(c.ID), "sgs_x", grant+"&scope=all"), 401, "invalid_client")
}

func TestEachTokenIsOfItsPurposeOnly(t *testing.T) {
	w := newWorld(t)
	c := w.account(european)
	access := w.basic(pciEU+"/token", string(c.ID), c.secret, grant).json.AccessToken
	management := w.basic("/auth/oauth2/token", string(c.ID), c.secret, grant+"&scope=all").json.AccessToken
	for _, test := range []struct {
		token string
		as    iam.Purpose
	}{{access, iam.ManagementToken}, {access, iam.IdentityToken}, {management, iam.AccessToken}, {management, iam.IdentityToken}} {
		if _, err := w.open(test.as, test.token); err == nil {
			t.Errorf("a token is accepted as %s", test.as)
		}
	}
}
