package server_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
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

// An upload may take longer than any other body, as long as it goes on.
func TestAnUploadThatGoesOnIsNotCut(t *testing.T) {
	s := servertest.Start(t, func(c *server.Config) { c.BodyWait = 200 * time.Millisecond })
	token := s.Scoped(s.ServiceAccount("all", "publicCloudProject:openstack:administrator"))
	container := "/GRA1/object-store/v1/AUTH_" + project + "/box"
	if a := s.Do("PUT", container, "", "X-Auth-Token: "+token); a.Status != http.StatusCreated {
		t.Fatalf("%+v", a)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	must(t, err)
	defer conn.Close()
	head := " HTTP/1.1\r\nHost: x\r\nX-Auth-Token: " + token + "\r\n"
	piece := "PUT " + container + "/slow" + head + "Content-Length: 10\r\n\r\n"
	for range 10 {
		_, err = io.WriteString(conn, piece+"x")
		must(t, err)
		piece = ""
		time.Sleep(50 * time.Millisecond) // all of them: longer than a body has
	}
	in := bufio.NewReader(conn)
	for _, want := range []int{http.StatusCreated, http.StatusOK} { // and what comes next on the connection has its own time
		resp, err := http.ReadResponse(in, nil)
		must(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		must(t, err)
		if resp.StatusCode != want {
			t.Errorf("%d, want %d", resp.StatusCode, want)
		}
		_, err = io.WriteString(conn, "GET "+container+"/slow"+head+"\r\n")
		must(t, err)
	}
}

// A client that does not read what it asked for loses the connection, and what serves it ends.
func TestAnAnswerThatNobodyReadsEndsTheConnection(t *testing.T) {
	ended := make(chan struct{})
	s := servertest.Start(t, func(c *server.Config) {
		c.Logger = slog.New(slog.NewTextHandler(until{"path=/GRA1/object-store/v1/AUTH_" + project + "/box/large status=200", ended}, nil))
	})
	address, stop := serve(t, s, server.Listen{Unread: 200 * time.Millisecond})
	token := s.Scoped(s.ServiceAccount("all", "publicCloudProject:openstack:administrator"))
	container := "/GRA1/object-store/v1/AUTH_" + project + "/box"
	for _, put := range [][2]string{{container, ""}, {container + "/large", strings.Repeat("x", 32<<20)}} {
		if a := s.Do("PUT", put[0], put[1], "X-Auth-Token: "+token); a.Status != http.StatusCreated {
			t.Fatalf("%+v", a)
		}
	}
	conn, err := net.Dial("tcp", address)
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET "+container+"/large HTTP/1.1\r\nHost: x\r\nX-Auth-Token: "+token+"\r\n\r\n")
	must(t, err)
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the answer still waits for its reader")
	}
	must(t, stop())
}

// An until closes a channel at the first line with a text in it.
type until struct {
	text string
	seen chan struct{}
}

func (u until) Write(line []byte) (int, error) {
	if strings.Contains(string(line), u.text) && strings.Contains(string(line), "method=GET") {
		close(u.seen)
	}
	return len(line), nil
}
