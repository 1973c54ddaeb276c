package image

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
	"github.com/stackgate/stackgate/internal/web"
)

func invalid(format string, args ...any) error {
	return rest.Errorf(http.StatusBadRequest, format, args...)
}

func denied(format string, args ...any) error {
	return rest.Errorf(http.StatusForbidden, format, args...)
}

func notFound(format string, args ...any) error {
	return rest.Errorf(http.StatusNotFound, format, args...)
}

func conflict(format string, args ...any) error {
	return rest.Errorf(http.StatusConflict, format, args...)
}

func noImage(id string) error { return notFound("No image found with ID %s", id) }

// ServeHTTP answers one call. Paths are those behind the endpoint's root. Glance takes any v2.N for v2, and answers whatever
// names no version of its own with the version document.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	if version != "v2" && !strings.HasPrefix(version, "v2.") {
		web.Handler(func(w http.ResponseWriter, r *http.Request) error { return s.versions(w, r, version) }, writeError).ServeHTTP(w, r)
		return
	}
	s.router.ServePath(w, r, "/"+path)
}

func writeError(w http.ResponseWriter, r *http.Request, err error) { rest.GlanceError(w, r, err) }

func (s *Service) routes() *rest.Router {
	rt := rest.NewRouter(writeError)
	for pattern, h := range map[string]rest.Handler{
		"GET /images":                          s.list,
		"POST /images":                         s.create,
		"GET /images/{id}":                     s.show,
		"PATCH /images/{id}":                   s.patch,
		"DELETE /images/{id}":                  s.delete,
		"GET /images/{id}/file":                s.download,
		"PUT /images/{id}/file":                s.upload,
		"PUT /images/{id}/stage":               s.stage,
		"POST /images/{id}/import":             s.importStaged,
		"GET /images/{id}/tasks":               s.tasks,
		"GET /images/{id}/members":             s.members,
		"POST /images/{id}/members":            s.addMember,
		"GET /images/{id}/members/{member}":    s.member,
		"PUT /images/{id}/members/{member}":    s.setMember,
		"DELETE /images/{id}/members/{member}": s.removeMember,
		"PUT /images/{id}/tags/{tag}":          s.addTag,
		"DELETE /images/{id}/tags/{tag}":       s.removeTag,
		"POST /images/{id}/actions/deactivate": s.deactivate,
		"POST /images/{id}/actions/reactivate": s.reactivate,
		"GET /schemas/{name}":                  s.schema,
		"GET /info/import":                     s.infoImport,
		"GET /info/stores":                     s.infoStores,
	} {
		rt.Handle(pattern, identified(h))
	}
	return rt
}

// identified refuses calls that no project makes, as auth_token does before Glance sees them.
func identified(h rest.Handler) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		if r.ProjectID == "" {
			return rest.Errorf(http.StatusUnauthorized, "This server could not verify that you are authorized to access the document you requested.")
		}
		return h(w, r)
	}
}

// versions is the version document, which needs no token: 300 everywhere but at /versions, as Glance answers.
func (s *Service) versions(w http.ResponseWriter, r *http.Request, path string) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return rest.Errorf(http.StatusMethodNotAllowed, "The method specified is not allowed for this resource.")
	}
	type link struct {
		Rel  string `json:"rel"`
		Href string `json:"href"`
	}
	type version struct {
		ID     string `json:"id"`
		Status string `json:"status"`
		Links  []link `json:"links"`
	}
	var all []version
	for _, n := range []int{16, 15, 13, 11, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0} {
		status := "SUPPORTED"
		if n == 16 {
			status = "CURRENT"
		}
		all = append(all, version{fmt.Sprintf("v2.%d", n), status, []link{{"self", rest.ExternalURL(s.root(r), "v2/")}}})
	}
	status := http.StatusMultipleChoices
	if path == "versions" {
		status = http.StatusOK
	}
	rest.SetRequestID(w, r)
	return web.WriteJSON(w, status, map[string]any{"versions": all})
}

// root is the endpoint's root.
func (s *Service) root(r *http.Request) string {
	if s.c.PublicURL != "" {
		return s.c.PublicURL
	}
	return "http://" + r.Host
}
