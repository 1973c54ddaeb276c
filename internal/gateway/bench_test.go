package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/rbac"
)

// pair gives the gateway, with a log that is written and thrown away and one grant in a hundred kept, as in earnest, and a bare
// ReverseProxy with the same settings, in front of the same upstream.
func pair(b *testing.B, upstream http.Handler) (gateway, bare string) {
	up := httptest.NewServer(upstream)
	b.Cleanup(up.Close)
	to, err := url.Parse(up.URL)
	if err != nil {
		b.Fatal(err)
	}
	way := Way{Scheme: to.Scheme, Host: to.Host, Token: "one-of-the-cloud", Renew: func(context.Context) string { return "" }}
	w := &world{roles: map[string]rbac.Roles{"all": rbac.AllRoles}, sample: 100, log: slog.New(slog.NewJSONHandler(io.Discard, nil))}
	w.serve(b, proxied(b, ProxyConfig{Way: func(context.Context, string, bool) (Way, error) { return way, nil }}))
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, Transport: NewTransport(0, nil), BufferPool: &bufferPool{}})
	b.Cleanup(proxy.Close)
	return w.gw.URL, proxy.URL
}

// connections is how many a side is read over at once, and turn how many requests each makes before it is another side's turn.
const (
	connections = 64
	turn        = 100
)

// A side is one of the things that are compared: what it is asked, and how long that took so far.
type side struct {
	name, request, status string
	conns                 []*bufio.ReadWriter
	took, cpu             time.Duration
}

// newSide connects. The client does next to nothing, so that what is measured is the server.
func newSide(b *testing.B, name, base, request, status string) *side {
	s := &side{name: name, request: request, status: status}
	for range connections {
		c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		s.conns = append(s.conns, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)))
	}
	return s
}

// turn makes every connection ask so many times.
func (s *side) turn(b *testing.B) {
	start, cpu := time.Now(), cpuTime()
	var wg sync.WaitGroup
	for _, c := range s.conns {
		wg.Go(func() {
			for range turn {
				if err := s.ask(c); err != nil {
					b.Errorf("%s: %v", s.name, err)
					return
				}
			}
		})
	}
	wg.Wait()
	s.took += time.Since(start)
	s.cpu += cpuTime() - cpu
}

// cpuTime is what this process has used of the processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ask sends the request and reads the answer to its end.
func (s *side) ask(c *bufio.ReadWriter) error {
	_, _ = c.WriteString(s.request)
	if err := c.Flush(); err != nil {
		return err
	}
	line, err := c.ReadSlice('\n')
	if err != nil || !strings.HasPrefix(string(line), s.status) {
		return fmt.Errorf("%q: %w", line, err)
	}
	size := 0
	for {
		if line, err = c.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if value, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
			if size, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
	}
	_, err = c.Discard(size)
	return err
}

// BenchmarkRead is a small read over 64 connections, in turns through the gateway, through a bare ReverseProxy, and refused.
func BenchmarkRead(b *testing.B) {
	body := make([]byte, 2048)
	gw, bare := pair(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	head := " HTTP/1.1\r\nHost: cloud.example\r\nUser-Agent: bench\r\nAccept: application/json\r\nX-Auth-Token: all\r\n\r\n"
	sides := []*side{
		newSide(b, "gateway", gw, "GET /GRA1/compute/v2.1/servers/detail"+head, "HTTP/1.1 200"),
		newSide(b, "bare", bare, "GET /v2.1/servers/detail"+head, "HTTP/1.1 200"),
		newSide(b, "refused", gw, "GET /GRA1/compute/v2.1/os-hypervisors"+head, "HTTP/1.1 403"),
	}
	for b.Loop() {
		for _, s := range sides {
			s.turn(b)
		}
	}
	b.ReportMetric(0, "ns/op") // a turn of all sides says nothing
	for _, s := range sides {
		b.ReportMetric(float64(b.N*connections*turn)/s.took.Seconds(), s.name+"/s")
	}
	b.ReportMetric(sides[1].took.Seconds()/sides[0].took.Seconds(), "of-bare")
	b.ReportMetric(sides[1].cpu.Seconds()/sides[0].cpu.Seconds(), "of-bare-cpu") // tells even where other programs run
}

// objectSize is what BenchmarkObject moves.
const objectSize = 256 << 20

// BenchmarkObject is an object of 256 MiB down and up, in turns through the gateway and through a bare ReverseProxy.
func BenchmarkObject(b *testing.B) {
	chunk := make([]byte, 256<<10)
	gw, bare := pair(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			if n, err := io.Copy(io.Discard, r.Body); err != nil || n != objectSize {
				http.Error(w, "cut", http.StatusBadRequest)
			}
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(objectSize))
		for range objectSize / len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	path := "/v1/AUTH_" + projectA + "/c/o"
	sides := []string{gw + "/GRA1/object-store" + path, bare + path}
	for _, method := range []string{"GET", "PUT"} {
		b.Run(map[string]string{"GET": "down", "PUT": "up"}[method], func(b *testing.B) {
			var took [2]time.Duration
			var heap uint64
			for b.Loop() {
				for i, address := range sides {
					start := time.Now()
					move(b, method, address)
					took[i] += time.Since(start)
					heap = max(heap, heapInUse())
				}
			}
			b.ReportMetric(0, "ns/op")
			mb := float64(b.N) * objectSize / 1e6
			b.ReportMetric(mb/took[0].Seconds(), "gateway-MB/s")
			b.ReportMetric(mb/took[1].Seconds(), "bare-MB/s")
			b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "of-bare")
			b.ReportMetric(float64(heap)/(1<<20), "heap-MiB")
		})
	}
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// zeros is as long as asked for.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func move(b *testing.B, method, address string) {
	var body io.Reader
	if method == http.MethodPut {
		body = io.LimitReader(zeros{}, objectSize)
	}
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		b.Fatal(err)
	}
	if body != nil {
		req.ContentLength = objectSize
	}
	req.Header.Set("X-Auth-Token", "all")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 || body == nil && n != objectSize {
		b.Fatalf("%d, %d bytes, %v", resp.StatusCode, n, err)
	}
}
