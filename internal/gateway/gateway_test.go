package gateway

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/urn"
	"github.com/stackgate/stackgate/internal/web"
)

const (
	projectA = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	projectB = "1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e"
)

// An upstream records every request as it arrives on its socket: the head byte for byte, and the body.
type upstream struct {
	mu    sync.Mutex
	heads []string
	wires []string // the same, with the body as it was framed
	addr  string
}

// newUpstream answers every request 200 with a short body, without any HTTP library in between that could tidy up.
func newUpstream(t testing.TB) *upstream {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	u := &upstream{addr: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go u.serve(c)
		}
	}()
	return u
}

// serve keeps the connection, so that what a smuggler hid behind one request is recorded as the next.
func (u *upstream) serve(c net.Conn) {
	defer c.Close()
	var wire bytes.Buffer
	in := bufio.NewReader(io.TeeReader(c, &wire))
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // broken off: nothing that a service would act upon
		}
		raw := string(wire.Next(wire.Len() - in.Buffered()))
		h, _, _ := strings.Cut(raw, "\r\n\r\n")
		u.mu.Lock()
		u.heads, u.wires = append(u.heads, h+"\r\n\r\n"+string(body)), append(u.wires, raw)
		u.mu.Unlock()
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
		if req.Method != http.MethodHead {
			answer += "ok"
		}
		_, _ = io.WriteString(c, answer)
	}
}

// arrived gives all that arrived since the call before, as it was framed.
func (u *upstream) arrived() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	w := u.wires
	u.heads, u.wires = nil, nil
	return w
}

// last gives what arrived last, "" if nothing has since the call before.
func (u *upstream) last() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.heads) == 0 {
		return ""
	}
	h := u.heads[len(u.heads)-1]
	u.heads, u.wires = nil, nil
	return h
}

// A world is a gateway on a socket, what is behind it, and who may what.
type world struct {
	*upstream
	gw    *httptest.Server
	mu    sync.Mutex
	roles map[string]rbac.Roles // by token
	opens int
	fail  error

	bodyWait time.Duration
	sample   uint32       // 0: every grant is kept
	log      *slog.Logger // nil: none
	kept     []audit.Decision
	held     map[string][]iam.Action // rights by token
}

func (w *world) rightsOf(_ context.Context, b Bearer, _ netip.Addr) ([]iam.Action, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held[strings.TrimRight(string(b.Token.AuditID[:]), "\x00")], w.fail
}

func (w *world) record(d audit.Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = append(w.kept, d)
}

// decisions gives what was recorded since the call before.
func (w *world) decisions() []audit.Decision {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.kept
	w.kept = nil
	return kept
}

func (w *world) open(_ context.Context, token string) (Bearer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opens++
	if w.fail != nil {
		return Bearer{}, w.fail
	}
	if _, ok := w.roles[token]; !ok {
		return Bearer{}, iam.Errorf(iam.Unauthenticated, "no such token")
	}
	return Bearer{Token: iam.Token{Project: projectA, AuditID: [16]byte([]byte((token + strings.Repeat("\x00", 16))[:16]))},
		Identity: urn.URN("urn:v1:eu:identity:credential:xx/oauth2-" + token), UserID: "u1", UserName: "robot"}, nil
}

func (w *world) rolesOf(_ context.Context, b Bearer, _ netip.Addr) (rbac.Roles, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, token, _ := strings.Cut(string(b.Identity), "oauth2-")
	return w.roles[token], w.fail
}

func (w *world) set(token string, roles rbac.Roles) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.roles[token] = roles
}

func newWorld(t testing.TB) *world { return newWorldWaiting(t, 0) }

// newWorldWaiting makes a world whose gateway waits so long for a body.
func newWorldWaiting(t testing.TB, bodyWait time.Duration) *world {
	w := &world{bodyWait: bodyWait, upstream: newUpstream(t), roles: map[string]rbac.Roles{
		"all": rbac.AllRoles, "none": 0, "reader": rbac.RolesOf(rbac.ComputeRead, rbac.ImageRead, rbac.VolumeRead, rbac.NetworkRead)},
		held: map[string][]iam.Action{"reader": {"publicCloudProject:openstack:infrastructureSupervisor"}}}
	w.serve(t, proxied(t, ProxyConfig{URL: "http://" + w.addr}))
	return w
}

// proxied gives each service a Proxy of its own with this configuration.
func proxied(t testing.TB, c ProxyConfig) func(rbac.Service) http.Handler {
	return func(s rbac.Service) http.Handler {
		c.Service = s
		h, err := NewProxy(c)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
}

// serve puts a gateway in front of one handler per service.
func (w *world) serve(t testing.TB, cloud func(rbac.Service) http.Handler) {
	table, err := rbac.NewTable()
	if err != nil {
		t.Fatal(err)
	}
	region := map[rbac.Service]http.Handler{}
	for _, s := range rbac.Services() {
		region[s] = cloud(s)
	}
	g, err := New(Config{Table: table, Open: w.open, Roles: w.rolesOf, Rights: iam.CheapestRights, Held: w.rightsOf, Record: w.record, Sample: max(w.sample, 1),
		KnownProject: func(id string) bool { return id == projectA },
		Clouds:       Fixed(Clouds{"GRA1": region, "GRA": region}),
		IdentityURL:  "https://id.example/v3", Recheck: 5 * time.Millisecond, BodyWait: w.bodyWait})
	if err != nil {
		t.Fatal(err)
	}
	if w.log == nil {
		w.log = quiet()
	}
	w.gw = httptest.NewServer(web.New(web.Config{Logger: w.log}).Wrap(g))
	t.Cleanup(w.gw.Close)
}

// raw writes bytes to the gateway's socket and reads the answer.
func (w *world) raw(t testing.TB, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(w.gw.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// ask sends a request without a body; headers are whole lines.
func (w *world) ask(t testing.TB, method, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	lines := append([]string{method + " " + path + " HTTP/1.1", "Host: gw", "Connection: close"}, headers...)
	return w.raw(t, strings.Join(lines, "\r\n")+"\r\n\r\n")
}
