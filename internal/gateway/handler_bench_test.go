package gateway

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"testing"

	"github.com/stackgate/stackgate/internal/rbac"
)

// an instant is a cloud that takes no time.
type instant struct{ body []byte }

func (c instant) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Request: r, ContentLength: int64(len(c.body)), Body: io.NopCloser(bytes.NewReader(c.body)),
		Header: http.Header{"Content-Type": {"application/json"}, "Content-Length": {"2048"}}}, nil
}

// A drain is a client that takes no time.
type drain struct{ header http.Header }

func (d drain) Header() http.Header       { return d.header }
func (drain) Write(b []byte) (int, error) { return len(b), nil }
func (drain) WriteHeader(int)             {}

// BenchmarkHandler is a small read without any network: what the gateway itself costs, beside a bare ReverseProxy.
func BenchmarkHandler(b *testing.B) {
	cloud := instant{make([]byte, 2048)}
	way := Way{Scheme: "http", Host: "cloud.example", Token: "one-of-the-cloud", Renew: func(context.Context) string { return "" }}
	w := &world{roles: map[string]rbac.Roles{"all": rbac.AllRoles}, sample: 100, log: slog.New(slog.NewJSONHandler(io.Discard, nil))}
	w.serve(b, proxied(b, ProxyConfig{Transport: cloud, Way: func(context.Context, string, bool) (Way, error) { return way, nil }}))
	for name, h := range map[string]http.Handler{
		"gateway": w.gw.Config.Handler,
		"bare":    &httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}, Transport: cloud, BufferPool: &bufferPool{}},
	} {
		b.Run(name, func(b *testing.B) {
			asked := httptest.NewRequest("GET", "/GRA1/compute/v2.1/servers/detail", nil)
			asked.Header = http.Header{"User-Agent": {"bench"}, "Accept": {"application/json"}, "X-Auth-Token": {"all"}}
			b.ReportAllocs()
			for b.Loop() {
				r := *asked
				r.Header = asked.Header.Clone()
				h.ServeHTTP(drain{http.Header{}}, &r)
			}
		})
	}
}
