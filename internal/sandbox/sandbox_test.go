package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox"
)

const project = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"

// A world is a cloud with a clock of its own.
type world struct {
	t     *testing.T
	cloud *sandbox.Cloud
	now   time.Time
	dir   string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), dir: t.TempDir()}
	w.open()
	t.Cleanup(func() { _ = w.cloud.Close() })
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	w.cloud, err = sandbox.New(sandbox.Config{Dir: w.dir, Aliases: map[string]string{"GRA": "GRA1"}, PublicURL: "http://cloud.test",
		Now: func() time.Time { return w.now }})
	if err != nil {
		w.t.Fatal(err)
	}
}

// An answer is a response with its JSON decoded.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

// do sends a request as the project "0f0f…" to a service in GRA1, at the newest microversion.
func (w *world) do(service, method, path, body string) answer {
	return w.as(project, "GRA1", service, method, path, body, "2.90")
}

func (w *world) as(project, region, service, method, path, body, version string) answer {
	w.t.Helper()
	r := httptest.NewRequest(method, "http://cloud.test"+path, strings.NewReader(body))
	r.Header.Set("X-Project-Id", project)
	r.Header.Set("X-User-Id", "user-of-"+project)
	if version != "" {
		r.Header.Set("OpenStack-API-Version", "compute "+version)
	}
	rec := httptest.NewRecorder()
	w.cloud.Handler(region, service).ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Header(), text: rec.Body.String()}
	_ = json.Unmarshal(rec.Body.Bytes(), &a.body)
	return a
}

// want does the same and insists on a status.
func (w *world) want(status int, service, method, path, body string) answer {
	w.t.Helper()
	a := w.do(service, method, path, body)
	if a.status != status {
		w.t.Fatalf("%s %s: %d, want %d: %s", method, path, a.status, status, a.text)
	}
	return a
}

// at walks down the answer: "server.status", "servers.0.id".
func (a answer) at(path string) any {
	var v any = a.body
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			i := int(key[0] - '0')
			if i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func TestTheGuidesServerIsListed(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		if err := w.cloud.Seed(project); err != nil {
			t.Fatal(err)
		}
	}
	a := w.want(200, "compute", "GET", "/v2.1/servers/detail?deleted=False", "")
	for path, want := range map[string]any{
		"servers.0.id": "0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0ff0", "servers.0.name": "name_vm", "servers.0.status": "ACTIVE", "servers.1": nil,
		"servers.0.flavor.original_name": "d2-2", "servers.0.addresses.Ext-Net.0.addr": "127.0.0.1",
		"servers.0.addresses.Ext-Net.1.addr": "2001:db8::f0f:f0f:f0f:f0f:ff",
	} {
		if got := a.at(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	img := w.want(200, "image", "GET", "/v2/images/"+a.at("servers.0.image.id").(string), "")
	if img.at("name") != "Debian 12" {
		t.Errorf("its image is %v", img.at("name"))
	}
}
