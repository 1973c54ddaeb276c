package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/oidc"
	"github.com/stackgate/stackgate/internal/web"
)

// BenchmarkToken is a login at the token endpoint, without the network; BenchmarkBareSignature is what the one signature in it costs in
// an otherwise empty handler.
func BenchmarkToken(b *testing.B) {
	w := newWorld(b)
	c := w.account(european)
	w.project(c, supervisor)
	s, err := oidc.New(w.config)
	must(b, err)
	h := web.New(web.Config{Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))}).Wrap(s)
	serveTokens(b, h, func(r *http.Request) { r.SetBasicAuth(string(c.ID), c.secret) })
}

func BenchmarkBareSignature(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	must(b, err)
	serveTokens(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		digest := sha256.Sum256(body)
		signature, err := ecdsa.SignASN1(cryptorand.Reader, key, digest[:])
		if err != nil {
			b.Error(err)
		}
		_, _ = w.Write(signature)
	}), func(*http.Request) {})
}

func serveTokens(b *testing.B, h http.Handler, prepare func(*http.Request)) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, pciEU+"/token", strings.NewReader("scope=openid+profile&"+grant))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		prepare(r)
		res := httptest.NewRecorder()
		h.ServeHTTP(res, r)
		if res.Code != http.StatusOK {
			b.Fatal(res.Code, res.Body)
		}
	}
}
