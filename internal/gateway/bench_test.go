package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"testing"

	"github.com/stackgate/stackgate/internal/rbac"
)

// pair gives the gateway and a bare ReverseProxy in front of the same upstream.
func pair(b *testing.B, upstream http.Handler) (gateway, bare string) {
	up := httptest.NewServer(upstream)
	b.Cleanup(up.Close)
	w := &world{roles: map[string]rbac.Roles{"all": rbac.AllRoles}}
	w.serve(b, func(s rbac.Service) http.Handler {
		h, err := NewProxy(ProxyConfig{Service: s, URL: up.URL})
		if err != nil {
			b.Fatal(err)
		}
		return h
	})
	to, err := url.Parse(up.URL)
	if err != nil {
		b.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, Transport: newTransport(0), FlushInterval: -1, BufferPool: &bufferPool{}})
	b.Cleanup(proxy.Close)
	return w.gw.URL, proxy.URL
}

func load(b *testing.B, base, path string, size int64) {
	req, err := http.NewRequest("GET", base+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", "all")
	client := &http.Client{Transport: newTransport(0)}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if err != nil || resp.StatusCode != 200 || n != size {
			b.Fatalf("%d, %d bytes, %v", resp.StatusCode, n, err)
		}
		resp.Body.Close()
	}
}

// BenchmarkRead is a small read over 64 connections, through the gateway and through a bare ReverseProxy; and one that is refused.
func BenchmarkRead(b *testing.B) {
	body := make([]byte, 2048)
	gw, bare := pair(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	b.Run("gateway", func(b *testing.B) { loadAtOnce(b, gw, "/GRA1/compute/v2.1/servers/detail", http.StatusOK) })
	b.Run("bare", func(b *testing.B) { loadAtOnce(b, bare, "/v2.1/servers/detail", http.StatusOK) })
	b.Run("refused", func(b *testing.B) { loadAtOnce(b, gw, "/GRA1/compute/v2.1/os-hypervisors", http.StatusForbidden) })
}

// connections is how many requests loadAtOnce has under way.
const connections = 64

func loadAtOnce(b *testing.B, base, path string, status int) {
	client := &http.Client{Transport: newTransport(connections)}
	b.SetParallelism((connections + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequest("GET", base+path, nil)
			if err != nil {
				b.Error(err)
				return
			}
			req.Header.Set("X-Auth-Token", "all")
			resp, err := client.Do(req)
			if err != nil || resp.StatusCode != status {
				b.Errorf("%v, %v", resp, err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
}

// BenchmarkObject is an object of 256 MiB through both.
func BenchmarkObject(b *testing.B) {
	const size = 256 << 20
	chunk := make([]byte, 256<<10)
	gw, bare := pair(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "268435456")
		for range size / len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	path := "/v1/AUTH_" + projectA + "/c/o"
	b.Run("gateway", func(b *testing.B) { load(b, gw, "/GRA1/object-store"+path, size) })
	b.Run("bare", func(b *testing.B) { load(b, bare, path, size) })
}
