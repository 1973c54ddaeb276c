package keystone_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keystone"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/web"
)

// A database that is away for longer than allowed is 503 and never a grant.
func TestADatabaseThatIsAwayGrantsNothing(t *testing.T) {
	w := newWorld(t)
	st := newStore(t, w.clock)
	reg, err := registry.New(t.Context(), registry.Config{Store: st, Ring: w.ring, MaxStaleness: -1, Now: w.clock})
	must(t, err)
	c := w.config
	c.Registry = reg
	s, err := keystone.New(c)
	must(t, err)
	token, body := w.scoped(), rescopeBody(w.login(w.client), projectScope(w.project))
	must(t, st.Close())
	for _, call := range []struct{ method, target, header, value, body string }{
		{"GET", "/v3/auth/tokens", "X-Auth-Token", token, ""},
		{"GET", "/v3/auth/projects", "X-Auth-Token", token, ""},
		{"POST", "/v3/auth/tokens", "", "", body},
		{"POST", "/v3/auth/tokens", "", "", w.client.passwordBody("")},
		{"POST", "/v3/auth/tokens", "", "", credentialBody(w.client.credential(w.project), w.client.value)},
		{"POST", loginURL, "Authorization", "Bearer " + w.idToken(w.client), ""},
		{"DELETE", "/v3/auth/tokens", "X-Auth-Token", token, ""},
	} {
		r := httptest.NewRequest(call.method, "http://h"+call.target, strings.NewReader(call.body))
		if call.header != "" {
			r.Header.Set(call.header, call.value)
			r.Header.Set("X-Subject-Token", call.value)
		}
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		if rec.Code != 503 || rec.Header().Get("Retry-After") == "" || rec.Header().Get("X-Subject-Token") != "" {
			t.Errorf("%s %s: %d %s", call.method, call.target, rec.Code, rec.Body)
		}
	}
}

// Neither log nor body ever holds a token, but for the header that hands it out.
func TestTokensAreInNoLogAndNoBody(t *testing.T) {
	w := newWorld(t)
	s, err := keystone.New(w.config)
	must(t, err)
	var log bytes.Buffer
	w.handler = web.New(web.Config{Logger: slog.New(slog.NewJSONHandler(&log, nil)), Now: w.clock}).Wrap(s)
	jwt := w.idToken(w.client)
	unscoped := w.bearer(jwt)
	scoped := w.rescope(unscoped.token(), projectScope(w.project))
	secrets := []string{w.client.value, jwt, strings.Split(jwt, ".")[2], unscoped.token(), scoped.token()}
	bySecret := []*answer{
		w.password(w.client, "", ""), w.credential(string(w.client.id), w.client.value), w.credential(w.client.credential(w.project), w.client.value),
		w.credential(w.client.value, w.client.value), w.password(user{id: iam.ClientID(w.client.value), value: w.client.value}, "", ""),
		w.auth(`{"methods":["application_credential"],"application_credential":{"id":"`+w.client.value+`","user":"`+w.client.value+`"}}`, ""),
		w.auth(`{"methods":["password"],"password":{"user":["`+w.client.value+`"]}}`, ""),
	}
	answers := append(bySecret, []*answer{
		unscoped, scoped, w.rescope(unscoped.token(), projectScope(w.unused)), w.rescope(scoped.token()+"x", ""), w.bearer(jwt + "x"),
		w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", w.login(w.stranger), "X-Subject-Token", scoped.token()),
		w.do("GET", "/v3/auth/tokens", "", "X-Auth-Token", scoped.token(), "X-Subject-Token", unscoped.token()),
		w.do("DELETE", "/v3/auth/tokens", "", "X-Auth-Token", scoped.token(), "X-Subject-Token", scoped.token()),
		w.get("/v3/auth/projects", scoped.token()),
	}...)
	for _, secret := range secrets {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %.12s…", secret)
		}
		for _, a := range answers {
			if strings.Contains(a.text, secret) {
				t.Errorf("a body holds %.12s…: %s", secret, a.text)
			}
		}
	}
	for _, want := range []string{`"operation":"identity:federated_login"`, `"operation":"identity:authenticate"`, `"decision":"no role on the project"`, string(w.client.identity())} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}
}
