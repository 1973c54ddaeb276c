package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/rbac"
)

// refusedBefore asks and wants a status without anything having reached the cloud.
func (w *world) refusedBefore(t *testing.T, want int, request string) {
	t.Helper()
	resp, body := w.raw(t, request)
	if got := w.last(); resp.StatusCode != want || got != "" {
		t.Errorf("%q: %d %q, want %d; the cloud got %q", request, resp.StatusCode, body, want, got)
	}
}

func get(target string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: gw\r\nConnection: close\r\nX-Auth-Token: all\r\n\r\n"
}

// Every form of a path, for every service, is in TestOdd3_1_5_PathForms; these are the ones outside of the services' own paths.
func TestG1_AmbiguousPathsAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"//v2.1/servers", "/v2.1/%2573", "/v2.1/%FF", "/v2.1/servers#a", "/v2.1/servers%00"} {
		w.refusedBefore(t, http.StatusBadRequest, get("/GRA1/compute"+path))
	}
	w.refusedBefore(t, http.StatusNotFound, get("/GRA1/compute%2Fv2.1/servers"))
	w.refusedBefore(t, http.StatusNotFound, get("/gra1/compute/v2.1/servers"))
}

func TestG2_TheTargetIsForwardedByteForByte(t *testing.T) {
	w := newWorld(t)
	for _, target := range []string{
		"/object-store/v1/AUTH_" + projectA + "/c/a//b/./../%2F%2e%C3%A9;x%25?format=json&x=%3b+%20",
		"/object-store/v1/AUTH_" + projectA + "/c/o?",
		"/object-store/v1/AUTH_" + projectA + "/",
		"/compute/v2.1/servers?name=a%2Fb&name=&x",
		"/compute/v2.1/servers?",
		"/image/v2/images?id=in%3A1,2",
		"/network/v2.0/ports?fixed_ips=ip_address%3D1.2.3.4&fields=id&fields=name",
	} {
		resp, body := w.raw(t, get("/GRA1"+target))
		_, rest, _ := strings.Cut(target[1:], "/")
		if line, _, _ := strings.Cut(w.last(), "\r\n"); resp.StatusCode != 200 || line != "GET /"+rest+" HTTP/1.1" {
			t.Errorf("%s: %d %s: the cloud got %q", target, resp.StatusCode, body, line)
		}
	}
}

func TestG2_TheBodyThatWasJudgedIsForwardedByteForByte(t *testing.T) {
	w := newWorld(t)
	body := "{ \"createImage\" :\t{\"name\":\"\\u0061\", \"n\": 1.0e1}}\n"
	for _, framing := range []string{
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body),
		"Transfer-Encoding: chunked\r\n\r\n" + strings.TrimSuffix(chunk(body[:16]), "0\r\n\r\n") + chunk(body[16:]),
	} {
		resp, text := w.raw(t, "POST /GRA1/compute/v2.1/servers/1/action HTTP/1.1\r\nHost: gw\r\nConnection: close\r\nX-Auth-Token: all\r\n"+framing)
		if got := w.last(); resp.StatusCode != 200 || !strings.HasSuffix(got, "\r\n\r\n"+body) {
			t.Errorf("%d %s: the cloud got %q", resp.StatusCode, text, got)
		}
	}
}

// Whatever way a request takes through the classifier, an unknown spelling is refused and not matched more loosely.
func TestG3_CaseAndEscapesHaveOneReading(t *testing.T) {
	w := newWorld(t)
	w.refusedBefore(t, http.StatusForbidden, get("/GRA1/compute/v2.1/Servers"))
	w.refusedBefore(t, http.StatusForbidden, get("/GRA1/network/v2.0/security_groups"))
	w.refusedBefore(t, http.StatusBadRequest, get("/GRA1/network/v2.0/security%2Dgroups"))
	w.refusedBefore(t, http.StatusForbidden, strings.Replace(get("/GRA1/compute/v2.1/servers"), "GET", "get", 1))
	w.refusedBefore(t, http.StatusForbidden, get("/GRA1/object-store/v1/auth_"+projectA))
}

