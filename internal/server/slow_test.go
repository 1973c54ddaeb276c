package server_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/servertest"
)

// exchange writes to a connection of its own and gives the status of the first answer, or 0, once the server has closed.
func exchange(t *testing.T, address, request string) (status int) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, request)
	must(t, err)
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err == nil {
		status = resp.StatusCode
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		if e, ok := err.(net.Error); ok && e.Timeout() {
			t.Errorf("the connection stays open: %q", request)
		}
	}
	return status
}

// Whoever sends a body that does not come gets an answer if anybody wants to know what is in it, and loses the connection, whatever is at the
// address.
func TestABodyThatDoesNotComeEndsTheConnection(t *testing.T) {
	s := servertest.Start(t, func(c *server.Config) { c.BodyWait = 50 * time.Millisecond })
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	metrics := probe.Addr().String()
	must(t, probe.Close())
	address, stop := serve(t, s, server.Listen{Metrics: metrics})
	token := s.Scoped(s.ServiceAccount("all", "publicCloudProject:openstack:administrator"))
	header := " HTTP/1.1\r\nHost: x\r\nX-Auth-Token: " + token + "\r\n"
	container := "/GRA1/object-store/v1/AUTH_" + project + "/box"
	if a := s.Do("PUT", container, "", "X-Auth-Token: "+token); a.Status != http.StatusCreated {
		t.Fatalf("%+v", a)
	}
	for _, end := range []string{"Content-Length: 30\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{"} {
		if status := exchange(t, address, "POST /v3/auth/tokens"+header+end); status != http.StatusBadRequest {
			t.Errorf("%q: %d", end, status)
		}
		for _, call := range []string{"POST /role-adapter/urn:v1:eu:resource:publicCloudProject:pci/token", "POST /auth/oauth2/token",
			"GET /v3", "POST /v2/iam/policy", "PUT " + container + "/o", "PUT /GRA1/object-store/v1/AUTH_x/c/o",
			"GET /GRA1/compute/v2.1/servers", "POST /GRA1/compute/v2.1/servers", "PUT /GRA1/image/v2/images/1/file", "POST /nowhere", "GET /healthz"} {
			exchange(t, address, call+header+end)
		}
		exchange(t, metrics, "GET /metrics"+header+end)
	}
	must(t, stop())
}
