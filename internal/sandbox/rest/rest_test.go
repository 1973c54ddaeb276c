package rest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// router answers with the route that was taken and its parameter.
func router(writeError func(http.ResponseWriter, *http.Request, error)) *rest.Router {
	rt := rest.NewRouter(writeError)
	for _, pattern := range []string{"GET /", "GET /things", "GET /things/{id}", "DELETE /things/{id}", "GET /things/detail", "GET /things/{id}/parts/{part}"} {
		rt.Handle(pattern, func(w http.ResponseWriter, r *rest.Request) error {
			w.Header().Set("X-Route", pattern+" "+r.Param("id")+" "+r.Param("part"))
			return rest.NoContent(w, r, http.StatusNoContent)
		})
	}
	return rt
}

func TestRouterFindsByTheEscapedPath(t *testing.T) {
	rt := router(rest.NovaError)
	for _, c := range []struct{ method, path, route string }{
		{"GET", "/", "GET /  "}, {"GET", "/things", "GET /things  "}, {"GET", "/things/", "GET /things  "}, {"HEAD", "/things", "GET /things  "},
		{"GET", "/things/detail", "GET /things/detail  "}, {"DELETE", "/things/detail", ""}, {"GET", "/things/a%2Fb", "GET /things/{id} a/b "},
		{"GET", "/things/a/parts/b", "GET /things/{id}/parts/{part} a b"}, {"GET", "/things//parts/b", ""}, {"GET", "/nothing", ""}, {"POST", "/things", ""},
	} {
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if got := w.Header().Get("X-Route"); got != c.route {
			t.Errorf("%s %s takes %q, want %q", c.method, c.path, got, c.route)
		}
		if !strings.HasPrefix(w.Header().Get("X-Openstack-Request-Id"), "req-") {
			t.Errorf("%s %s: no request id", c.method, c.path)
		}
	}
}

func FuzzRouter(f *testing.F) {
	for _, path := range []string{"/", "/things/a", "/things/%2e%2e", "//", "/things/%zz", "/things/a/parts/b/c"} {
		f.Add(path)
	}
	rt := router(rest.NeutronError)
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequest("GET", "/", nil)
		w := httptest.NewRecorder()
		rt.ServePath(w, r, path)
		if w.Code != 204 && w.Code != 404 && w.Code != 405 {
			t.Errorf("%q: %d", path, w.Code)
		}
	})
}

func TestErrorsHaveTheShapeOfTheirService(t *testing.T) {
	err := rest.TypedErrorf(http.StatusConflict, "InUse", "it is <in> use")
	for name, c := range map[string]struct {
		write func(http.ResponseWriter, *http.Request, error)
		body  string
	}{
		"Nova":    {rest.NovaError, `{"conflictingRequest":{"code":409,"message":"it is <in> use"}}`},
		"Cinder":  {rest.CinderError, `{"conflictingRequest":{"code":409,"message":"it is <in> use"}}`},
		"Neutron": {rest.NeutronError, `{"NeutronError":{"detail":"","message":"it is <in> use","type":"InUse"}}`},
		"Glance":  {rest.GlanceError, "<title>409 Conflict</title>\n </head>\n <body>\n  <h1>409 Conflict</h1>\n  it is &lt;in&gt; use<br />"},
		"newer":   {rest.JSONError, `{"message":"it is <in> use"}`},
	} {
		w := httptest.NewRecorder()
		c.write(w, httptest.NewRequest("GET", "/", nil), err)
		if w.Code != 409 || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	rest.NovaError(w, httptest.NewRequest("GET", "/", nil), os.ErrPermission)
	if w.Code != 500 || strings.Contains(w.Body.String(), os.ErrPermission.Error()) {
		t.Errorf("an internal error is shown: %s", w.Body)
	}
}

func TestPaginate(t *testing.T) {
	id := func(s string) string { return s }
	for query, c := range map[string]struct {
		want string
		more bool
		bad  bool
	}{
		"": {"abc", false, false}, "limit=2": {"ab", true, false}, "limit=3": {"abc", false, false}, "marker=a": {"bc", false, false},
		"limit=1&marker=b": {"c", false, false}, "limit=0": {"abc", false, false}, "marker=x": {bad: true}, "limit=x": {bad: true}, "limit=-1": {bad: true},
	} {
		q, _ := url.ParseQuery(query)
		page, err := rest.Paginate([]string{"a", "b", "c"}, q, 0, id)
		if (err != nil) != c.bad || strings.Join(page.Items, "") != c.want || page.More != c.more {
			t.Errorf("%s: %v %v", query, page, err)
		}
	}
}

func TestStoreKeepsStateWholeOrNotAtAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	s := rest.NewStore(dir, "things", "R1")
	got := []string{"unchanged"}
	if err := s.Load(&got); err != nil || got[0] != "unchanged" {
		t.Fatal(got, err)
	}
	if err := s.Save([]string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Load(&got); err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Fatal(got, err)
	}
	if err := s.Save(func() {}); err == nil {
		t.Error("what cannot be encoded was saved")
	}
	if err := s.Load(&got); err != nil || len(got) != 2 {
		t.Error("a failed save spoilt the state", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	if err := rest.NewStore("", "things", "R1").Save(got); err != nil {
		t.Error(err)
	}
}
