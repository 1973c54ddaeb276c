package stackgate

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A way to Swift: through the gateway, or directly with the gateway's own kind of credential.
type wayToSwift struct {
	name, account, token string
	took                 [3]time.Duration // small reads, large read, large write
}

const (
	benchAtOnce = 16
	benchTurn   = 400       // small reads in a turn
	benchLarge  = 256 << 20 // bytes of the large object
)

// BenchmarkRealSwift reads and writes at a real Swift, in turns through the gateway and directly. It prints rates and asserts none:
//
//	STACKGATE_REAL=1 go test -run '^$' -bench RealSwift -benchtime 5x .
func BenchmarkRealSwift(b *testing.B) {
	f := startFront(b)
	f.user("all", "objectstoreOperator")
	token := func(file, prefix string) string {
		return strings.TrimSpace(f.ok(file, prefix+"openstack token issue -f value -c id"))
	}
	direct := `export OS_AUTH_URL=` + f.keystone.URL + ` OS_USERNAME=gateway OS_PASSWORD=of-the-gateway OS_USER_DOMAIN_NAME=Default OS_PROJECT_ID=` + f.project + `; `
	ways := []*wayToSwift{
		{name: "gateway", account: f.url + "/GRA1/object-store/v1/AUTH_" + f.project, token: token("all", "")},
		{name: "direct", account: f.swift.URL + "/v1/AUTH_" + f.project, token: token("", direct)},
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchAtOnce, DisableCompression: true}}
	do := func(w *wayToSwift, method, path string, size int64) int64 {
		req, err := http.NewRequest(method, w.account+path, io.LimitReader(zeroes{}, size))
		if err != nil {
			b.Fatal(err)
		}
		if req.ContentLength = size; size == 0 {
			req.Body = nil
		}
		req.Header.Set("X-Auth-Token", w.token)
		resp, err := client.Do(req)
		if err != nil {
			b.Error(err)
			return 0
		}
		defer func() { _ = resp.Body.Close() }()
		n, err := io.Copy(io.Discard, resp.Body)
		if err != nil || resp.StatusCode/100 != 2 {
			b.Errorf("%s: %s %s: %d %v", w.name, method, path, resp.StatusCode, err)
		}
		return n
	}
	do(ways[1], "PUT", "/bench", 0)
	do(ways[1], "PUT", "/bench/small", 2048)
	do(ways[1], "PUT", "/bench/large", benchLarge)
	for b.Loop() {
		for _, w := range ways {
			for i, part := range []func(){
				func() { atOnce(benchTurn, func() { do(w, "GET", "/bench/small", 0) }) },
				func() { do(w, "GET", "/bench/large", 0) },
				func() { do(w, "PUT", "/bench/"+w.name, benchLarge) },
			} {
				start := time.Now()
				part()
				w.took[i] += time.Since(start)
			}
		}
	}
	for _, w := range ways {
		b.ReportMetric(float64(b.N*benchTurn)/w.took[0].Seconds(), w.name+"-reads/s")
		b.ReportMetric(float64(b.N*(benchLarge>>20))/w.took[1].Seconds(), w.name+"-down-MiB/s")
		b.ReportMetric(float64(b.N*(benchLarge>>20))/w.took[2].Seconds(), w.name+"-up-MiB/s")
	}
	for i, name := range []string{"reads", "down", "up"} {
		b.ReportMetric(ways[1].took[i].Seconds()/ways[0].took[i].Seconds(), name+"-of-direct")
	}
	b.Logf("%d connections for small reads of 2 KiB, one for %d MiB", benchAtOnce, benchLarge>>20)
}

// atOnce calls f n times, over benchAtOnce connections.
func atOnce(n int, f func()) {
	var wg sync.WaitGroup
	for range benchAtOnce {
		wg.Go(func() {
			for range n / benchAtOnce {
				f()
			}
		})
	}
	wg.Wait()
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }
