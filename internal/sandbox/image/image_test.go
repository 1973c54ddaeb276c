package image_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/image"
)

const (
	mine   = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	theirs = "1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e"
	patch  = "application/openstack-images-v2.1-json-patch"
)

// A cloud is one image service, its clock, and who asks.
type cloud struct {
	*testing.T
	s   *image.Service
	now time.Time
}

func newCloud(t *testing.T, c image.Config) *cloud {
	t.Helper()
	cl := &cloud{T: t, now: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)}
	c.Region, c.Now = "GRA1", func() time.Time { return cl.now }
	s, err := image.New(c)
	if err != nil {
		t.Fatal(err)
	}
	cl.s = s
	t.Cleanup(func() { _ = s.Close() })
	return cl
}

func (c *cloud) do(project, method, path, kind, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Project-Id", project)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	w := httptest.NewRecorder()
	c.s.ServeHTTP(w, r)
	return w
}

// want does a call and gives its JSON answer.
func (c *cloud) want(status int, project, method, path, kind, body string) map[string]any {
	c.Helper()
	w := c.do(project, method, path, kind, body)
	if w.Code != status {
		c.Fatalf("%s %s: %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	var v map[string]any
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
			c.Fatal(err)
		}
	}
	return v
}

// created makes an image that waits for its data.
func (c *cloud) created(body string) string {
	c.Helper()
	return c.want(201, mine, "POST", "/v2/images", "application/json", body)["id"].(string)
}

func names(v map[string]any) string {
	var all []string
	for _, i := range v["images"].([]any) {
		all = append(all, i.(map[string]any)["name"].(string))
	}
	return strings.Join(all, ",")
}

func TestVersionDocumentNeedsNoToken(t *testing.T) {
	c := newCloud(t, image.Config{PublicURL: "http://cloud.example/GRA1/image"})
	for path, status := range map[string]int{"/": 300, "/versions": 200, "/v3": 300} {
		v := c.want(status, "", "GET", path, "", "")
		first := v["versions"].([]any)[0].(map[string]any)
		if href := first["links"].([]any)[0].(map[string]any)["href"]; href != "http://cloud.example/GRA1/image/v2/" || first["id"] != "v2.16" {
			t.Errorf("%s: %v", path, first)
		}
	}
	c.want(401, "", "GET", "/v2/images", "", "")
}

func TestAnImageGoesFromQueuedToActiveAndAway(t *testing.T) {
	c := newCloud(t, image.Config{})
	id := c.created(`{"name":"mine","disk_format":"raw","container_format":"bare","os_distro":"debian","tags":["a"]}`)
	if w := c.do(mine, "GET", "/v2/images/"+id+"/file", "", ""); w.Code != 204 {
		t.Errorf("data before it is there: %d", w.Code)
	}
	data := strings.Repeat("0123456789", 1000)
	c.want(204, mine, "PUT", "/v2/images/"+id+"/file", "application/octet-stream", data)
	v := c.want(200, mine, "GET", "/v2/images/"+id, "", "")
	sum := md5.Sum([]byte(data))
	if v["status"] != "active" || v["size"] != 10000.0 || v["checksum"] != hex.EncodeToString(sum[:]) || v["os_hash_algo"] != "sha512" || v["os_distro"] != "debian" {
		t.Errorf("%v", v)
	}
	c.want(409, mine, "PUT", "/v2/images/"+id+"/file", "application/octet-stream", data)
	r := httptest.NewRequest("GET", "/v2/images/"+id+"/file", nil)
	r.Header.Set("X-Project-Id", mine)
	r.Header.Set("Range", "bytes=9-11")
	w := httptest.NewRecorder()
	c.s.ServeHTTP(w, r)
	if w.Code != 206 || w.Body.String() != "901" || w.Header().Get("Content-Range") != "bytes 9-11/10000" {
		t.Errorf("range: %d %q %v", w.Code, w.Body, w.Header())
	}
	c.want(204, mine, "DELETE", "/v2/images/"+id, "", "")
	c.want(404, mine, "GET", "/v2/images/"+id, "", "")
}

