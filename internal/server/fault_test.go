package server_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/servertest"
)

// brief are limits that a test can wait for.
func brief(c *server.Cloud) {
	c.Limits = server.CloudLimits{Connect: time.Second, Answer: 300 * time.Millisecond, Idle: time.Second}
}

// breakOff cuts the connection, after what was written.
func breakOff() { panic(http.ErrAbortHandler) }

// untilGone waits for the gateway to give up.
func untilGone(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the connection has ended
	<-r.Context().Done()
	breakOff()
}

// TestFaultsOfACloud has the cloud fail in every way that there is, and wants an answer in the service's shape each time, and the next call to work.
func TestFaultsOfACloud(t *testing.T) {
	t.Parallel()
	b := startBehind(t, brief)
	token := "X-Auth-Token: " + b.Scoped(b.ServiceAccount("robot", allRights()...))
	b.Do("PUT", "/GRA1/object-store/v1/AUTH_"+project+"/c", "", token)
	const volumes = "/GRA1/volume/v3/" + project + "/volumes"
	for _, c := range []struct {
		what, method, path, body string
		h                        http.HandlerFunc
		status                   int
		shape                    string
	}{
		{"reset", "GET", serversPath, "", func(http.ResponseWriter, *http.Request) { breakOff() }, 502, `{"computeFault":{"code":502,`},
		{"reset under a write", "POST", volumes, `{"volume":{"size":1}}`, func(http.ResponseWriter, *http.Request) { breakOff() }, 502, `{"volumeFault":{"code":502,`},
		{"no answer", "GET", "/GRA1/network/v2.0/networks", "", func(_ http.ResponseWriter, r *http.Request) { untilGone(r) }, 504, `{"NeutronError":{"type":"HTTPGatewayTimeout"`},
		{"no answer to an upload", "PUT", objectPath, "12345", func(_ http.ResponseWriter, r *http.Request) { untilGone(r) }, 504, "<html><h1>Gateway Timeout</h1>"},
		{"cut in the middle of JSON", "GET", serversPath, "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"servers":[`)
			_ = http.NewResponseController(w).Flush()
			breakOff()
		}, 502, `{"computeFault":{"code":502,`},
		{"silence in the middle of JSON", "GET", "/GRA1/image/v2/images", "", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"images":[`)
			_ = http.NewResponseController(w).Flush()
			untilGone(r)
		}, 504, "<h1>504 Gateway Timeout</h1>"},
		{"our credential is not accepted", "GET", serversPath, "", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, 503, "own credential"},
		{"nor under an upload", "PUT", objectPath, "12345", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(401)
		}, 503, "own credential"},
		{"its own error", "GET", serversPath, "", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "its own words", 500) }, 500, "its own words"},
	} {
		_, path, _ := strings.Cut(c.path[1:], "/")
		b.when(path, c.h)
		a := b.Do(c.method, c.path, c.body, token, "Content-Type: application/json")
		if a.Status != c.status || !strings.Contains(a.Body, c.shape) || c.status > 500 && a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v %s", c.what, a.Status, a.Header, a.Body)
		}
		if got := b.requests(path); c.method != "GET" && len(got) != 1 {
			t.Errorf("%s: a %s was sent %d times", c.what, c.method, len(got))
		}
		b.behave()
		if a := b.Do("GET", serversPath, "", token); a.Status != 200 {
			t.Errorf("after %s: %d %s", c.what, a.Status, a.Body)
		}
	}
}

// TestABodyThatBreaksOff cannot be mended: its length was promised, or its end is missing. The connection ends, and no later than the limit.
func TestABodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	b := startBehind(t, brief)
	token := b.Scoped(b.ServiceAccount("robot", allRights()...))
	for what, end := range map[string]http.HandlerFunc{
		"cut":    func(http.ResponseWriter, *http.Request) { breakOff() },
		"silent": func(_ http.ResponseWriter, r *http.Request) { untilGone(r) },
	} {
		b.when("/c/o", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			_, _ = io.WriteString(w, strings.Repeat("x", 1000))
			_ = http.NewResponseController(w).Flush()
			end(w, r)
		})
		req, err := http.NewRequest("GET", b.URL+objectPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Auth-Token", token)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if n != 1000 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d bytes, %v", what, n, err)
		}
		_ = resp.Body.Close()
	}
}

// TestAnUploadThatStandsStill ends where the cloud does not go on reading, and where the client does not go on sending.
func TestAnUploadThatStandsStill(t *testing.T) {
	t.Parallel()
	b := startBehind(t, brief)
	token := b.Scoped(b.ServiceAccount("robot", allRights()...))
	stuck := make(chan struct{}) // a server that does not read does not see either that the connection is gone
	t.Cleanup(func() { close(stuck) })
	b.when("/c/o", func(http.ResponseWriter, *http.Request) { <-stuck; breakOff() })
	head := "PUT " + objectPath + " HTTP/1.1\r\nHost: gw\r\nX-Auth-Token: " + token + "\r\nContent-Length: 100000000\r\n\r\n"
	dial := func() net.Conn {
		c, err := net.Dial("tcp", strings.TrimPrefix(b.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(c, head)
		return c
	}
	reader, silent := dial(), dial()
	go func() { _, _ = io.Copy(reader, zeros{}) }()
	resp, err := http.ReadResponse(bufio.NewReader(reader), nil)
	if err != nil || resp.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("the cloud does not read: %v %v", resp, err)
	}
	if resp, err := http.ReadResponse(bufio.NewReader(silent), nil); err == nil && resp.StatusCode != http.StatusBadRequest {
		t.Errorf("the client does not send: %v", resp)
	} else if err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("the client does not send, and is waited for")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestATokenThatTheCloudHasForgotten is replaced, and its calls succeed; no client ever sees 401.
func TestATokenThatTheCloudHasForgotten(t *testing.T) {
	b := startInner(t, func(c *server.Config) { c.TokenLife, c.MinTokenLife = 5*time.Second, time.Second })
	b.start(t, brief)
	token := "X-Auth-Token: " + b.Scoped(b.ServiceAccount("robot", allRights()...))
	b.requests("")
	b.Do("GET", serversPath, "", token)
	forgotten := b.requests(serversPath)[0].Header.Get("X-Auth-Token")
	b.when("/compute/", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Auth-Token") == forgotten {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	deadline := time.Now().Add(20 * time.Second)
	for status := 0; status != 200; {
		status = b.Do("GET", serversPath, "", token).Status
		if status != 200 && status != 503 || time.Now().After(deadline) {
			t.Fatal(status)
		}
	}
}

// TestUploadsAreSentAgainWhereNothingWasRead: a client that expects 100 Continue has not sent anything yet when the cloud refuses our token.
func TestUploadsAreSentAgainWhereNothingWasRead(t *testing.T) {
	b := startInner(t, func(c *server.Config) { c.TokenLife, c.MinTokenLife = 5*time.Second, time.Second })
	b.start(t, brief)
	token := b.Scoped(b.ServiceAccount("robot", allRights()...))
	b.Do("PUT", "/GRA1/object-store/v1/AUTH_"+project+"/c", "", "X-Auth-Token: "+token)
	time.Sleep(600 * time.Millisecond) // a younger token is not given up for one refusal
	refused := ""
	b.when("/c/o", func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Auth-Token"); refused == "" || refused == id {
			refused = id
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	req, err := http.NewRequest("PUT", b.URL+objectPath, strings.NewReader("12345"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", token)
	req.Header.Set("Expect", "100-continue")
	client := &http.Transport{ExpectContinueTimeout: 10 * time.Second}
	resp, err := client.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatal(resp, err)
	}
	client.CloseIdleConnections()
	if a := b.Do("GET", objectPath, "", "X-Auth-Token: "+token); a.Body != "12345" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestMoreCallsThanMayBe(t *testing.T) {
	b := startBehind(t, func(c *server.Cloud) { c.Limits.AtOnce = 1 })
	token := "X-Auth-Token: " + b.Scoped(b.ServiceAccount("robot", allRights()...))
	arrived, leave := make(chan bool), make(chan bool)
	b.when("servers/detail", func(http.ResponseWriter, *http.Request) { arrived <- true; <-leave })
	done := make(chan servertest.Answer)
	go func() { done <- b.Do("GET", serversPath, "", token) }()
	<-arrived
	if a := b.Do("GET", "/GRA1/compute/v2.1/flavors", "", token); a.Status != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	leave <- true
	if a := <-done; a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// TestACloudThatIsAwayAtTheStart is waited for without its regions being said not to exist, and used when it is there.
func TestACloudThatIsAwayAtTheStart(t *testing.T) {
	b := startInner(t)
	b.when("/v3/auth/tokens", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", 500) })
	b.start(t, brief)
	token := "X-Auth-Token: " + b.Scoped(b.ServiceAccount("robot", allRights()...))
	if a := b.Do("GET", serversPath, "", token); a.Status != 503 || !strings.Contains(a.Body, "serviceUnavailable") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	b.behave()
	deadline := time.Now().Add(30 * time.Second)
	for b.Do("GET", serversPath, "", token).Status != 200 {
		if time.Now().After(deadline) {
			t.Fatal("it is not found again")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestNothingIsLeftBehind counts goroutines and logins: one login serves all calls, and none of them leaves anything running.
func TestNothingIsLeftBehind(t *testing.T) {
	b := startBehind(t, brief)
	token := "X-Auth-Token: " + b.Scoped(b.ServiceAccount("robot", allRights()...))
	calls := func() {
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { b.Do("GET", serversPath, "", token) })
		}
		wg.Wait()
	}
	calls() // leaves as many connections as the last ones will
	b.requests("")
	before := runtime.NumGoroutine()
	for _, h := range []http.HandlerFunc{
		func(http.ResponseWriter, *http.Request) { breakOff() },
		func(_ http.ResponseWriter, r *http.Request) { untilGone(r) },
		func(http.ResponseWriter, *http.Request) {},
	} {
		b.when("servers/detail", h)
		calls()
	}
	b.behave()
	if logins := b.requests("/v3/auth/tokens"); len(logins) != 0 {
		t.Errorf("%d logins more", len(logins))
	}
	var after int
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		if after = runtime.NumGoroutine(); after <= before+5 {
			return
		}
	}
	t.Errorf("%d goroutines, %d before", after, before)
}

// TestOneLoginForAll starts many calls at once on a gateway that has no token yet.
func TestOneLoginForAll(t *testing.T) {
	b := startInner(t)
	b.when("/v3/auth/tokens", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", 500) })
	b.start(t, brief)
	token := "X-Auth-Token: " + b.Scoped(b.ServiceAccount("robot", allRights()...))
	b.behave()
	deadline := time.Now().Add(30 * time.Second)
	for b.Do("GET", serversPath, "", token).Status != 200 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	b.requests("")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if a := b.Do("GET", serversPath, "", token); a.Status != 200 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	wg.Wait()
	if n := len(b.requests("/v3/auth/tokens")); n > 0 {
		t.Errorf("%d logins", n)
	}
}
