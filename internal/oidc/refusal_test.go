package oidc_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

var bothEndpoints = []string{pciEU + "/token", "/auth/oauth2/token"}

// without is an answer's text without what differs in every request.
func without(a answer) string {
	h := a.header.Clone()
	h.Del("Date")
	h.Del("X-Openstack-Request-Id")
	var b bytes.Buffer
	_ = h.Write(&b)
	return b.String() + a.body
}

// TestO15_WhoeverHasNoSecretLearnsNothing: unknown, wrong, revoked, expired and disabled are one answer, before anything else in the
// request is judged.
func TestO15_WhoeverHasNoSecretLearnsNothing(t *testing.T) {
	w := newWorld(t)
	good, disabled, deleted, replaced := w.account(european), w.account(european), w.account(european), w.account(european)
	caller, ctx := operator(european), t.Context()
	must(t, w.registry.SetServiceAccountDisabled(ctx, caller, disabled.ID, true))
	must(t, w.registry.DeleteServiceAccount(ctx, caller, deleted.ID))
	_, _, err := w.registry.RotateSecrets(ctx, caller, replaced.ID, "new", 0)
	must(t, err)
	closed := w.account(canadian)
	must(t, w.registry.SetAccountDisabled(ctx, operator(canadian), canadian, true))

	cases := map[string][2]string{
		"an unknown client":            {"EU.0123456789abcdef", good.secret},
		"a wrong secret":               {string(good.ID), good.secret[:len(good.secret)-1] + "0"},
		"another client's secret":      {string(good.ID), disabled.secret},
		"no secret":                    {string(good.ID), ""},
		"a part of the secret":         {string(good.ID), good.secret[:20]},
		"the secret and more":          {string(good.ID), good.secret + "A"},
		"the secret in capitals":       {string(good.ID), strings.ToUpper(good.secret)},
		"the client id in lower case":  {strings.ToLower(string(good.ID)), good.secret},
		"a disabled service account":   {string(disabled.ID), disabled.secret},
		"a deleted service account":    {string(deleted.ID), deleted.secret},
		"a secret that was replaced":   {string(replaced.ID), replaced.secret},
		"a disabled account":           {string(closed.ID), closed.secret},
		"no client id":                 {"", good.secret},
		"a client id that is SQL":      {"' OR 1=1 --", good.secret},
		"a client id with NUL":         {"EU.\x00", good.secret},
		"a client id in Latin-1":       {"\xe9", "\xe9"},
		"a secret with a line end":     {string(good.ID), good.secret + "\r\n"},
		"a client id that is too long": {strings.Repeat("x", 600), good.secret},
	}
	for _, path := range bothEndpoints {
		want := without(w.basic(path, "EU.ffffffffffffffff", "sgs_wrong", grant))
		for name, c := range cases {
			for _, body := range []string{grant + "&scope=all", "", "grant_type=password", grant + "&scope=%00"} {
				a := w.basic(path, c[0], c[1], body)
				refused(t, name, a, 401, "invalid_client")
				if got := without(a); got != want {
					t.Errorf("%s with %q can be told apart:\n%s\n%s", name, body, got, want)
				}
			}
			form := url.Values{"client_id": {c[0]}, "client_secret": {c[1]}, "grant_type": {"authorization_code"}}
			if got := without(w.post(path, form.Encode())); got != want {
				t.Errorf("%s in the body can be told apart: %s", name, got)
			}
		}
		if got := without(w.post(path, grant)); got != want {
			t.Errorf("no credentials at all can be told apart: %s", got)
		}
		refused(t, "no grant type, with the secret", w.basic(path, string(good.ID), good.secret, "scope=all"), 400, "invalid_request")
		for _, g := range []string{"password", "authorization_code", "refresh_token", "CLIENT_CREDENTIALS", "urn:ietf:params:oauth:grant-type:token-exchange"} {
			a := w.basic(path, string(good.ID), good.secret, "scope=all&grant_type="+url.QueryEscape(g))
			refused(t, g, a, 400, "unsupported_grant_type")
		}
	}
}

// TestO15_RevocationIsSeenAtTheNextLogin goes through everything that ends a credential.
func TestO15_RevocationIsSeenAtTheNextLogin(t *testing.T) {
	w := newWorld(t)
	c := w.account(european)
	caller, ctx := operator(european), t.Context()
	login := func(secret string) int { return w.basic(pciEU+"/token", string(c.ID), secret, grant).status }
	if login(c.secret) != 200 {
		t.Fatal("the first login failed")
	}
	added, second, err := w.registry.AddSecret(ctx, caller, c.ID, "second", time.Time{})
	must(t, err)
	if login(second) != 200 || login(c.secret) != 200 {
		t.Fatal("two secrets do not both work")
	}
	must(t, w.registry.DeleteSecret(ctx, caller, c.ID, added.ID))
	if login(second) != 401 || login(c.secret) != 200 {
		t.Fatal("a revoked secret still works, or took the other with it")
	}
	must(t, w.registry.SetServiceAccountDisabled(ctx, caller, c.ID, true))
	if login(c.secret) != 401 {
		t.Fatal("a disabled service account can log in")
	}
	must(t, w.registry.SetServiceAccountDisabled(ctx, caller, c.ID, false))
	if login(c.secret) != 200 {
		t.Fatal("an enabled one cannot")
	}
}

