package compute

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// maxVersion is the newest microversion answered: 2.90, OpenStack Xena, which all clients in use negotiate.
const maxVersion = 90

// versioned joins a handler that exists since a microversion with the negotiation of API-SIG's microversions.
func (s *Service) versioned(h handler, from int) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		v, err := microversion(r)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("2.%d", v)
		w.Header().Set("OpenStack-API-Version", "compute "+text)
		w.Header().Set("X-OpenStack-Nova-API-Version", text)
		w.Header().Add("Vary", "OpenStack-API-Version")
		w.Header().Add("Vary", "X-OpenStack-Nova-API-Version")
		if v < from {
			return rest.Errorf(http.StatusNotFound, "The resource could not be found.")
		}
		return h(w, &call{r, v, w.Header().Get("X-Openstack-Request-Id")})
	}
}

// microversion reads the newer header, then the older one; without either it is 2.1. The root /v2 knows none.
func microversion(r *rest.Request) (int, error) {
	if root, _ := splitVersion(r.URL.EscapedPath()); root == "v2" {
		return 1, nil
	}
	text := ""
	for _, line := range r.Header.Values("OpenStack-API-Version") {
		for part := range strings.SplitSeq(line, ",") {
			service, v, _ := strings.Cut(strings.TrimSpace(part), " ")
			if service == "compute" {
				text = strings.TrimSpace(v)
			}
		}
	}
	if text == "" {
		text = r.Header.Get("X-OpenStack-Nova-API-Version")
	}
	switch strings.ToLower(text) {
	case "":
		return 1, nil
	case "latest":
		return maxVersion, nil
	}
	return parseVersion(text)
}

func parseVersion(text string) (int, error) {
	majorText, minorText, _ := strings.Cut(text, ".")
	major, err1 := strconv.ParseUint(majorText, 10, 16)
	minor, err2 := strconv.ParseUint(minorText, 10, 16)
	if err1 != nil || err2 != nil {
		return 0, rest.Errorf(http.StatusBadRequest, "API Version String %s is of invalid format. Must be of format MajorNum.MinorNum.", text)
	}
	if major != 2 || minor < 1 || minor > maxVersion {
		return 0, rest.Errorf(http.StatusNotAcceptable, "Version %s is not supported by the API. Minimum is 2.1 and maximum is 2.%d.", text, maxVersion)
	}
	return int(minor), nil
}

// versionDocuments answers /, /v2 and /v2.1, which need no token.
func (s *Service) versionDocuments(w http.ResponseWriter, r *http.Request, root string) {
	req := &rest.Request{Request: r}
	var err error
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		err = rest.Errorf(http.StatusMethodNotAllowed, "The method is not allowed for this resource.")
	case root == "":
		err = rest.WriteJSON(w, req, http.StatusOK, map[string]any{"versions": []any{s.versionDocument("v2.0"), s.versionDocument("v2.1")}})
	case root == "v2" || root == "v2.0":
		err = rest.WriteJSON(w, req, http.StatusOK, map[string]any{"version": s.versionDocument("v2.0")})
	case root == "v2.1":
		err = rest.WriteJSON(w, req, http.StatusOK, map[string]any{"version": s.versionDocument("v2.1")})
	default:
		err = rest.Errorf(http.StatusNotFound, "The resource could not be found.")
	}
	if err != nil {
		rest.NovaError(w, r, err)
	}
}

func (s *Service) versionDocument(id string) map[string]any {
	doc := map[string]any{
		"id": id, "status": "SUPPORTED", "version": "", "min_version": "", "updated": "2011-01-21T11:33:21Z",
		"links":       []map[string]string{{"rel": "self", "href": rest.ExternalURL(s.c.PublicURL, "/v2/")}},
		"media-types": []map[string]string{{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2"}},
	}
	if id == "v2.1" {
		doc["status"], doc["version"], doc["min_version"] = "CURRENT", fmt.Sprintf("2.%d", maxVersion), "2.1"
		doc["updated"] = "2013-07-23T11:33:21Z"
		doc["links"] = []map[string]string{{"rel": "self", "href": rest.ExternalURL(s.c.PublicURL, "/v2.1/")}}
		doc["media-types"] = []map[string]string{{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}}
	}
	return doc
}
