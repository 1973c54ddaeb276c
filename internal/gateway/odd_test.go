package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/rbac"
)

// An odd is a request as no usual client sends it, and what becomes of it. One with the status 200 reaches the cloud, with its target
// and its body byte for byte as they came; nothing of the others does, and they are answered in the service's own shape.
type odd struct {
	call   string // METHOD /service/path, and below it lines of headers
	status int
	body   string
}

const (
	ok        = http.StatusOK
	bad       = http.StatusBadRequest
	forbidden = http.StatusForbidden
	absent    = http.StatusNotFound
)

// oddly sends the requests with the token, on a socket of their own each.
func (w *world) oddly(t *testing.T, token string, odds ...odd) {
	t.Helper()
	for _, o := range odds {
		t.Run(token+" "+o.call+" "+o.body, func(t *testing.T) { w.one(t, token, o) })
	}
}

func (w *world) one(t *testing.T, token string, o odd) {
	line, headers, _ := strings.Cut(o.call, "\n")
	method, target, _ := strings.Cut(line, " ")
	service, rest, _ := strings.Cut(target[1:], "/")
	request := method + " /GRA1" + target + " HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
	if token != "" {
		request += "X-Auth-Token: " + token + "\r\n"
	}
	for h := range strings.Lines(headers) {
		request += strings.TrimSuffix(h, "\n") + "\r\n"
	}
	if o.body != "" {
		request += "Content-Length: " + strconv.Itoa(len(o.body)) + "\r\n"
	}
	resp, answer := w.raw(t, request+"\r\n"+o.body)
	got := w.arrived()
	if resp.StatusCode != o.status {
		t.Fatalf("%d %s, want %d; the cloud got %q", resp.StatusCode, answer, o.status, got)
	}
	if o.status != ok {
		if len(got) > 0 || !shaped(rbac.Service(service), method, o.status, answer) {
			t.Errorf("answered %q; the cloud got %q", answer, got)
		}
		return
	}
	if len(got) != 1 {
		t.Fatalf("%d requests reached the cloud: %q", len(got), got)
	}
	head, body, _ := strings.Cut(got[0], "\r\n\r\n")
	if first, _, _ := strings.Cut(head, "\r\n"); first != method+" /"+rest+" HTTP/1.1" || body != o.body || strings.Contains(head, "X-Auth-Token") {
		t.Errorf("the cloud got %q", got[0])
	}
}

// shaped reports whether an answer looks like the service's own.
func shaped(s rbac.Service, method string, status int, answer string) bool {
	text := http.StatusText(status)
	switch {
	case method == http.MethodHead:
		return answer == ""
	case s == rbac.ObjectStore:
		return strings.HasPrefix(answer, "<html><h1>"+text+"</h1><p>") && strings.HasSuffix(answer, "</p></html>")
	case s == rbac.Image && status != http.StatusUnauthorized:
		return strings.HasPrefix(answer, "<html>\n <head>\n  <title>"+strconv.Itoa(status)+" "+text+"</title>")
	case s == rbac.AITraining:
		var e map[string]string
		return json.Unmarshal([]byte(answer), &e) == nil && len(e) == 1 && e["message"] != ""
	}
	var e map[string]map[string]any
	if json.Unmarshal([]byte(answer), &e) != nil || len(e) != 1 {
		return false
	}
	if status == http.StatusUnauthorized {
		return e["error"]["code"] == float64(status)
	}
	if s == rbac.Network {
		return e["NeutronError"]["type"] != nil && e["NeutronError"]["message"] != ""
	}
	for _, fault := range e {
		return fault["code"] == float64(status) && fault["message"] != ""
	}
	return false
}

// everyRole gives a world in which each role's name is a token that has that role alone.
func everyRole(t *testing.T) *world {
	w := newWorld(t)
	for r := range rbac.AllRoles.All() {
		w.set(r.String(), rbac.RolesOf(r))
	}
	return w
}
