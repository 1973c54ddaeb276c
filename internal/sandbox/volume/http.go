package volume

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
	"github.com/stackgate/stackgate/internal/web"
)

const (
	maxBody       = 1 << 20
	newest        = 70 // the newest microversion, 3.70
	versionHeader = "OpenStack-Api-Version"
)

// ServeHTTP answers one call. Paths are those behind the endpoint's root; the project in them may be left out.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	switch {
	case version == "" || version == "v3" && path == "":
		s.versions(w, r, version)
	case version != "v3":
		rest.CinderError(w, r, notFound("The resource could not be found."))
	default:
		s.serve(w, r, path)
	}
}

// serve checks the microversion and the project in the path, in this order, as Cinder does, and then routes.
func (s *Service) serve(w http.ResponseWriter, r *http.Request, path string) {
	minor, err := microversion(r.Header)
	if err != nil {
		rest.CinderError(w, r, err)
		return
	}
	w.Header().Set(versionHeader, fmt.Sprintf("volume 3.%d", minor))
	w.Header().Add("Vary", versionHeader)
	who := rest.IdentityOf(r)
	if who.ProjectID == "" {
		rest.CinderError(w, r, rest.Errorf(http.StatusUnauthorized, "The request you have made requires authentication."))
		return
	}
	if project, tail, _ := strings.Cut(path, "/"); isProject(project) {
		if project != who.ProjectID {
			rest.CinderError(w, r, invalid("Malformed request url"))
			return
		}
		path = tail
	}
	body, err := web.ReadBody(w, r, maxBody)
	if err != nil {
		rest.CinderError(w, r, err)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body)) // read before the lock is taken, so that a slow client holds up nobody
	s.router.ServePath(w, r, "/"+path)
}

