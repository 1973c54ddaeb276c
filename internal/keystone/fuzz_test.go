package keystone_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// No token that we did not make is one, and none breaks anything.
func FuzzTokenHeader(f *testing.F) {
	w := newWorld(f)
	token := w.scoped()
	for _, s := range []string{token, token[:20], "gAAAAABrBMV0", "", "a.b.c", w.idToken(w.client), "\x00", "Bearer x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := httptest.NewRequest("GET", "http://h/v3/auth/projects", nil)
		r.Header["X-Auth-Token"] = []string{s}
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if (rec.Code == 200) != (s == token) || rec.Code != 200 && rec.Code != 401 {
			t.Fatalf("%q: %d", s, rec.Code)
		}
	})
}

// Whatever an authentication request says, the answer is a token for the project that there is a role on, or a 4xx with a message.
func FuzzAuthRequest(f *testing.F) {
	w := newWorld(f)
	token := w.login(w.client)
	for _, scope := range []string{"", `"unscoped"`, projectScope(w.project), `{"project":{"name":"proj","domain":{"id":"default"}}}`, `{"system":{"all":true}}`, "null", "1"} {
		f.Add(rescopeBody(token, scope))
	}
	f.Add(`{"auth":{"identity":{"methods":["password"]}}}`)
	f.Add(w.client.passwordBody(projectScope(w.project)))
	f.Add(credentialBody(w.client.credential(w.project), w.client.value))
	f.Add("{")
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("POST", "http://h/v3/auth/tokens", strings.NewReader(body))
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		switch made := rec.Header().Get("X-Subject-Token"); {
		case rec.Code == http.StatusCreated:
			if made == "" || strings.Contains(rec.Body.String(), `"project":`) && !strings.Contains(rec.Body.String(), `"id":"`+string(w.project)+`"`) {
				t.Fatalf("%s", rec.Body)
			}
		case rec.Code < 400 || rec.Code >= 500 || made != "" || !strings.Contains(rec.Body.String(), `"message":"`):
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	})
}

// Every path is answered by us, never redirected, never an error of ours.
func FuzzPath(f *testing.F) {
	w := newWorld(f)
	for _, s := range []string{"/", "/v3", "//v3//", "/v3/auth/tokens/", loginURL, "/v3/users/%2e%2e", "/v3/%00", "/v3/projects/;/"} {
		f.Add(s)
	}
	token := w.scoped()
	f.Fuzz(func(t *testing.T, path string) {
		r, err := http.NewRequest("GET", "http://h", nil)
		must(t, err)
		if r.URL, err = r.URL.Parse("/" + strings.TrimLeft(path, "/")); err != nil {
			return
		}
		r.Header.Set("X-Auth-Token", token)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if rec.Code >= 500 || rec.Code >= 300 && rec.Code < 400 && rec.Code != 300 {
			t.Fatalf("%q: %d %s", path, rec.Code, rec.Body)
		}
	})
}
