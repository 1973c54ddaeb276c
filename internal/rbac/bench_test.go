package rbac

import "testing"

// hot are calls as they come by the million, and how many allocations judging one may cost.
var hot = []struct {
	name, method string
	service      Service
	raw, body    string
	allocs       float64
}{
	{"servers", "GET", Compute, "/v2.1/servers/detail?deleted=False&limit=1000", "", 0},
	{"volume", "GET", Volume, "/v3/" + own + "/volumes/0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f", "", 0},
	{"ports", "GET", Network, "/v2.0/ports?device_id=0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f", "", 0},
	{"longest path", "GET", Network, "/v2.0/floatingips/0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f/port_forwardings/1f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f", "", 0},
	{"object", "PUT", ObjectStore, "/v1/AUTH_" + own + "/backups/2026/11/24/db.sql.gz", "", 0},
	{"action", "POST", Compute, "/v2.1/servers/0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f/action", `{"createImage":{"name":"nightly","metadata":{"a":"b"}}}`, 0},
	{"create", "POST", Compute, "/v2.1/servers", `{"server":{"name":"a","imageRef":"1","flavorRef":"1","availability_zone":"nova","networks":[{"uuid":"1"}]}}`, 1},
	{"unknown", "GET", Compute, "/v2.1/os-nothing/1/2/3/4", "", 0},
}

// BenchmarkClassify includes ParseTarget: the whole judgement but the roles.
func BenchmarkClassify(b *testing.B) {
	tab := table(b)
	for _, h := range hot {
		b.Run(h.name, func(b *testing.B) {
			b.ReportAllocs()
			req := Request{Method: h.method, Project: own, Header: map[string][]string{}, Body: []byte(h.body), HasBody: h.body != ""}
			for b.Loop() {
				req.Target, _ = ParseTarget(h.service, h.raw)
				tab.Classify(req)
			}
		})
	}
}

func TestClassifyAllocatesNothing(t *testing.T) {
	tab := table(t)
	for _, h := range hot {
		req := Request{Method: h.method, Project: own, Header: map[string][]string{}, Body: []byte(h.body), HasBody: h.body != ""}
		got := testing.AllocsPerRun(200, func() {
			req.Target, _ = ParseTarget(h.service, h.raw)
			tab.Classify(req)
		})
		if got > h.allocs {
			t.Errorf("%s: %v allocations, at most %v", h.name, got, h.allocs)
		}
	}
}