// isProject matches as Cinder's routes do: hexadecimal digits and hyphens, which no collection's name consists of.
func isProject(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdef-") == "" }

var versionForm = regexp.MustCompile(`^([1-9]\d*)\.([1-9]\d*|0)$`)

// microversion reads which of 3.0 … 3.70 the client wants; without a word it is 3.0.
func microversion(h http.Header) (int, error) {
	for item := range strings.SplitSeq(strings.Join(h.Values(versionHeader), ","), ",") {
		service, version, _ := strings.Cut(strings.TrimSpace(item), " ")
		if service != "volume" {
			continue
		}
		if version == "latest" {
			return newest, nil
		}
		m := versionForm.FindStringSubmatch(version)
		if m == nil {
			return 0, invalid("API Version String %s is of invalid format. Must be of format MajorNum.MinorNum.", version)
		}
		minor, err := strconv.Atoi(m[2])
		if m[1] != "3" || err != nil || minor > newest {
			return 0, rest.Errorf(http.StatusNotAcceptable, "Version %s is not supported by the API. Minimum is 3.0 and maximum is 3.%d.", version, newest)
		}
		return minor, nil
	}
	return 0, nil
}

// minor gives the microversion that serve found good.
func minor(r *rest.Request) int {
	n, _ := microversion(r.Header) // was checked before routing
	return n
}

// versions is the version document, which needs no token.
func (s *Service) versions(w http.ResponseWriter, r *http.Request, version string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		rest.CinderError(w, r, rest.Errorf(http.StatusMethodNotAllowed, "The method is not allowed for this resource."))
		return
	}
	status := http.StatusMultipleChoices
	if version != "" {
		status = http.StatusOK
	}
	rest.SetRequestID(w, r)
	_ = web.WriteJSON(w, status, map[string]any{"versions": []any{map[string]any{ // constants always encode
		"id": "v3.0", "status": "CURRENT", "version": fmt.Sprintf("3.%d", newest), "min_version": "3.0", "updated": "2022-08-31T00:00:00Z",
		"links": []any{
			map[string]string{"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
			map[string]string{"rel": "self", "href": rest.ExternalURL(s.root(r), "v3/")},
		},
		"media-types": []any{map[string]string{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}},
	}}})
}

func (s *Service) root(r *http.Request) string {
	if s.c.PublicURL != "" {
		return s.c.PublicURL
	}
	return "http://" + r.Host
}

func (s *Service) routes() *rest.Router {
	rt := rest.NewRouter(rest.CinderError)
	handle := func(pattern string, h rest.Handler) { rt.Handle(pattern, s.locked(h)) }
	for pattern, h := range map[string]rest.Handler{
		"GET /volumes":                     s.listVolumes,
		"GET /volumes/detail":              s.listVolumes,
		"GET /volumes/summary":             s.summary,
		"POST /volumes":                    s.createVolume,
		"GET /volumes/{id}":                s.showVolume,
		"PUT /volumes/{id}":                s.updateVolume,
		"DELETE /volumes/{id}":             s.deleteVolume,
		"POST /volumes/{id}/action":        s.volumeAction,
		"GET /volumes/{id}/encryption":     s.encryption,
		"GET /snapshots":                   s.listSnapshots,
		"GET /snapshots/detail":            s.listSnapshots,
		"POST /snapshots":                  s.createSnapshot,
		"GET /snapshots/{id}":              s.showSnapshot,
		"PUT /snapshots/{id}":              s.updateSnapshot,
		"DELETE /snapshots/{id}":           s.deleteSnapshot,
		"POST /snapshots/{id}/action":      adminOnly,
		"GET /backups":                     s.listBackups,
		"GET /backups/detail":              s.listBackups,
		"POST /backups":                    s.createBackup,
		"GET /backups/{id}":                s.showBackup,
		"PUT /backups/{id}":                s.updateBackup,
		"DELETE /backups/{id}":             s.deleteBackup,
		"POST /backups/{id}/restore":       s.restoreBackup,
		"POST /backups/{id}/action":        adminOnly,
		"GET /backups/{id}/export_record":  adminOnly,
		"GET /types":                       s.listTypes,
		"GET /types/{id}":                  s.showType,
		"GET /types/{id}/extra_specs":      s.extraSpecs,
		"POST /types":                      adminOnly,
		"DELETE /types/{id}":               adminOnly,
		"GET /os-availability-zone":        s.zones,
		"GET /limits":                      s.limits,
		"GET /os-quota-sets/{id}":          s.quotaSet,
		"GET /os-quota-sets/{id}/defaults": s.quotaSet,
		"PUT /os-quota-sets/{id}":          adminOnly,
		"DELETE /os-quota-sets/{id}":       adminOnly,
		"GET /extensions":                  s.extensions,
		"GET /extensions/{id}":             s.extension,
		"GET /attachments":                 s.listAttachments,
		"GET /attachments/detail":          s.listAttachments,
		"POST /attachments":                s.createAttachment,
		"GET /attachments/{id}":            s.showAttachment,
		"PUT /attachments/{id}":            s.updateAttachment,
		"DELETE /attachments/{id}":         s.deleteAttachment,
		"POST /attachments/{id}/action":    s.completeAttachment,
		"GET /os-services":                 adminOnly,
		"GET /qos-specs":                   adminOnly,
		"GET /scheduler-stats/get_pools":   adminOnly,
		"GET /messages":                    empty("messages"),
		"GET /groups":                      empty("groups"),
		"GET /groups/detail":               empty("groups"),
		"GET /group_snapshots":             empty("group_snapshots"),
		"GET /group_snapshots/detail":      empty("group_snapshots"),
		"GET /group_types":                 empty("group_types"),
		"GET /resource_filters":            empty("resource_filters"),
	} {
		handle(pattern, h)
	}
	for _, kind := range []string{"volumes", "snapshots"} {
		handle("GET /"+kind+"/{id}/metadata", s.getMetadata(kind))
		handle("POST /"+kind+"/{id}/metadata", s.setMetadata(kind, false))
		handle("PUT /"+kind+"/{id}/metadata", s.setMetadata(kind, true))
		handle("GET /"+kind+"/{id}/metadata/{key}", s.getMetadataKey(kind))
		handle("PUT /"+kind+"/{id}/metadata/{key}", s.setMetadataKey(kind))
		handle("DELETE /"+kind+"/{id}/metadata/{key}", s.deleteMetadataKey(kind))
	}
	for _, kind := range []string{"os-volume-transfer", "volume-transfers"} {
		handle("GET /"+kind, s.listTransfers)
		handle("GET /"+kind+"/detail", s.listTransfers)
		handle("POST /"+kind, s.createTransfer)
		handle("GET /"+kind+"/{id}", s.showTransfer)
		handle("DELETE /"+kind+"/{id}", s.deleteTransfer)
		handle("POST /"+kind+"/{id}/accept", s.acceptTransfer)
	}
	return rt
}

// locked runs a handler with the mutex held; the body is here already.
func (s *Service) locked(h rest.Handler) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		s.lock()
		defer s.mu.Unlock()
		return h(w, r)
	}
}

func adminOnly(_ http.ResponseWriter, r *rest.Request) error {
	return rest.Errorf(http.StatusForbidden, "Policy doesn't allow this call to be performed: it is the cloud administrator's.")
}

func empty(name string) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		return rest.WriteJSON(w, r, http.StatusOK, map[string]any{name: []any{}})
	}
}
