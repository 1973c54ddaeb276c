package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/web"
)

// serve runs one request through a pipeline and gives the answer and the one record.
func serve(t *testing.T, c web.Config, h http.Handler, req *http.Request) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	var log bytes.Buffer
	c.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	rec := httptest.NewRecorder()
	web.New(c).Wrap(h).ServeHTTP(rec, req)
	var record map[string]any
	if err := json.Unmarshal(log.Bytes(), &record); err != nil {
		t.Fatalf("not one record: %v\n%s", err, log.String())
	}
	return rec, record
}

func TestOneRecordForEachRequest(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := web.EventOf(r.Context())
		e.Caller, e.Operation, e.Decision = "urn:x", "servers:list", "granted"
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "tea")
	})
	_, record := serve(t, web.Config{}, h, httptest.NewRequest("GET", "/x?temp_url_sig=secret", nil))
	for key, want := range map[string]any{
		"path": "/x", "status": 418.0, "bytes": 3.0, "caller": "urn:x", "operation": "servers:list", "decision": "granted", "address": "192.0.2.1", "level": "INFO",
	} {
		if record[key] != want {
			t.Errorf("%s is %v, want %v", key, record[key], want)
		}
	}
	if strings.Contains(fmt.Sprint(record), "secret") {
		t.Errorf("the query is in the record: %v", record)
	}
}

func TestAPanicIsA500WithoutDetails(t *testing.T) {
	rec, record := serve(t, web.Config{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("inner detail") }), httptest.NewRequest("GET", "/", nil))
	if rec.Code != http.StatusInternalServerError || strings.Contains(rec.Body.String(), "inner") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if !strings.Contains(fmt.Sprint(record["error"]), "inner detail") || record["level"] != "ERROR" {
		t.Errorf("the record does not say what happened: %v", record)
	}
}

func TestAnAbortPassesThrough(t *testing.T) {
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the abort was swallowed")
		}
	}()
	serve(t, web.Config{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), httptest.NewRequest("GET", "/", nil))
}

func TestTheClientsAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for name, v := range map[string]struct{ peer, forwarded, want string }{
		"a peer that is no proxy is the client, whatever it says": {"203.0.113.5:1", "198.51.100.1", "203.0.113.5"},
		"the rightmost hop that is no proxy is the client":        {"10.0.0.1:1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
		"a proxy without the header is the client":                {"10.0.0.1:1", "", "10.0.0.1"},
		"nothing but proxies gives the leftmost":                  {"10.0.0.1:1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
		"what a proxy says and nobody can read is unknown":        {"10.0.0.1:1", "unknown", "invalid IP"},
		"an IPv4 address in an IPv6 one is an IPv4 address":       {"[::ffff:203.0.113.5]:1", "", "203.0.113.5"},
		"an IPv4-mapped hop is unmapped before it is compared":    {"10.0.0.1:1", "198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1"},
		"IPv6 proxies count":                                      {"[2001:db8::1]:1", "2001:db9::7", "2001:db9::7"},
		"a peer that is no address is unknown":                    {"@", "", "invalid IP"},
	} {
		req := httptest.NewRequest("GET", "/", nil)
		req.RemoteAddr = v.peer
		if v.forwarded != "" {
			req.Header.Set("X-Forwarded-For", v.forwarded)
		}
		_, record := serve(t, web.Config{TrustedProxies: trusted}, http.NotFoundHandler(), req)
		if record["address"] != v.want {
			t.Errorf("%s: %v, want %s", name, record["address"], v.want)
		}
	}
}

func TestBodiesHaveALimit(t *testing.T) {
	for size, want := range map[int]int{10: 0, 11: http.StatusRequestEntityTooLarge} {
		req := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", size)))
		_, err := web.ReadBody(httptest.NewRecorder(), req, 10)
		if e, ok := web.AsError(err); ok && e.Status != want || !ok && want != 0 {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestDecodeIsStrict(t *testing.T) {
	type body struct {
		Name string   `json:"name"`
		Size int      `json:"size"`
		List []string `json:"list"`
	}
	for text, want := range map[string]string{
		`{"name":"a","size":1,"list":["x"]}`: "",
		`{"name":"a","name":"b"}`:            `member "/name" appears twice`,
		`{"name":"a","n\u0061me":"b"}`:       `member "/name" appears twice`,
		`{"name":1}`:                         `member "/name" must be a string`,
		`{"size":"1"}`:                       `member "/size" must be a`,
		`{"list":{}}`:                        `member "/list" must be an array`,
		`{"NAME":"a"}`:                       `unknown member "/NAME"`,
		`{"other":{"deep":1}}`:               `unknown member "/other"`,
		`{"name":"a"} {}`:                    `syntax error at byte`,
		"{\"name\":\"\xff\"}":                ``,
		``:                                   `it is empty`,
		`{"name":`:                           ``,
	} {
		var b body
		err := web.Decode([]byte(text), &b, web.RefuseUnknown)
		if text == `{"name":"a","size":1,"list":["x"]}` {
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		e, ok := web.AsError(err)
		if !ok || e.Status != http.StatusBadRequest || !strings.Contains(e.Message, want) {
			t.Errorf("%s: %v, want a 400 with %q", text, err, want)
		}
	}
	var b body
	if err := web.Decode([]byte(`{"name":"a","other":1}`), &b, web.IgnoreUnknown); err != nil || b.Name != "a" {
		t.Errorf("an unknown member that may be ignored: %v", err)
	}
}

func TestHandlersErrorsReachTheWriter(t *testing.T) {
	failed := errors.New("x")
	var got error
	h := web.Handler(func(http.ResponseWriter, *http.Request) error { return failed }, func(_ http.ResponseWriter, _ *http.Request, err error) { got = err })
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if !errors.Is(got, failed) {
		t.Error(got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"a":"b"}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v struct {
			A string `json:"a"`
		}
		err := web.Decode(data, &v, web.RefuseUnknown)
		if e, ok := web.AsError(err); err != nil && (!ok || e.Status != http.StatusBadRequest) {
			t.Errorf("%q: %v", data, err)
		}
	})
}
