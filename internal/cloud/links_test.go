package cloud

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
)

func region() *links {
	l := newLinks("https://gw.example/v3", "https://keystone.example:5000/v3")
	l.add("nova.example:8774", "", "https://gw.example/GRA1/compute")
	l.add("cloud.example", "/image", "https://gw.example/GRA1/image")
	l.add("cloud.example", "/image2", "https://gw.example/GRA1/other")
	return l
}

// rewritten are JSON texts, and what becomes of them.
var rewritten = []struct{ text, want string }{
	{`{"href":"https://nova.example:8774/v2.1/servers/1"}`, `{"href":"https://gw.example/GRA1/compute/v2.1/servers/1"}`},
	{`{"href": "http://nova.example:8774/servers/1", "rel": "bookmark"}`, `{"href": "https://gw.example/GRA1/compute/servers/1", "rel": "bookmark"}`},
	{`["https://nova.example:8774"]`, `["https://gw.example/GRA1/compute"]`},
	{`["https://nova.example:8774?a=1"]`, `["https://gw.example/GRA1/compute?a=1"]`},
	{`["https://cloud.example/image/v2","https://cloud.example/image2/v2"]`, `["https://gw.example/GRA1/image/v2","https://gw.example/GRA1/other/v2"]`},
	{`["https://keystone.example:5000/v3/auth/tokens"]`, `["https://gw.example/v3/auth/tokens"]`},
	// What only looks like one stays.
	{`["https://nova.example:87745/v2.1"]`, `["https://nova.example:87745/v2.1"]`},
	{`["https://nova.example/v2.1"]`, `["https://nova.example/v2.1"]`},
	{`["https://cloud.example/images"]`, `["https://cloud.example/images"]`},
	{`{"note":"see https://nova.example:8774/x"}`, `{"note":"see https://nova.example:8774/x"}`},
	{`["https://other.example","httpx","http"]`, `["https://other.example","httpx","http"]`},
	{`{"next":"/v2/images?marker=1"}`, `{"next":"/v2/images?marker=1"}`},
	{`"http`, `"http`},
	{``, ``},
}

// TestLinksInABody reads each text whole, byte by byte, and as halves.
func TestLinksInABody(t *testing.T) {
	for _, c := range rewritten {
		for name, src := range map[string]io.Reader{
			"whole": strings.NewReader(c.text), "bytes": iotest.OneByteReader(strings.NewReader(c.text)), "halves": iotest.HalfReader(strings.NewReader(c.text)),
			"end with data": iotest.DataErrReader(strings.NewReader(c.text)),
		} {
			got, err := io.ReadAll(&replacer{src: io.NopCloser(src), links: region()})
			if err != nil || string(got) != c.want {
				t.Errorf("%s of %s: %s, %v", name, c.text, got, err)
			}
		}
	}
}

// FuzzReplacer holds that what is read in pieces is what is read whole, and that nothing else than links changes.
func FuzzReplacer(f *testing.F) {
	for _, c := range rewritten {
		f.Add(c.text, 3)
	}
	f.Fuzz(func(t *testing.T, text string, size int) {
		read := func(r io.Reader) string {
			got, err := io.ReadAll(&replacer{src: io.NopCloser(r), links: region()})
			if err != nil {
				t.Fatal(err)
			}
			return string(got)
		}
		whole := read(strings.NewReader(text))
		if pieces := read(iotest.OneByteReader(strings.NewReader(text))); pieces != whole {
			t.Fatalf("%q and %q", pieces, whole)
		}
		if !strings.Contains(text, `"http`) && whole != text {
			t.Fatalf("%q became %q", text, whole)
		}
	})
}

func answerOf(method, contentType, body string, length int64) *http.Response {
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {contentType}, "Content-Length": {strconv.FormatInt(length, 10)}, "Etag": {"x"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: length, Request: &http.Request{Method: method},
	}
}

