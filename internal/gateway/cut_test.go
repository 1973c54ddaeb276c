package gateway

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
)

// endless writes until the client is gone, and says so by closing done.
func endless(done chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		for {
			if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
				return
			}
		}
	})
}

// cutAfter starts a long answer, lets change take effect once it runs, and wants it to break off.
func cutAfter(t *testing.T, cloud func(rbac.Service) http.Handler, done chan struct{}, change func(*world)) {
	t.Helper()
	w := &world{roles: map[string]rbac.Roles{"all": rbac.AllRoles}}
	w.serve(t, cloud)
	c, err := net.Dial("tcp", strings.TrimPrefix(w.gw.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET /GRA1/object-store/v1/AUTH_"+projectA+"/c/o HTTP/1.1\r\nHost: gw\r\nX-Auth-Token: all\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	change(w)
	if _, err := io.Copy(io.Discard, resp.Body); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the transfer ended with %v, want a broken connection", err)
	}
	<-done
}

func TestATransferIsCutWhenItsRoleIsGone(t *testing.T) {
	gone := func(w *world) { w.set("all", rbac.RolesOf(rbac.ComputeRead)) }
	away := func(w *world) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.fail = iam.Errorf(iam.Unavailable, "no database")
	}
	for name, change := range map[string]func(*world){"role gone": gone, "database away": away} {
		t.Run("in process, "+name, func(t *testing.T) {
			done := make(chan struct{})
			cutAfter(t, func(rbac.Service) http.Handler { return endless(done) }, done, change)
		})
		t.Run("behind a proxy, "+name, func(t *testing.T) {
			done := make(chan struct{})
			up := httptest.NewServer(endless(done))
			t.Cleanup(up.Close)
			cutAfter(t, proxied(t, ProxyConfig{URL: up.URL}), done, change)
		})
	}
}

// echoSocket upgrades and sends back what it reads.
func echoSocket(w http.ResponseWriter, r *http.Request) {
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer c.Close()
	io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	_, _ = io.Copy(c, rw)
}

func TestAWebSocketPassesAndIsCutWhenItsRoleIsGone(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(echoSocket))
	t.Cleanup(up.Close)
	w := &world{roles: map[string]rbac.Roles{"all": rbac.AllRoles}}
	w.serve(t, proxied(t, ProxyConfig{URL: up.URL}))
	c, err := net.Dial("tcp", strings.TrimPrefix(w.gw.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET /GRA1/ai-training/v1/job/1/exec HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer all\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("%v %v", resp, err)
	}
	io.WriteString(c, "hello\n")
	if line, err := in.ReadString('\n'); line != "hello\n" || err != nil {
		t.Fatalf("%q %v", line, err)
	}
	w.set("all", rbac.RolesOf(rbac.AITrainingRead))
	if _, err := in.ReadByte(); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the socket ended with %v", err)
	}
}

// TestAWebSocketMayBeSilent for longer than a body may.
func TestAWebSocketMayBeSilent(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(echoSocket))
	t.Cleanup(up.Close)
	w := &world{roles: map[string]rbac.Roles{"all": rbac.AllRoles}}
	w.serve(t, proxied(t, ProxyConfig{URL: up.URL, Answer: 20 * time.Millisecond, Idle: 20 * time.Millisecond}))
	c, err := net.Dial("tcp", strings.TrimPrefix(w.gw.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, "GET /GRA1/ai-training/v1/job/1/exec HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer all\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(c)
	if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 101 {
		t.Fatalf("%v %v", resp, err)
	}
	time.Sleep(200 * time.Millisecond)
	io.WriteString(c, "hello\n")
	if line, err := in.ReadString('\n'); line != "hello\n" || err != nil {
		t.Fatalf("%q %v", line, err)
	}
}

// One connection serves many calls; no watch of an earlier one may cut a later one.
func TestAConnectionOutlivesItsWatches(t *testing.T) {
	w := newWorld(t)
	for range 50 {
		req, err := http.NewRequest("GET", w.gw.URL+"/GRA1/compute/v2.1/servers", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Auth-Token", "all")
		resp, err := w.gw.Client().Do(req)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v %v", resp, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

func TestCatalogPathsAndAliases(t *testing.T) {
	w := newWorld(t)
	path, ok := ServicePath("GRA1", "volumev3")
	if !ok || path != "/GRA1/volume/v3/$(project_id)s" {
		t.Error(path)
	}
	if _, ok := ServicePath("GRA1", "dns"); ok {
		t.Error("dns has a path")
	}
	if resp, _ := w.ask(t, "GET", "/GRA/compute/v2.1/servers", "X-Auth-Token: all"); resp.StatusCode != 200 {
		t.Error("the alias of a region")
	}
}