func TestG4_NoHeaderOpensAnything(t *testing.T) {
	w := newWorld(t)
	for _, h := range []string{"User-Agent: kube-probe/1.0", "X-Forwarded-For: 127.0.0.1", "X-Identity-Status: Confirmed", "X-Original-Url: /",
		"X-Auth-Token: ", "Authorization: Bearer all", "X-Storage-Token: all", "X_Auth_Token: all", "Cookie: token=all"} {
		resp, _ := w.ask(t, "GET", "/GRA1/compute/v2.1/servers", h)
		if got := w.last(); resp.StatusCode != http.StatusUnauthorized || got != "" {
			t.Errorf("%s: %d, the cloud got %q", h, resp.StatusCode, got)
		}
	}
	w.refusedBefore(t, http.StatusBadRequest, strings.Replace(get("/GRA1/compute/v2.1/servers"), "X-Auth", "X-Auth-Token: none\r\nX-Auth", 1))
}

// The rows of each service are in the TestOdd3 tests, those of the framing in the other TestG6 ones.
func TestG6_VerbsHiddenInBodyQueryOrHeader(t *testing.T) {
	w := newWorld(t)
	w.set("snap", rbac.RolesOf(rbac.ComputeSnapshotManage))
	post := func(service, path, body string, headers ...string) string {
		lines := append([]string{"POST /GRA1/" + service + path + " HTTP/1.1", "Host: gw", "Connection: close", "X-Auth-Token: snap"}, headers...)
		return strings.Join(lines, "\r\n") + "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(body)
	}
	action := "/v2.1/servers/1/action"
	w.refusedBefore(t, http.StatusRequestEntityTooLarge, post("compute", action, `{"createImage":"`+strings.Repeat("x", 1<<20)+`"}`))

	resp, _ := w.raw(t, post("compute", action, `{"createImage":{}}`, "X-HTTP-Method-Override: DELETE", "Trailer: X-Roles", "Content-Type: text/plain"))
	if got := strings.ToLower(w.last()); resp.StatusCode != 200 || strings.Contains(got, "override") || strings.Contains(got, "trailer") {
		t.Errorf("%d, the cloud got %q", resp.StatusCode, got)
	}

	swift := "/object-store/v1/AUTH_" + projectA
	w.refusedBefore(t, http.StatusForbidden, post("object-store", "/v1/AUTH_"+projectA+"?bulk-delete", "c/o"))
	for _, h := range []string{"X-Copy-From-Account", "x-symlink-target-account", "Destination-Account"} {
		resp, _ := w.ask(t, "PUT", "/GRA1"+swift+"/c/o", "X-Auth-Token: all", strings.ReplaceAll(h, "-", "_")+": AUTH_"+projectB, "Content-Length: 0")
		if got := w.last(); resp.StatusCode != 200 || strings.Contains(got, projectB) {
			t.Errorf("%s with underscores: %d, the cloud got %q", h, resp.StatusCode, got)
		}
	}
}

func chunk(body string) string {
	if body == "" {
		return "0\r\n\r\n"
	}
	const digits = "0123456789abcdef"
	size := ""
	for n := len(body); n > 0; n /= 16 {
		size = digits[n%16:n%16+1] + size
	}
	return size + "\r\n" + body + "\r\n0\r\n\r\n"
}

// identity gives the headers of a recorded request that say who asks, in the order of the names.
func identity(head string) map[string][]string {
	out := map[string][]string{}
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, ok := strings.Cut(line, ": ")
		if ok {
			out[strings.ToLower(name)] = append(out[strings.ToLower(name)], value)
		}
	}
	return out
}