func TestLengthsAfterLinksHaveChanged(t *testing.T) {
	e := &Endpoint{Scheme: "https", Host: "nova.example:8774"}
	rewrite := region().answer(e, "https://gw.example/GRA1/compute")
	link := rewritten[0]
	large := `["` + strings.Repeat("x", maxBuffered) + `",` + link.text + `]`
	for _, c := range []struct {
		what, method, contentType, body string
		length                          int64
		want, header                    string
	}{
		{"a small one is as long as it says", "GET", "application/json", link.text, int64(len(link.text)), link.want, strconv.Itoa(len(link.want))},
		{"of unknown length it goes on as it comes", "GET", "application/json; charset=utf-8", link.text, -1, link.want, ""},
		{"a large one loses its length", "GET", "application/openstack.compute+json", large, int64(len(large)), strings.Replace(large, link.text, link.want, 1), ""},
		{"what is no JSON is left alone", "GET", "application/octet-stream", link.text, int64(len(link.text)), link.text, strconv.Itoa(len(link.text))},
		{"nobody knows the length of what HEAD does not send", "HEAD", "application/json", "", 100, "", ""},
	} {
		resp := answerOf(c.method, c.contentType, c.body, c.length)
		if err := rewrite(resp); err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != c.want || resp.Header.Get("Content-Length") != c.header {
			t.Errorf("%s: %q bytes %d, %v", c.what, resp.Header.Get("Content-Length"), len(got), err)
		}
	}
	packed := answerOf("GET", "application/json", "packed", 6)
	packed.Header.Set("Content-Encoding", "gzip")
	if err := rewrite(packed); err != nil || packed.Header.Get("Content-Length") != "6" {
		t.Errorf("a packed body: %v %v", err, packed.Header)
	}
	broken := answerOf("GET", "application/json", "", 6)
	broken.Body = io.NopCloser(iotest.ErrReader(errors.New("cut")))
	if err := rewrite(broken); err == nil {
		t.Error("a body that breaks off is an answer")
	}
}

func TestAddressesInHeaders(t *testing.T) {
	e := &Endpoint{Scheme: "https", Host: "cloud.example", Prefix: "/image"}
	rewrite := region().answer(e, "https://gw.example/GRA1/image")
	resp := answerOf("GET", "text/plain", "", 0)
	resp.Header["Location"] = []string{"http://cloud.example/image/v2/images/1"}
	resp.Header["Content-Location"] = []string{"/image/v2/images/1?a=b"}
	resp.Header["Www-Authenticate"] = []string{`Keystone uri="https://keystone.example:5000/v3"`}
	if err := rewrite(resp); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Location": "https://gw.example/GRA1/image/v2/images/1", "Content-Location": "https://gw.example/GRA1/image/v2/images/1?a=b",
		"Www-Authenticate": `Keystone uri="https://gw.example/v3"`,
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	l := region()
	for _, same := range []string{"//elsewhere.example/x", "https://console.example/vnc?token=1", "images/1", "/other"} {
		if got := l.address(same, "/image", "https://gw.example/GRA1/image"); got != same {
			t.Errorf("%s became %s", same, got)
		}
	}
}

func TestRootsOfServices(t *testing.T) {
	const id = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	c := &Cloud{}
	for _, v := range []struct{ service, address, want string }{
		{"compute", "https://nova.example:8774/v2.1/" + id, "https://nova.example:8774"},
		{"compute", "https://cloud.example/compute/v2.1", "https://cloud.example/compute"},
		{"volume", "https://cloud.example/volume/v3/" + id, "https://cloud.example/volume"},
		{"image", "https://glance.example/", "https://glance.example"},
		{"image", "https://glance.example/v2", "https://glance.example"},
		{"network", "http://127.0.0.1:9696/networking", "http://127.0.0.1:9696/networking"},
		{"object-store", "https://swift.example/v1/AUTH_" + id, "https://swift.example"},
		{"object-store", "https://swift.example/v1/KEY_" + id, ""},
		{"object-store", "https://rgw.example/swift/v1", ""},
		{"compute", "http://nova.example/v2.1", ""},
		{"compute", "ftp://nova.example", ""},
		{"compute", "https://user:secret@nova.example", ""},
	} {
		e, err := c.endpoint(v.service, id, v.address)
		if err != nil && v.want != "" || err == nil && e.Root() != v.want {
			t.Errorf("%s: %v, %v", v.address, e, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("a secret is shown: %v", err)
		}
	}
	if e := (tokens.Endpoint{Region: "old"}); true {
		if name, ok := c.region(e); name != "old" || !ok {
			t.Error(name)
		}
	}
}

func TestRolesThatAdminister(t *testing.T) {
	for _, names := range [][]string{{"admin"}, {"member", "Cloud_Admin"}, {"ResellerAdmin"}, {"service"}, {"administrator"}} {
		if err := (Accept{}).roles(names); !errors.Is(err, ErrAdministrator) {
			t.Errorf("%v: %v", names, err)
		}
		if err := (Accept{Roles: names}).roles(names); err != nil {
			t.Errorf("%v, said to be harmless: %v", names, err)
		}
	}
	if err := (Accept{}).roles([]string{"member", "reader", "heat_stack_owner"}); err != nil {
		t.Error(err)
	}
}
