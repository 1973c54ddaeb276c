package rbac

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTargetsThatAreRefused(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing":                         "",
		"no path":                         "?a=b",
		"two slashes in front":            "//v2.1/servers",
		"two slashes inside":              "/v2.1//servers",
		"a dot segment":                   "/v2.1/./servers",
		"a parent segment":                "/v2.1/x/../servers",
		"a parent segment at the end":     "/v2.1/servers/..",
		"a trailing slash":                "/v2.1/servers/",
		"an encoded slash":                "/v2.1/servers%2Fdetail",
		"an encoded slash, small":         "/v2.1/servers%2fdetail",
		"a backslash":                     `/v2.1\servers`,
		"an encoded backslash":            "/v2.1%5Cservers",
		"an encoded dot":                  "/v2.1/%2e%2e/servers",
		"an encoded letter":               "/v2.1/%73ervers",
		"a NUL":                           "/v2.1/servers/a%00b",
		"a control character":             "/v2.1/servers/a%0Ab",
		"a semicolon":                     "/v2.1/servers;x=1",
		"an encoded semicolon":            "/v2.1/servers%3Bx",
		"a fragment":                      "/v2.1/servers#x",
		"an encoded hash":                 "/v2.1/servers/a%23",
		"double encoding":                 "/v2.1/servers/%252e",
		"half an escape":                  "/v2.1/servers/%2",
		"no escape":                       "/v2.1/servers/%zz",
		"bad UTF-8":                       "/v2.1/servers/%ff",
		"overlong UTF-8":                  "/v2.1/servers/%c0%af",
		"a surrogate":                     "/v2.1/servers/%ed%a0%80",
		"half a character":                "/v2.1/servers/%c3",
		"a raw byte":                      "/v2.1/servers/\xc3\xa9",
		"a space":                         "/v2.1/servers/a b",
		"another method":                  "/v2.1/servers?_method=DELETE",
		"another method, escaped":         "/v2.1/servers?%5Fmethod=DELETE",
		"another method in capitals":      "/v2.1/servers?_METHOD=DELETE",
		"another method after another":    "/v2.1/servers?a=1&__method=DELETE",
		"another method, in a value":      "/v2.1/servers?%5Fmethod=DELETE&a=_method",
		"another method by a semicolon":   "/v2.1/servers?a=1;_method=DELETE",
		"a semicolon in the query":        "/v2.1/servers?a=1;b=2",
		"a fragment in the query":         "/v2.1/servers?a#b",
		"half an escape in the query":     "/v2.1/servers?a=%4",
		"bad UTF-8 in the query":          "/v2.1/servers?a=%ff",
		"an escape that isn't in a query": "/v2.1/servers?%zz",
	} {
		if _, reason := ParseTarget(Compute, raw); reason == "" {
			t.Errorf("%s: %q accepted", name, raw)
		}
	}
	for name, raw := range map[string]string{
		"a slash in the account":        "/v1/AUTH_a%2Fb",
		"an escape in the account":      "/v1/%41UTH_a/c/o",
		"a dot segment as container":    "/v1/AUTH_a/../o",
		"an empty container":            "/v1/AUTH_a//o",
		"a slash in the container":      "/v1/AUTH_a/c%2Fo",
		"a NUL in an object's name":     "/v1/AUTH_a/c/%00",
		"bad UTF-8 in an object's name": "/v1/AUTH_a/c/%ff",
		"another method":                "/v1/AUTH_a/c/o?_method=DELETE",
	} {
		if _, reason := ParseTarget(ObjectStore, raw); reason == "" {
			t.Errorf("%s: %q accepted", name, raw)
		}
	}
}

func TestTargetsThatAreAccepted(t *testing.T) {
	for _, c := range []struct {
		s   Service
		raw string
	}{
		{Compute, "/"}, {Compute, "/v2.1"}, {Compute, "/v2.1/"}, {Volume, "/v3/"}, {Compute, "/v2.1/servers/detail?"},
		{Compute, "/v2.1/servers/a/tags/%C3%A9%20x"}, {Image, "/v2/images?id=in%3Aa,b&x=%3B"}, {Network, "/v2.0/ports/1/tags/a:b@c"},
		{ObjectStore, "/v1/AUTH_a/"}, {ObjectStore, "/v1/AUTH_a/c/"}, {ObjectStore, "/v1/AUTH_a/c/a//b/../c/./%2F%2e;x%25%5C%23%3f"},
		{ObjectStore, "/v1/AUTH_a/c%20d/o"},
	} {
		if _, reason := ParseTarget(c.s, c.raw); reason != "" {
			t.Errorf("%s %s: %s", c.s, c.raw, reason)
		}
	}
}

// FuzzClassify wants: no panic; what is accepted is one path to every reader; only what the table names is ever allowed.
func FuzzClassify(f *testing.F) {
	tab := table(f)
	for _, op := range tab.Operations() {
		f.Add(uint8(0), op.Method, "/v2.1"+op.Path, `{"server":{}}`)
	}
	f.Add(uint8(4), "PUT", "/v1/AUTH_a/c/../x?temp_url_sig=1", "")
	f.Add(uint8(3), "POST", "/v2.0/networks", `{"networks":[{"shared":true}]}`)
	f.Add(uint8(2), "PATCH", "/v2/images/1", `[{"op":"replace","path":"/visibility","value":"public"}]`)
	f.Add(uint8(0), "GET", "/v2.1/%2e%2e/a?%5fmethod=x", "")
	services := Services()
	f.Fuzz(func(t *testing.T, which uint8, method, raw, body string) {
		s := services[int(which)%len(services)]
		tgt, reason := ParseTarget(s, raw)
		if reason != "" {
			if tgt != (Target{}) {
				t.Fatal("a refused target is not empty")
			}
			return
		}
		u, err := url.ParseRequestURI(raw)
		if err != nil || !utf8.ValidString(u.Path) || strings.ContainsRune(u.Path, 0) {
			t.Fatalf("%q was accepted; the standard library says %v", raw, err)
		}
		if s != ObjectStore && (strings.Contains(u.Path, "//") || strings.Contains(u.Path+"/", "/../") || strings.Contains(u.Path, ";")) {
			t.Fatalf("%q was accepted", raw)
		}
		if q, err := url.QueryUnescape(u.RawQuery); err != nil || strings.Contains(strings.ToLower(q), "_method") {
			t.Fatalf("the query of %q was accepted", raw)
		}
		req := Request{Target: tgt, Method: method, Project: "p", Header: map[string][]string{}}
		if d := tab.Classify(req); d.Verdict == NeedsBody {
			req.Body, req.HasBody = []byte(body), true
			if d = tab.Classify(req); d.Verdict == NeedsBody {
				t.Fatal("asks for the body again")
			}
		}
	})
}