func TestStagedDataIsImported(t *testing.T) {
	c := newCloud(t, image.Config{})
	id := c.created(`{"name":"mine","disk_format":"raw","container_format":"bare"}`)
	direct := `{"method":{"name":"glance-direct"}}`
	c.want(409, mine, "POST", "/v2/images/"+id+"/import", "application/json", direct)
	c.want(204, mine, "PUT", "/v2/images/"+id+"/stage", "application/octet-stream", "hello")
	c.want(400, mine, "POST", "/v2/images/"+id+"/import", "application/json", `{"method":{"name":"web-download","uri":"http://169.254.169.254/"}}`)
	c.want(202, mine, "POST", "/v2/images/"+id+"/import", "application/json", direct)
	if v := c.want(200, mine, "GET", "/v2/images/"+id, "", ""); v["status"] != "importing" {
		t.Errorf("%v", v["status"])
	}
	c.now = c.now.Add(time.Second)
	if v := c.want(200, mine, "GET", "/v2/images/"+id, "", ""); v["status"] != "active" || v["size"] != 5.0 {
		t.Errorf("%v", v)
	}
}

func TestASnapshotBecomesActiveWithTime(t *testing.T) {
	c := newCloud(t, image.Config{})
	img, err := c.s.Create(image.Spec{Project: mine, Name: "snap", MinDisk: 25})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		want  image.Status
	}{{0, image.Queued}, {1 * time.Second, image.Saving}, {1 * time.Second, image.Active}} {
		c.now = c.now.Add(step.after)
		if got, _ := c.s.Get(mine, img.ID); got.Status != step.want {
			t.Errorf("after %v: %s, want %s", step.after, got.Status, step.want)
		}
	}
	if c.s.Exists(theirs, img.ID) {
		t.Error("another project sees it")
	}
}