func TestM1_IdentityFromOutsideNeverReachesTheCloud(t *testing.T) {
	w := newWorld(t)
	forged := []string{"X-Roles: admin", "X-Role: admin", "X-User-Id: root", "X-User: root", "X-User-Domain-Id: d", "X-Project-Id: " + projectB,
		"X-Project-Name: p", "X-Tenant-Id: " + projectB, "X-Domain-Id: d", "X-Identity-Status: Confirmed", "X-Service-Token: t", "X-Service-Roles: service",
		"X-Service-Identity-Status: Confirmed", "X-Is-Admin-Project: True", "OpenStack-System-Scope: all", "X-Service-Catalog: []", "X-Storage-Token: t",
		"X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "Forwarded: for=1.2.3.4", "X-Authorization: Proxy root",
		"Authorization: Basic eDp5", "Cookie: a=b", "X-Openstack-Request-Id: req-forged", "X-Stackgate-Missing-Role: x", "X-Backend-Storage-Policy-Index: 1",
		"X-Object-Sysmeta-X: y", "X-Real-Ip: 1.2.3.4"}
	resp, _ := w.ask(t, "GET", "/GRA1/compute/v2.1/servers/detail", append(forged, "X-Auth-Token: reader", "X-OpenStack-Nova-API-Version: 2.90")...)
	got := identity(w.last())
	want := map[string]string{"x-roles": "compute_read,image_read,volume_read,network_read", "x-user-id": "u1", "x-user-name": "robot",
		"x-project-id": projectA, "x-identity-status": "Confirmed", "x-openstack-nova-api-version": "2.90"}
	for name, value := range want {
		if len(got[name]) != 1 || got[name][0] != value {
			t.Errorf("%s: %q, want %q", name, got[name], value)
		}
	}
	for _, line := range forged {
		name, value, _ := strings.Cut(line, ": ")
		for _, v := range got[strings.ToLower(name)] {
			if v == value && want[strings.ToLower(name)] != value {
				t.Errorf("%s reached the cloud", line)
			}
		}
	}
	if resp.StatusCode != 200 || len(got["x-auth-token"]) > 0 || !strings.HasPrefix(strings.Join(got["x-openstack-request-id"], ""), "req-") {
		t.Errorf("%d %v", resp.StatusCode, got)
	}
}

func TestM2_UnderscoresAndConnectionCannotTouchOurHeaders(t *testing.T) {
	w := newWorld(t)
	resp, _ := w.ask(t, "PUT", "/GRA1/object-store/v1/AUTH_"+projectA+"/c/o", "X-Auth-Token: all", "Content-Length: 0", "X_Roles: admin", "x_user-id: root",
		"X-Project_Id: "+projectB, "X-Object-Meta-a_b: kept", "X-Object-Meta-c: kept", "X_Object_Meta_D: dropped",
		"Connection: X-Roles, X-Project-Id, X-Identity-Status, x-object-meta-c")
	head := w.last()
	got := identity(head)
	if resp.StatusCode != 200 || got["x-roles"] == nil || got["x-project-id"][0] != projectA || got["x-identity-status"] == nil {
		t.Fatalf("%d %q", resp.StatusCode, head)
	}
	for name := range got {
		if strings.Contains(name, "_") && name != "x-object-meta-a_b" {
			t.Errorf("%s reached the cloud", name)
		}
	}
	if got["x-object-meta-a_b"] == nil || got["x-object-meta-c"] != nil {
		t.Errorf("metadata: %q", head)
	}
}

func TestM3_NothingIsRememberedOfAToken(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.ask(t, "GET", "/GRA1/compute/v2.1/servers", "X-Auth-Token: reader")
	}
	w.mu.Lock()
	opens := w.opens
	delete(w.roles, "reader")
	w.mu.Unlock()
	if opens < 3 {
		t.Errorf("three calls opened the token %d times", opens)
	}
	w.last()
	if resp, _ := w.ask(t, "GET", "/GRA1/compute/v2.1/servers", "X-Auth-Token: reader"); resp.StatusCode != 401 || w.last() != "" {
		t.Errorf("a token that is gone: %d", resp.StatusCode)
	}
}
