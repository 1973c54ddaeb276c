package keystone_test

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func BenchmarkValidate(b *testing.B) {
	w := newWorld(b)
	token := w.scoped()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", "http://h/v3/auth/tokens", nil)
		r.Header["X-Auth-Token"], r.Header["X-Subject-Token"] = []string{token}, []string{token}
		rec := httptest.NewRecorder()
		if w.handler.ServeHTTP(rec, r); rec.Code != 200 {
			b.Fatal(rec.Code)
		}
	}
}

func BenchmarkRescope(b *testing.B) {
	w := newWorld(b)
	body := rescopeBody(w.login(w.client), projectScope(w.project))
	b.ReportAllocs()
	for b.Loop() {
		rec := httptest.NewRecorder()
		if w.handler.ServeHTTP(rec, httptest.NewRequest("POST", "http://h/v3/auth/tokens", strings.NewReader(body))); rec.Code != 201 {
			b.Fatal(rec.Code)
		}
	}
}

func BenchmarkFederatedLogin(b *testing.B) {
	w := newWorld(b)
	bearer := []string{"Bearer " + w.idToken(w.client)}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "http://h"+loginURL, nil)
		r.Header["Authorization"] = bearer
		rec := httptest.NewRecorder()
		if w.handler.ServeHTTP(rec, r); rec.Code != 201 {
			b.Fatal(rec.Code)
		}
	}
}
