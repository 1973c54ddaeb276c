package objectstore_test

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/objectstore"
)

const (
	mine   = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	theirs = "1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e"
	root   = "/v1/AUTH_" + mine
)

type cloud struct {
	*testing.T
	s   *objectstore.Service
	now time.Time
}

func newCloud(t *testing.T, c objectstore.Config) *cloud {
	t.Helper()
	cl := &cloud{T: t, now: time.Date(2026, 9, 1, 12, 0, 0, 500, time.UTC)}
	c.Region, c.Now = "GRA1", func() time.Time { return cl.now }
	s, err := objectstore.New(c)
	if err != nil {
		t.Fatal(err)
	}
	cl.s = s
	t.Cleanup(func() { _ = s.Close() })
	return cl
}

func md5of(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// do does a call with headers given as "Name: value".
func (c *cloud) do(project, method, target string, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if project != "" {
		r.Header.Set("X-Project-Id", project)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	c.s.ServeHTTP(w, r)
	return w
}

// want does a call of the account's own project and gives the answer.
func (c *cloud) want(status int, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	c.Helper()
	w := c.do(mine, method, root+path, body, headers...)
	if w.Code != status {
		c.Fatalf("%s %s: %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	if tx := w.Header().Get("X-Trans-Id"); len(tx) != 34 || w.Header().Get("X-Openstack-Request-Id") != tx {
		c.Fatalf("transaction id %q", tx)
	}
	return w
}

func TestContainersAndObjectsLive(t *testing.T) {
	c := newCloud(t, objectstore.Config{})
	c.want(204, "GET", "", "")
	c.want(404, "PUT", "/c/o", "data")
	c.want(201, "PUT", "/c", "", "X-Container-Meta-Color: blue")
	c.want(202, "PUT", "/c", "")
	w := c.want(201, "PUT", "/c/a/b.txt", "hello", "X-Object-Meta-Kind: note", "Etag: "+md5of("hello"))
	if w.Header().Get("Etag") != md5of("hello") || w.Header().Get("Last-Modified") == "" {
		t.Errorf("%v", w.Header())
	}
	w = c.want(200, "HEAD", "/c/a/b.txt", "")
	for name, want := range map[string]string{
		"Content-Length": "5", "Content-Type": "text/plain; charset=utf-8", "Etag": md5of("hello"), "X-Object-Meta-Kind": "note",
		"X-Timestamp": "1788264000.00000", "Last-Modified": "Tue, 01 Sep 2026 12:00:01 GMT", "Accept-Ranges": "bytes",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if w = c.want(204, "HEAD", "/c", ""); w.Header().Get("X-Container-Object-Count") != "1" || w.Header().Get("X-Container-Bytes-Used") != "5" || w.Header().Get("X-Container-Meta-Color") != "blue" {
		t.Errorf("%v", w.Header())
	}
	c.want(202, "POST", "/c/a/b.txt", "", "X-Object-Meta-Other: x")
	if w = c.want(200, "GET", "/c/a/b.txt", ""); w.Body.String() != "hello" || w.Header().Get("X-Object-Meta-Kind") != "" || w.Header().Get("X-Object-Meta-Other") != "x" {
		t.Errorf("%q %v", w.Body, w.Header())
	}
	c.want(409, "DELETE", "/c", "")
	c.want(204, "DELETE", "/c/a/b.txt", "")
	c.want(404, "DELETE", "/c/a/b.txt", "")
	c.want(204, "POST", "/c", "", "X-Remove-Container-Meta-Color: x")
	if w = c.want(204, "HEAD", "/c", ""); w.Header().Get("X-Container-Meta-Color") != "" {
		t.Error("metadata not removed")
	}
	c.want(204, "DELETE", "/c", "")
	c.want(404, "GET", "/c", "")
	c.want(204, "POST", "", "", "X-Account-Meta-Owner: me")
	if w = c.want(204, "HEAD", "", ""); w.Header().Get("X-Account-Meta-Owner") != "me" || w.Header().Get("X-Account-Container-Count") != "0" {
		t.Errorf("%v", w.Header())
	}
}

func TestNamesAreLeftAlone(t *testing.T) {
	c := newCloud(t, objectstore.Config{})
	c.want(201, "PUT", "/c", "")
	names := map[string]string{"/c//": "/", "/c/a//b": "a//b", "/c/./x": "./x", "/c/../x": "../x", "/c/a%2Fb": "a/b", "/c/%E2%82%AC%3F": "€?", "/c/end/": "end/", "/c/%252e": "%2e"}
	for path, name := range names {
		c.want(201, "PUT", path, name)
		if w := c.want(200, "GET", path, ""); w.Body.String() != name {
			t.Errorf("%s: %q", path, w.Body)
		}
		if list := c.want(200, "GET", "/c", ""); !strings.Contains("\n"+list.Body.String(), "\n"+name+"\n") {
			t.Errorf("%q is not in %q", name, list.Body)
		}
		c.want(204, "DELETE", path, "")
	}
}

func TestListings(t *testing.T) {
	c := newCloud(t, objectstore.Config{})
	c.want(201, "PUT", "/c", "")
	c.want(201, "PUT", "/d", "")
	for _, name := range []string{"a", "b/1", "b/2", "b/c/3", "d"} {
		c.want(201, "PUT", "/c/"+name, "x")
	}
	for query, want := range map[string]string{
		"": "a b/1 b/2 b/c/3 d", "prefix=b/": "b/1 b/2 b/c/3", "delimiter=/": "a b/ d", "prefix=b/&delimiter=/": "b/1 b/2 b/c/", "marker=b/1": "b/2 b/c/3 d",
		"end_marker=b/2": "a b/1", "limit=2": "a b/1", "limit=2&delimiter=/": "a b/", "reverse=true": "d b/c/3 b/2 b/1 a", "reverse=true&marker=b/2": "b/1 a",
		"path=b": "b/1 b/2", "delimiter=/&marker=b/": "d", "limit=0": "", "limit=x": "a b/1 b/2 b/c/3 d",
	} {
		w := c.do(mine, "GET", root+"/c?"+query, "")
		if got := strings.Join(strings.Fields(w.Body.String()), " "); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	want := `[{"name":"a","hash":"` + md5of("x") + `","bytes":1,"content_type":"application/octet-stream","last_modified":"2026-09-01T12:00:00.000000"},{"subdir":"b/"}]`
	if got := c.want(200, "GET", "/c?format=json&delimiter=/&limit=2", "").Body.String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := c.want(200, "GET", "?format=json", "").Body.String(); !strings.HasPrefix(got, `[{"name":"c","count":5,"bytes":5,"last_modified":`) {
		t.Error(got)
	}
	if got := c.want(200, "GET", "/d?format=json", "").Body.String(); got != "[]" {
		t.Error(got)
	}
	if got := c.want(200, "GET", "/c?delimiter=/&prefix=b/c", "", "Accept: application/xml").Body.String(); !strings.Contains(got, `<container name="c"><subdir name="b/c/"><name>b/c/</name></subdir></container>`) {
		t.Error(got)
	}
	c.want(412, "GET", "/c?limit=10001", "")
}

func TestRangesAndConditions(t *testing.T) {
	c := newCloud(t, objectstore.Config{})
	c.want(201, "PUT", "/c", "")
	c.want(201, "PUT", "/c/o", "0123456789")
	if w := c.want(206, "GET", "/c/o", "", "Range: bytes=2-4"); w.Body.String() != "234" || w.Header().Get("Content-Range") != "bytes 2-4/10" || w.Header().Get("Etag") != md5of("0123456789") {
		t.Errorf("%q %v", w.Body, w.Header())
	}
	c.want(416, "GET", "/c/o", "", "Range: bytes=50-")
	c.want(304, "GET", "/c/o", "", "If-None-Match: "+md5of("0123456789"))
	c.want(304, "GET", "/c/o", "", `If-None-Match: "`+md5of("0123456789")+`"`)
	c.want(412, "GET", "/c/o", "", `If-Match: "other"`)
	c.want(304, "GET", "/c/o", "", "If-Modified-Since: Tue, 01 Sep 2026 12:00:01 GMT")
	c.want(412, "PUT", "/c/o", "x", "If-None-Match: *")
	c.want(201, "PUT", "/c/z", "zipped", "Content-Encoding: gzip")
	if w := c.want(200, "GET", "/c/z", ""); w.Header().Get("Content-Length") != "6" || w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("%v", w.Header())
	}
}

func TestCopies(t *testing.T) {
	c := newCloud(t, objectstore.Config{})
	c.want(201, "PUT", "/c", "")
	c.want(201, "PUT", "/c/a%20b", "data", "X-Object-Meta-K: v", "Content-Type: text/x")
	if w := c.want(201, "PUT", "/c/copy", "", "X-Copy-From: /c/a%20b", "X-Object-Meta-L: w"); w.Header().Get("X-Copied-From") != "c/a%20b" {
		t.Errorf("%v", w.Header())
	}
	c.want(201, "COPY", "/c/copy", "", "Destination: c/third")
	if w := c.want(200, "GET", "/c/third", ""); w.Body.String() != "data" || w.Header().Get("X-Object-Meta-K") != "v" || w.Header().Get("X-Object-Meta-L") != "w" || w.Header().Get("Content-Type") != "text/x" {
		t.Errorf("%q %v", w.Body, w.Header())
	}
	c.want(412, "COPY", "/c/copy", "", "Destination: nowhere")
	c.want(412, "COPY", "/c/copy", "", "Destination: c/%ff")
	c.want(404, "COPY", "/c/nope", "", "Destination: c/x")
	c.want(403, "COPY", "/c/copy", "", "Destination: c/x", "Destination-Account: AUTH_"+theirs)
	c.want(403, "PUT", "/c/x", "", "X-Copy-From: c/copy", "X-Copy-From-Account: AUTH_"+theirs)
}

func TestLargeObjects(t *testing.T) {
	c := newCloud(t, objectstore.Config{})
	for _, name := range []string{"/c", "/s"} {
		c.want(201, "PUT", name, "")
	}
	c.want(201, "PUT", "/s/p/1", "one")
	c.want(201, "PUT", "/s/p/2", "two")
	manifest := fmt.Sprintf(`[{"path":"/s/p/1","etag":"%s","size_bytes":3},{"path":"s/p/2","etag":null,"size_bytes":null}]`, md5of("one"))
	etag := `"` + md5of(md5of("one")+md5of("two")) + `"`
	if w := c.want(201, "PUT", "/c/slo?multipart-manifest=put", manifest); w.Header().Get("Etag") != etag {
		t.Errorf("%v", w.Header())
	}
	if w := c.want(206, "GET", "/c/slo", "", "Range: bytes=2-3"); w.Body.String() != "et" || w.Header().Get("X-Static-Large-Object") != "True" || w.Header().Get("Etag") != etag {
		t.Errorf("%q %v", w.Body, w.Header())
	}
	if w := c.want(200, "GET", "/c/slo?multipart-manifest=get", ""); !strings.Contains(w.Body.String(), `"name":"/s/p/1"`) {
		t.Error(w.Body)
	}
	c.want(201, "PUT", "/c/dlo", "", "X-Object-Manifest: s/p/")
	c.want(201, "PUT", "/s/p/3", "three")
	if w := c.want(200, "GET", "/c/dlo", ""); w.Body.String() != "onetwothree" || w.Header().Get("X-Object-Manifest") != "s/p/" {
		t.Errorf("%q %v", w.Body, w.Header())
	}
	c.want(400, "PUT", "/c/bad?multipart-manifest=put", strings.Replace(manifest, md5of("one"), md5of("two"), 1))
	c.want(400, "PUT", "/c/bad?multipart-manifest=put", `[]`)
	c.want(400, "PUT", "/c/bad?multipart-manifest=put", `{"path":1}`)
	c.want(400, "PUT", "/c/bad", "", "X-Object-Manifest: s")
	c.want(404, "GET", "/c/bad", "")
	c.want(201, "PUT", "/s/p/2", "TWO")
	c.want(409, "GET", "/c/slo", "")
	if w := c.want(200, "DELETE", "/c/slo?multipart-manifest=delete", ""); !strings.Contains(w.Body.String(), "Number Deleted: 3\n") {
		t.Error(w.Body)
	}
	c.want(404, "GET", "/s/p/1", "")
	if w := c.want(200, "POST", "?bulk-delete", "s/p%2F3\n/c/nope\n/s\n", "Accept: application/json"); !strings.Contains(w.Body.String(), `"Number Deleted":2`) || !strings.Contains(w.Body.String(), `"Number Not Found":1`) {
		t.Error(w.Body)
	}
}

func TestObjectsExpire(t *testing.T) {
	c := newCloud(t, objectstore.Config{})
	c.want(201, "PUT", "/c", "")
	c.want(201, "PUT", "/c/soon", "x", "X-Delete-After: 60")
	c.want(201, "PUT", "/c/later", "x", fmt.Sprintf("X-Delete-At: %d", c.now.Unix()+120))
	c.want(400, "PUT", "/c/past", "x", "X-Delete-At: 1000")
	c.want(400, "PUT", "/c/never", "x", "X-Delete-After: soon")
	c.now = c.now.Add(61 * time.Second)
	c.want(404, "GET", "/c/soon", "")
	c.want(200, "GET", "/c/later", "")
	c.now = c.now.Add(60 * time.Second)
	c.want(204, "GET", "/c", "")
}

func sign(newHash func() hash.Hash, key, method string, expires int64, path string) string {
	mac := hmac.New(newHash, []byte(key))
	fmt.Fprintf(mac, "%s\n%d\n%s", method, expires, path)
	return fmt.Sprintf("%s?temp_url_sig=%x&temp_url_expires=%d", path, mac.Sum(nil), expires)
}

func TestATempURLAdmitsOneMethodOnOneObject(t *testing.T) {
	c := newCloud(t, objectstore.Config{})
	c.want(201, "PUT", "/c", "", "X-Container-Meta-Temp-URL-Key: container")
	c.want(201, "PUT", "/c/o", "data")
	c.want(204, "POST", "", "", "X-Account-Meta-Temp-URL-Key: account")
	soon, path := c.now.Unix()+60, root+"/c/o"
	get := sign(sha256.New, "account", "GET", soon, path)
	for _, tc := range []struct {
		name, method, target string
		status               int
	}{
		{"the signed method", "GET", get, 200},
		{"sha1 and the container's key", "GET", sign(sha1.New, "container", "GET", soon, path), 200},
		{"looking with a signature to read", "HEAD", get, 200},
		{"writing with a signature to read", "PUT", get, 401},
		{"writing with one to write", "PUT", sign(sha256.New, "account", "PUT", soon, path), 201},
		{"another object", "GET", strings.Replace(get, "/c/o?", "/c/p?", 1), 401},
		{"another key", "GET", sign(sha256.New, "guess", "GET", soon, path), 401},
		{"a later expiry", "GET", strings.Replace(get, "expires=1", "expires=2", 1), 401},
		{"an expired one", "GET", sign(sha256.New, "account", "GET", soon-100, path), 401},
		{"no signature", "GET", path + "?temp_url_expires=" + fmt.Sprint(soon), 401},
		{"a manifest in passing", "PUT", sign(sha256.New, "account", "PUT", soon, path) + "&multipart-manifest=put", 400},
		{"a container", "GET", sign(sha256.New, "account", "GET", soon, root+"/c"), 401},
		{"nothing at all", "GET", path, 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if w := c.do("", tc.method, tc.target, "new"); w.Code != tc.status {
				t.Errorf("%d, want %d: %s", w.Code, tc.status, w.Body)
			}
		})
	}
}

func TestOthersSeeWhatACLsLetThem(t *testing.T) {
	c := newCloud(t, objectstore.Config{})
	for _, name := range []string{"/private", "/public", "/shared"} {
		c.want(201, "PUT", name, "")
		c.want(201, "PUT", name+"/o", "data")
	}
	c.want(204, "POST", "/public", "", "X-Container-Read: .r:*")
	c.want(204, "POST", "/shared", "", "X-Container-Read: "+theirs+":*", "X-Container-Write: "+theirs+":*")
	for _, tc := range []struct {
		name, project, method, path string
		status                      int
	}{
		{"anyone reads a public object", "", "GET", "/public/o", 200},
		{"and does not list", "", "GET", "/public", 401},
		{"nor write", "", "PUT", "/public/o", 401},
		{"nor read a private one", "", "GET", "/private/o", 401},
		{"another project does not read it either", theirs, "GET", "/private/o", 403},
		{"nor lists the account", theirs, "GET", "", 403},
		{"it reads what is shared with it", theirs, "GET", "/shared/o", 200},
		{"and lists it", theirs, "GET", "/shared", 200},
		{"and writes there", theirs, "PUT", "/shared/new", 201},
		{"but does not change the container", theirs, "POST", "/shared", 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if w := c.do(tc.project, tc.method, root+tc.path, ""); w.Code != tc.status {
				t.Errorf("%d, want %d", w.Code, tc.status)
			}
		})
	}
	if w := c.do(theirs, "GET", root+"/private", ""); w.Body.String() != "<html><h1>Forbidden</h1><p>Access was denied to this resource.</p></html>" {
		t.Error(w.Body)
	}
	if w := c.do(theirs, "PUT", root+"/shared/m", "", "X-Object-Manifest: private/o"); w.Code != 201 {
		t.Error(w.Code)
	}
	if w := c.do(theirs, "GET", root+"/shared/m", ""); w.Code != 403 {
		t.Errorf("a manifest opens a private container: %d %s", w.Code, w.Body)
	}
}

func TestBadRequestsChangeNothing(t *testing.T) {
	c := newCloud(t, objectstore.Config{MaxObjectSize: 10})
	c.want(201, "PUT", "/c", "", "X-Container-Meta-Quota-Bytes: 8")
	c.want(201, "PUT", "/c/o", "data")
	for _, tc := range []struct {
		name, method, path, body, header string
		status                           int
	}{
		{"a container's name too long", "PUT", "/" + strings.Repeat("c", 257), "", "", 400},
		{"an object's name too long", "PUT", "/c/" + strings.Repeat("o", 1025), "x", "", 400},
		{"a NUL in a name", "PUT", "/c/a%00b", "x", "", 412},
		{"a name that is not UTF-8", "PUT", "/c/%ff", "x", "", 412},
		{"no container", "PUT", "//o", "x", "", 404},
		{"another MD5", "PUT", "/c/o", "other", "Etag: " + md5of("data"), 422},
		{"more than Swift takes", "PUT", "/c/o", "01234567890", "", 413},
		{"more than the container's quota", "PUT", "/c/p", "012345", "", 413},
		{"metadata without a name", "POST", "/c/o", "", "X-Object-Meta-: x", 400},
		{"metadata too long", "POST", "/c/o", "", "X-Object-Meta-X: " + strings.Repeat("x", 257), 400},
		{"metadata that is not UTF-8", "POST", "/c/o", "", "X-Object-Meta-X: \xff", 400},
		{"an unknown policy", "PUT", "/n", "", "X-Storage-Policy: gold", 400},
		{"an unknown method", "PATCH", "/c/o", "", "", 405},
		{"deleting the account", "DELETE", "", "", "", 403},
		{"a source that is not there", "PUT", "/c/p", "", "X-Copy-From: c/nope", 404},
		{"an object that is not there", "POST", "/c/nope", "", "", 404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := c.do(mine, tc.method, root+tc.path, tc.body, tc.header)
			if w.Code != tc.status || w.Body.Len() == 0 {
				t.Errorf("%d, want %d: %s", w.Code, tc.status, w.Body)
			}
		})
	}
	if w := c.want(200, "GET", "/c", ""); w.Body.String() != "o\n" {
		t.Errorf("%q", w.Body)
	}
	if w := c.want(200, "GET", "/c/o", ""); w.Body.String() != "data" {
		t.Errorf("%q", w.Body)
	}
}

// zeros is a body of so many zero bytes that are nowhere at once.
func zeros(n int64) io.Reader { return io.LimitReader(zero{}, n) }

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type broken struct{ r io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestAnUploadIsThereWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	c := newCloud(t, objectstore.Config{Dir: dir})
	c.want(201, "PUT", "/c", "")
	for name, body := range map[string]io.Reader{"whole": zeros(100 << 20), "cut": broken{zeros(1 << 20)}} {
		r := httptest.NewRequest("PUT", root+"/c/"+name, body)
		r.Header.Set("X-Project-Id", mine)
		c.s.ServeHTTP(httptest.NewRecorder(), r)
	}
	if w := c.want(204, "HEAD", "/c", ""); w.Header().Get("X-Container-Object-Count") != "1" || w.Header().Get("X-Container-Bytes-Used") != "104857600" {
		t.Errorf("%v", w.Header())
	}
	if w := c.want(206, "GET", "/c/whole", "", "Range: bytes=104857590-"); w.Body.Len() != 10 {
		t.Errorf("%d bytes", w.Body.Len())
	}
	if files, _ := os.ReadDir(dir + "/GRA1-objectstore"); len(files) != 1 {
		t.Errorf("%d files for one object", len(files))
	}
}

func TestARestartKeepsObjects(t *testing.T) {
	dir := t.TempDir()
	c := newCloud(t, objectstore.Config{Dir: dir})
	c.want(201, "PUT", "/c", "", "X-Container-Meta-A: b")
	c.want(201, "PUT", "/c/o", "data", "X-Object-Meta-K: v")
	if err := c.s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/GRA1-objectstore/object-lost", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c = newCloud(t, objectstore.Config{Dir: dir})
	if w := c.want(200, "GET", "/c/o", ""); w.Body.String() != "data" || w.Header().Get("X-Object-Meta-K") != "v" {
		t.Errorf("%q %v", w.Body, w.Header())
	}
	if _, err := os.Stat(dir + "/GRA1-objectstore/object-lost"); err == nil {
		t.Error("data of no object is still there")
	}
}

func TestInfoNeedsNoToken(t *testing.T) {
	c := newCloud(t, objectstore.Config{})
	if w := c.do("", "GET", "/info", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"max_file_size":5368709120`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := c.do("", "GET", "/healthcheck", ""); w.Code != 200 || w.Body.String() != "OK" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func FuzzPath(f *testing.F) {
	for _, p := range []string{"/c/o", "//", "/c//../x", "/%2e%2e/o", "/c/%00", "/c/\xff"} {
		f.Add(p)
	}
	s, err := objectstore.New(objectstore.Config{Region: "GRA1"})
	if err != nil {
		f.Fatal(err)
	}
	defer s.Close()
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Opaque = root + path
		r.Header.Set("X-Project-Id", mine)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%q: %d", path, w.Code)
		}
	})
}