func TestListsAreNarrowedSortedAndPaged(t *testing.T) {
	c := newCloud(t, image.Config{})
	a, b := c.created(`{"name":"a","tags":["x"]}`), c.created(`{"name":"b","visibility":"community","k":"v"}`)
	debian, _ := c.s.Public("Debian 12")
	for query, want := range map[string]string{
		"name=Debian%2012": "Debian 12", "visibility=private": "", "visibility=shared": "a", "tag=x": "a", "k=v": "b",
		"id=in:" + a + "," + b + "&sort=name:asc": "a,b", "id=in:" + a + "," + b + "&sort_key=name&sort_dir=desc": "b,a",
		"status=queued&sort=name:asc&limit=1": "a", "status=queued&sort=name:asc&marker=" + a: "b", "limit=0": "",
		"size_min=1&os_distro=debian&sort=name:asc": "Debian 11,Debian 12,Debian 13", "created_at=lt:2025-01-01T00:00:00Z&id=" + debian.ID: "Debian 12",
	} {
		if got := names(c.want(200, mine, "GET", "/v2/images?"+query, "", "")); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if got := names(c.want(200, theirs, "GET", "/v2/images?status=queued", "", "")); got != "" {
		t.Errorf("another project lists %q", got)
	}
	c.want(200, theirs, "GET", "/v2/images/"+b, "", "")
	v := c.want(200, mine, "GET", "/v2/images?sort=name:asc&limit=2", "", "")
	if got := names(c.want(200, mine, "GET", v["next"].(string), "", "")); got != "Debian 12,Debian 13" {
		t.Errorf("second page %q, %v", got, v["next"])
	}
}

func TestAnImageIsSharedWithItsMembers(t *testing.T) {
	c := newCloud(t, image.Config{})
	id := c.created(`{"name":"a"}`)
	path := "/v2/images/" + id
	c.want(404, theirs, "GET", path, "", "")
	c.want(200, mine, "POST", path+"/members", "application/json", `{"member":"`+theirs+`"}`)
	c.want(409, mine, "POST", path+"/members", "application/json", `{"member":"`+theirs+`"}`)
	c.want(200, theirs, "GET", path, "", "")
	c.want(403, theirs, "DELETE", path, "", "")
	if got := names(c.want(200, theirs, "GET", "/v2/images?status=queued", "", "")); got != "" {
		t.Errorf("listed before it is accepted: %q", got)
	}
	c.want(403, mine, "PUT", path+"/members/"+theirs, "application/json", `{"status":"accepted"}`)
	c.want(200, theirs, "PUT", path+"/members/"+theirs, "application/json", `{"status":"accepted"}`)
	if got := names(c.want(200, theirs, "GET", "/v2/images?status=queued", "", "")); got != "a" {
		t.Errorf("not listed once accepted: %q", got)
	}
	c.want(204, mine, "DELETE", path+"/members/"+theirs, "", "")
	c.want(404, theirs, "GET", path, "", "")
}

func TestPatchChangesAllOrNothing(t *testing.T) {
	c := newCloud(t, image.Config{})
	path := "/v2/images/" + c.created(`{"name":"a","k":"v"}`)
	v := c.want(200, mine, "PATCH", path, patch, `[{"op":"replace","path":"/name","value":"b"},{"op":"add","path":"/x~1y","value":"z"},
		{"op":"remove","path":"/k"},{"op":"replace","path":"/protected","value":true}]`)
	if _, has := v["k"]; v["name"] != "b" || v["x/y"] != "z" || has {
		t.Errorf("%v", v)
	}
	c.want(403, mine, "DELETE", path, "", "")
	for _, tc := range []struct {
		name, kind, body string
		status           int
	}{
		{"the second change is refused and the first not kept", patch, `[{"op":"replace","path":"/name","value":"c"},{"op":"replace","path":"/id","value":"x"}]`, 403},
		{"nobody makes an image public", patch, `[{"op":"replace","path":"/visibility","value":"public"}]`, 403},
		{"no data from elsewhere", patch, `[{"op":"add","path":"/locations/-","value":{"url":"http://x"}}]`, 400},
		{"nor as a whole", patch, `[{"op":"replace","path":"/locations","value":[{"url":"http://x"}]}]`, 403},
		{"a property that is not there", patch, `[{"op":"remove","path":"/nope"}]`, 409},
		{"a member that must stay", patch, `[{"op":"remove","path":"/name"}]`, 403},
		{"a number for a name", patch, `[{"op":"replace","path":"/name","value":1}]`, 400},
		{"an unknown change", patch, `[{"op":"move","path":"/name"}]`, 400},
		{"no change at all", patch, `{`, 400},
		{"duplicate members", patch, `[{"op":"add","op":"add","path":"/a","value":"b"}]`, 400},
		{"another content type", "application/json", `[]`, 415},
	} {
		t.Run(tc.name, func(t *testing.T) { c.want(tc.status, mine, "PATCH", path, tc.kind, tc.body) })
	}
	if v := c.want(200, mine, "GET", path, "", ""); v["name"] != "b" {
		t.Errorf("changed by a refused patch: %v", v["name"])
	}
}

func TestBadRequestsChangeNothing(t *testing.T) {
	c := newCloud(t, image.Config{MaxImageSize: 10, Quota: 15})
	debian, _ := c.s.Public("Debian 12")
	ready := "/v2/images/" + c.created(`{"name":"r","disk_format":"raw","container_format":"bare"}`)
	bare := "/v2/images/" + c.created(`{"name":"b"}`)
	const data = "application/octet-stream"
	for _, tc := range []struct {
		name, method, path, kind, body string
		status                         int
	}{
		{"an image that is not there", "GET", "/v2/images/nope", "", "", 404},
		{"a path that is not there", "GET", "/v2/nope", "", "", 404},
		{"a method that is not there", "POST", "/v2/images/x", "", "", 405},
		{"broken JSON", "POST", "/v2/images", "", `{"name":`, 400},
		{"public", "POST", "/v2/images", "", `{"visibility":"public"}`, 403},
		{"somebody else's", "POST", "/v2/images", "", `{"owner":"` + theirs + `"}`, 403},
		{"unknown format", "POST", "/v2/images", "", `{"disk_format":"floppy"}`, 400},
		{"a property that is no string", "POST", "/v2/images", "", `{"k":{}}`, 400},
		{"an id that is taken", "POST", "/v2/images", "", `{"id":"` + debian.ID + `"}`, 409},
		{"an id that is none", "POST", "/v2/images", "", `{"id":"../../etc"}`, 400},
		{"a status of one's own", "POST", "/v2/images", "", `{"status":"active"}`, 403},
		{"data of another type", "PUT", ready + "/file", "text/plain", "x", 415},
		{"data before there is a format", "PUT", bare + "/file", data, "x", 400},
		{"too much data", "PUT", ready + "/file", data, "01234567890", 413},
		{"more than the quota", "PUT", ready + "/file", data, "0123456789012345", 413},
		{"a limit that is no number", "GET", "/v2/images?limit=x", "", "", 400},
		{"a negative limit", "GET", "/v2/images?limit=-1", "", "", 400},
		{"an unknown marker", "GET", "/v2/images?marker=x", "", "", 400},
		{"an unknown order", "GET", "/v2/images?sort=shoe:asc", "", "", 400},
		{"an unknown direction", "GET", "/v2/images?sort=name:up", "", "", 400},
		{"an unknown visibility", "GET", "/v2/images?visibility=hidden", "", "", 400},
		{"a time that is none", "GET", "/v2/images?created_at=gt:x", "", "", 400},
		{"deleting a public image", "DELETE", "/v2/images/" + debian.ID, "", "", 403},
		{"changing a public image", "PATCH", "/v2/images/" + debian.ID, patch, `[]`, 403},
		{"members of a public image", "GET", "/v2/images/" + debian.ID + "/members", "", "", 403},
		{"removing a tag that is not there", "DELETE", bare + "/tags/x", "", "", 404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := c.do(mine, tc.method, tc.path, tc.kind, tc.body)
			if w.Code != tc.status || !strings.Contains(w.Body.String(), "<h1>") || w.Header().Get("X-Openstack-Request-Id") == "" {
				t.Errorf("%d, want %d: %s", w.Code, tc.status, w.Body)
			}
		})
	}
	small := newCloud(t, image.Config{Quota: 4})
	path := "/v2/images/" + small.created(`{"disk_format":"raw","container_format":"bare"}`) + "/file"
	r := httptest.NewRequest("PUT", path, io.MultiReader(strings.NewReader("longer"))) // of a length that nobody knows
	r.Header.Set("X-Project-Id", mine)
	r.Header.Set("Content-Type", data)
	w := httptest.NewRecorder()
	if small.s.ServeHTTP(w, r); w.Code != 413 {
		t.Errorf("more than the quota in chunks: %d", w.Code)
	}
	small.want(204, mine, "PUT", path, data, "tiny")
	if v := c.want(200, mine, "GET", ready, "", ""); v["status"] != "queued" {
		t.Errorf("a refused upload leaves %v", v["status"])
	}
}

func TestARestartKeepsImagesAndData(t *testing.T) {
	dir := t.TempDir()
	c := newCloud(t, image.Config{Dir: dir})
	id := c.created(`{"name":"kept","disk_format":"raw","container_format":"bare"}`)
	data := bytes.Repeat([]byte("x"), 1<<20)
	c.want(204, mine, "PUT", "/v2/images/"+id+"/file", "application/octet-stream", string(data))
	debian, _ := c.s.Public("Debian 12")
	if err := c.s.Close(); err != nil {
		t.Fatal(err)
	}
	c = newCloud(t, image.Config{Dir: dir})
	if again, ok := c.s.Public("Debian 12"); !ok || again.ID != debian.ID {
		t.Error("the public images have other ids now")
	}
	w := c.do(mine, "GET", "/v2/images/"+id+"/file", "", "")
	if got, _ := io.ReadAll(w.Body); w.Code != http.StatusOK || !bytes.Equal(got, data) {
		t.Errorf("%d, %d bytes", w.Code, len(got))
	}
}