func TestO16_MalformedRequestsAreRefused(t *testing.T) {
	w := newWorld(t)
	c := w.account(european)
	id, secret := string(c.ID), c.secret
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	good := "Basic " + b64(id+":"+secret)
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write([]byte(grant))
	must(t, zip.Close())
	const form = "application/x-www-form-urlencoded"
	for _, test := range []struct {
		name, authorization, contentType, query, body string
		status                                        int
		code                                          string
	}{
		{"a parameter twice", good, form, "", grant + "&grant_type=password", 400, "invalid_request"},
		{"an unknown parameter twice", good, form, "", grant + "&x=1&x=1", 400, "invalid_request"},
		{"a parameter twice, spelt differently", good, form, "", grant + "&%67rant_type=password", 400, "invalid_request"},
		{"a broken percent sign", good, form, "", grant + "&x=%zz", 400, "invalid_request"},
		{"a semicolon as separator", good, form, "", grant + ";scope=all", 400, "invalid_request"},
		{"Basic and the body", good, form, "", grant + "&client_id=" + id + "&client_secret=" + secret, 400, "invalid_request"},
		{"Basic and only a secret in the body", good, form, "", grant + "&client_secret=" + secret, 400, "invalid_request"},
		{"Basic of one client, the body of another", good, form, "", grant + "&client_id=EU.0123456789abcdef", 400, "invalid_request"},
		{"Basic without a colon", "Basic " + b64(id), form, "", grant, 400, "invalid_request"},
		{"Basic that is not base64", "Basic !!!", form, "", grant, 400, "invalid_request"},
		{"Basic with nothing", "Basic", form, "", grant, 400, "invalid_request"},
		{"Basic of only a colon", "Basic " + b64(":"), form, "", grant, 401, "invalid_client"},
		{"Basic of more colons", "Basic " + b64(id+":"+secret+":x"), form, "", grant, 401, "invalid_client"},
		{"Basic with a long header", "Basic " + strings.Repeat("QUFB", 1000), form, "", grant, 401, "invalid_client"},
		{"Bearer", "Bearer " + secret, form, "", grant, 401, "invalid_client"},
		{"JSON", good, "application/json", "", `{"grant_type":"client_credentials"}`, 415, "invalid_request"},
		{"no content type", good, "", "", grant, 415, "invalid_request"},
		{"a content type that is none", good, "x-www;;", "", grant, 415, "invalid_request"},
		{"multipart", good, "multipart/form-data; boundary=x", "", grant, 415, "invalid_request"},
		{"credentials in the URL", "", form, "?client_id=" + id + "&client_secret=" + secret, grant, 400, "invalid_request"},
		{"anything in the URL", good, form, "?x", grant, 400, "invalid_request"},
		{"a body of 17 KiB", good, form, "", grant + "&x=" + strings.Repeat("a", 17<<10), 413, "invalid_request"},
	} {
		for _, path := range bothEndpoints {
			r := w.request(http.MethodPost, path+test.query, test.body)
			r.Header.Set("Content-Type", test.contentType)
			if test.authorization != "" {
				r.Header.Set("Authorization", test.authorization)
			}
			refused(t, test.name, w.do(r), test.status, test.code)
		}
	}
	r := w.request(http.MethodPost, pciEU+"/token", grant)
	r.Header["Authorization"] = []string{good, good}
	refused(t, "two Authorization headers", w.do(r), 400, "invalid_request")
	r = w.request(http.MethodPost, pciEU+"/token", packed.String())
	r.Header.Set("Authorization", good)
	r.Header.Set("Content-Encoding", "gzip")
	refused(t, "a compressed body", w.do(r), 415, "invalid_request")
}

// TestO16_SecretsStayOutOfLogsAndAnswers sends secrets to every place where one could end up, and reads what was logged and answered.
func TestO16_SecretsStayOutOfLogsAndAnswers(t *testing.T) {
	w := newWorld(t)
	c := w.account(european)
	id, secret := string(c.ID), c.secret
	w.project(c, supervisor)
	answers := []answer{
		w.basic(pciEU+"/token", id, secret, grant), w.basic("/auth/oauth2/token", id, secret, grant+"&scope=all"),
		w.basic(pciEU+"/token", secret, secret, grant), w.basic(pciEU+"/token", id, secret, "grant_type="+secret),
		w.basic(pciEU+"/token", id, secret, grant+"&client_secret="+secret), w.basic("/auth/oauth2/token", id, secret, grant+"&scope="+secret),
		w.do(w.request(http.MethodPost, pciEU+"/token?client_secret="+secret, grant)),
		w.basic(pciEU+"/token", id+"\r\nX: y", secret, grant), w.post(pciEU+"/token", grant+"&client_id="+id+"&client_secret="+secret+"x"),
	}
	log := w.log()
	for i, a := range answers {
		if strings.Contains(without(a), secret) {
			t.Errorf("answer %d holds the secret: %s", i, a.body)
		}
		for _, token := range []string{a.json.AccessToken, a.json.IDToken} {
			if token != "" && strings.Contains(log, token) {
				t.Errorf("the log holds a token of answer %d", i)
			}
		}
	}
	if w.basic(pciEU+"/token", id, "sgs_wrong", grant); !strings.Contains(w.log(), "client="+id) {
		t.Errorf("an operator cannot see which client fails: %s", w.log())
	}
	if strings.Contains(log, secret) || strings.Contains(log, "client_secret") || !strings.Contains(log, "decision=granted") {
		t.Errorf("log: %s", log)
	}
}
