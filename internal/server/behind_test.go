package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/cloud"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/servertest"
	"github.com/stackgate/stackgate/internal/urn"
	"github.com/stackgate/stackgate/serviceaccount"
)

// A behind is an OpenStack that is not ours to run: another Stackgate with its embedded cloud, reached through something that can
// misbehave, and a gateway before it.
type behind struct {
	*servertest.Server                    // the gateway
	inner              *servertest.Server // the cloud
	between            string
	login              serviceaccount.Config

	mu        sync.Mutex
	misbehave http.HandlerFunc // true: the request has been dealt with
	seen      []*http.Request
}

// startInner runs the cloud.
func startInner(t *testing.T, change ...func(*server.Config)) *behind {
	t.Helper()
	b := &behind{}
	between := httptest.NewUnstartedServer(nil)
	b.between = "http://" + between.Listener.Addr().String()
	change = append(change, func(c *server.Config) { c.PublicURL = b.between })
	b.inner = servertest.Start(t, change...)
	to, err := url.Parse(b.inner.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		path, query, _ := strings.Cut(r.In.RequestURI, "?")
		r.Out.URL = &url.URL{Scheme: to.Scheme, Host: to.Host, Opaque: path, RawQuery: query}
	}}
	between.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		h := b.misbehave
		b.seen = append(b.seen, r.Clone(context.Background()))
		b.mu.Unlock()
		if h != nil {
			mine := &claim{ResponseWriter: w}
			if h(mine, r); mine.taken {
				return
			}
		}
		proxy.ServeHTTP(w, r)
	})
	between.Start()
	t.Cleanup(between.Close)
	member := b.inner.ServiceAccount("gateway", allRights()...)
	b.login = serviceaccount.Config{
		AuthType: serviceaccount.Password, AuthURL: b.between + "/v3", Username: string(member.ID), UserDomainName: "ovhcloud-emea",
		Password: serviceaccount.Secret(member.Secret), Timeout: 2 * time.Second,
	}
	return b
}

// A claim notes whether a misbehaving handler has answered.
type claim struct {
	http.ResponseWriter
	taken bool
}

func (c *claim) WriteHeader(status int)      { c.taken = true; c.ResponseWriter.WriteHeader(status) }
func (c *claim) Unwrap() http.ResponseWriter { return c.ResponseWriter }
func (c *claim) Write(b []byte) (int, error) { c.taken = true; return c.ResponseWriter.Write(b) }

func allRights() (list []iam.Action) {
	for _, r := range iam.Rights() {
		list = append(list, r.Action)
	}
	return list
}

// startBehind runs the cloud and a gateway before it.
func startBehind(t *testing.T, change ...func(*server.Cloud)) *behind {
	t.Helper()
	b := startInner(t)
	b.start(t, change...)
	return b
}

func (b *behind) start(t *testing.T, change ...func(*server.Cloud)) {
	t.Helper()
	b.Server = servertest.Start(t, func(c *server.Config) { b.configure(c, change...) })
}

func (b *behind) configure(c *server.Config, change ...func(*server.Cloud)) {
	one := server.Cloud{Config: cloud.Config{Name: "inner", Login: b.login}, Limits: server.CloudLimits{Connect: time.Second}}
	for _, f := range change {
		f(&one)
	}
	c.Sandbox, c.Clouds = nil, append(c.Clouds, one)
	c.Logger = slog.New(slog.DiscardHandler)
}

// fails makes the gateway and wants it not to start.
func (b *behind) fails(t *testing.T, change ...func(*server.Cloud)) error {
	t.Helper()
	master, err := keys.ParseMaster(keys.NewMaster())
	if err != nil {
		t.Fatal(err)
	}
	c := server.Config{PublicURL: "http://127.0.0.1:1", Database: filepath.Join(t.TempDir(), "db"), Master: master}
	b.configure(&c, change...)
	s, err := server.New(context.Background(), c)
	if err == nil {
		t.Error("it starts", s.Close())
		return errors.New("none")
	}
	return err
}

// when has the cloud answer otherwise, wherever a path has a part; h may leave a request to the cloud.
func (b *behind) when(part string, h http.HandlerFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.misbehave = func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, part) {
			h(w, r)
		}
	}
}

func (b *behind) behave() { b.mu.Lock(); defer b.mu.Unlock(); b.misbehave = nil }

// requests gives those that the cloud got to a path since the last call.
func (b *behind) requests(part string) (list []*http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.seen {
		if strings.Contains(r.URL.Path, part) {
			list = append(list, r)
		}
	}
	b.seen = nil
	return list
}

const (
	serversPath = "/GRA1/compute/v2.1/servers/detail"
	objectPath  = "/GRA1/object-store/v1/AUTH_" + project + "/c/o"
)

func TestAGatewayBeforeAnotherCloud(t *testing.T) {
	b := startBehind(t)
	scoped := b.Scope(b.Unscoped(b.ServiceAccount("robot", allRights()...)))
	token := "X-Auth-Token: " + scoped.Header.Get("X-Subject-Token")
	for _, address := range []string{b.inner.URL, b.between} {
		if strings.Contains(scoped.Body, address) {
			t.Errorf("the catalog of our token leads to the cloud itself: %s", scoped.Body)
		}
	}
	for _, region := range []string{"GRA1", "BHS1", "GRA"} {
		if !strings.Contains(scoped.Body, b.URL+"/"+region+"/compute/v2.1") {
			t.Errorf("the catalog has no compute in %s: %s", region, scoped.Body)
		}
	}
	b.requests("")
	for _, c := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{"GET", serversPath, "", 200, `"href":"` + b.URL + "/GRA1/compute/"},
		{"GET", "/GRA1/compute/v2.1", "", 200, `"href":"` + b.URL + "/GRA1/compute/v2.1/"},
		{"GET", "/GRA1/image/", "", 300, `"href":"` + b.URL + "/GRA1/image/v2/"},
		{"GET", "/BHS1/network/v2.0/networks", "", 200, "networks"},
		{"PUT", "/GRA1/object-store/v1/AUTH_" + project + "/c", "", 201, ""},
		{"PUT", objectPath, strings.Repeat("x", 100), 201, ""},
		{"GET", objectPath, "", 200, strings.Repeat("x", 100)},
		{"GET", "/GRA1/compute/v2.1/os-hypervisors", "", 403, "administrator"},
	} {
		a := b.Do(c.method, c.path, c.body, token)
		if a.Status != c.status || !strings.Contains(a.Body, c.has) || strings.Contains(a.Body, b.between) {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.Status, a.Body)
		}
	}
	for _, r := range b.requests("/GRA1/") {
		if r.Header.Get("X-Auth-Token") == token || r.Header["X-Roles"] != nil || r.Header["X-User-Id"] != nil {
			t.Errorf("the cloud is told of ours: %v", r.Header)
		}
		if open := r.URL.Path == "/GRA1/compute/v2.1" || r.URL.Path == "/GRA1/image/"; open != (r.Header["X-Auth-Token"] == nil) {
			t.Errorf("%s goes with %v", r.URL.Path, r.Header["X-Auth-Token"])
		}
	}
}

func TestRangesConditionsAndLocationsThroughTheGateway(t *testing.T) {
	b := startBehind(t)
	token := "X-Auth-Token: " + b.Scoped(b.ServiceAccount("robot", allRights()...))
	b.Do("PUT", "/GRA1/object-store/v1/AUTH_"+project+"/c", "", token)
	put := b.Do("PUT", objectPath, "0123456789", token)
	for _, c := range []struct {
		header, body string
		status       int
	}{
		{"Range: bytes=2-4", "234", 206},
		{"If-None-Match: " + put.Header.Get("Etag"), "", 304},
		{"If-Match: \"other\"", "", 412},
	} {
		if a := b.Do("GET", objectPath, "", token, c.header); a.Status != c.status || c.status != 412 && a.Body != c.body {
			t.Errorf("%s: %d %q", c.header, a.Status, a.Body)
		}
	}
	b.when("/v2/images", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", b.between+"/GRA1/image/v2/images/1")
		w.WriteHeader(http.StatusCreated)
	})
	a := b.Do("POST", "/GRA1/image/v2/images", `{"name":"x","container_format":"bare","disk_format":"raw"}`, token, "Content-Type: application/json")
	if got := a.Header.Get("Location"); got != b.URL+"/GRA1/image/v2/images/1" {
		t.Errorf("%d, Location %q", a.Status, got)
	}
	b.when("/c/o", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/GRA1/object-store/v1/AUTH_x/c/")
		w.Header().Set("X-Storage-Url", b.between+"/GRA1/object-store/v1/AUTH_x")
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"mine":"`+b.between+`/GRA1/compute/"}`)
	})
	a = b.Do("GET", objectPath, "", token)
	if a.Header.Get("Location") != b.URL+"/GRA1/object-store/v1/AUTH_x/c/" || a.Header.Get("X-Storage-Url") != b.URL+"/GRA1/object-store/v1/AUTH_x" {
		t.Errorf("%v", a.Header)
	}
	if !strings.Contains(a.Body, b.between) {
		t.Errorf("an object was changed: %s", a.Body)
	}
}

func TestACredentialThatCanAdministerIsRefused(t *testing.T) {
	b := startInner(t)
	list := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(200)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		what, path string
		h          http.HandlerFunc
		accept     cloud.Accept
	}{
		{"Nova", "/compute/v2.1/os-services", list(`{"services":[]}`), cloud.Accept{Services: []string{"compute"}}},
		{"Cinder", "/os-services", list(`{"services":[]}`), cloud.Accept{Services: []string{"compute", "volume"}}},
		{"Glance", "/v2/tasks", list(`{"tasks":[]}`), cloud.Accept{Services: []string{"image"}}},
		{"Neutron", "/v2.0/agents", list(`{"agents":[{"id":"1"}]}`), cloud.Accept{Services: []string{"network"}}},
		{"Neutron without agents", "/v2.0/quotas", list(`{"quotas":[]}`), cloud.Accept{Services: []string{"network"}}},
		{"Swift", "/AUTH_00000000000000000000000000000000", list(""), cloud.Accept{Services: []string{"object-store"}}},
		{"Keystone", "/v3/services", list(`{"services":[]}`), cloud.Accept{Services: []string{"identity"}}},
		{"the system", "/v3/auth/system", list(`{"system":[{"all":true}]}`), cloud.Accept{Administrator: true}},
	} {
		b.when(c.path, c.h)
		if err := b.fails(t); !errors.Is(err, cloud.ErrAdministrator) {
			t.Errorf("%s: %v", c.what, err)
		}
		t.Run(c.what, func(t *testing.T) { b.start(t, func(one *server.Cloud) { one.Accept = c.accept }) })
	}
	b.when("/v2.0/agents", list(`{"agents":[]}`))
	b.start(t)
}

func TestACredentialThatCannotLogInStopsTheStart(t *testing.T) {
	b := startInner(t)
	b.login.Password = "another"
	err := b.fails(t)
	if !errors.Is(err, serviceaccount.ErrUnauthenticated) || strings.Contains(err.Error(), "another") {
		t.Errorf("%v", err)
	}
	if err := b.fails(t, func(c *server.Cloud) {
		c.Projects = map[string]*serviceaccount.Config{"1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e": nil}
	}); !errors.Is(err, serviceaccount.ErrUnauthenticated) {
		t.Errorf("%v", err)
	}
}

func TestRegionsAreChosenAndRenamed(t *testing.T) {
	b := startBehind(t, func(c *server.Cloud) { c.Regions, c.Rename = []string{"BHS1"}, map[string]string{"BHS1": "north"} })
	scoped := b.Scope(b.Unscoped(b.ServiceAccount("robot", allRights()...)))
	token := "X-Auth-Token: " + scoped.Header.Get("X-Subject-Token")
	if strings.Contains(scoped.Body, "GRA1") || !strings.Contains(scoped.Body, b.URL+"/north/compute") {
		t.Error(scoped.Body)
	}
	if a := b.Do("GET", "/north/compute/v2.1/servers", "", token); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := b.Do("GET", "/GRA1/compute/v2.1/servers", "", token); a.Status != 404 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	for says, bad := range map[string]func(*server.Cloud){
		"rename":             func(c *server.Cloud) { c.Rename = map[string]string{"GRA1": "v3"} },
		"no service in":      func(c *server.Cloud) { c.Regions = []string{"BHS1", "BHS2"} },
		"no service of its ": func(c *server.Cloud) { c.Regions = []string{"BHS2"} },
	} {
		if err := b.fails(t, bad); !strings.Contains(err.Error(), says) {
			t.Error(err)
		}
	}
}

func TestAProjectThatTheCloudDoesNotHave(t *testing.T) {
	b := startInner(t)
	other := iam.ProjectID("1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e")
	b.start(t, func(c *server.Cloud) { c.Projects = map[string]*serviceaccount.Config{project: nil} })
	if _, err := b.Registry().CreateProject(context.Background(), b.Operator, iam.Project{ID: other, Owner: servertest.Account, Name: "other"}); err != nil {
		t.Fatal(err)
	}
	robot := b.ServiceAccount("robot")
	b.Policy(iam.Policy{
		Name: "other", Identities: []urn.URN{robot.Identity()}, Resources: []urn.URN{urn.Project(servertest.Account.Partition, string(other))},
		Permissions: iam.Permissions{Allow: allRights()},
	})
	a := b.Do("POST", "/v3/auth/tokens", `{"auth":{"identity":{"methods":["token"],"token":{"id":"`+b.Unscoped(robot)+`"}},"scope":{"project":{"id":"`+
		string(other)+`"}}}}`, "Content-Type: application/json")
	if a.Status != 201 || strings.Contains(a.Body, "/GRA1/compute") || !strings.Contains(a.Body, `"type":"identity"`) {
		t.Errorf("its catalog: %d %s", a.Status, a.Body)
	}
	token := "X-Auth-Token: " + a.Header.Get("X-Subject-Token")
	if a := b.Do("GET", serversPath, "", token); a.Status != 403 || !strings.Contains(a.Body, "no such service") {
		t.Errorf("its call: %d %s", a.Status, a.Body)
	}
	// The open call of a stranger to a project that is ours and not the cloud's, and to one that nobody knows.
	for id, status := range map[string]int{string(other): 403, "2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e": 401} {
		if a := b.Do("GET", "/GRA1/object-store/v1/AUTH_"+id+"/c/o?temp_url_sig=x&temp_url_expires=1", ""); a.Status != status {
			t.Errorf("%s: %d %s", id, a.Status, a.Body)
		}
	}
}

func TestCallsThatAreTurnedOff(t *testing.T) {
	b := startBehind(t, func(c *server.Cloud) { c.Closed = []string{"os_compute_api:os-keypairs:*"} })
	token := "X-Auth-Token: " + b.Scoped(b.ServiceAccount("robot", allRights()...))
	a := b.Do("GET", "/GRA1/compute/v2.1/os-keypairs", "", token)
	if a.Status != 403 || !strings.Contains(a.Body, "turned the call off") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := b.Do("GET", serversPath, "", token); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestTwoCloudsOfOneRegionAreRefused(t *testing.T) {
	b := startInner(t)
	master, err := keys.ParseMaster(keys.NewMaster())
	if err != nil {
		t.Fatal(err)
	}
	c := server.Config{PublicURL: "http://127.0.0.1:1", Database: filepath.Join(t.TempDir(), "db"), Master: master}
	b.configure(&c)
	b.configure(&c, func(one *server.Cloud) { one.Name = "second" })
	if s, err := server.New(context.Background(), c); err == nil || !strings.Contains(err.Error(), "rename") {
		t.Error(err, s)
	}
}

func TestTwoClouds(t *testing.T) {
	one, two := startInner(t), startInner(t)
	one.Server = servertest.Start(t, func(c *server.Config) {
		one.configure(c, func(c *server.Cloud) { c.Regions = []string{"GRA1"} })
		two.configure(c, func(c *server.Cloud) {
			c.Name, c.Regions, c.Rename = "second", []string{"GRA1"}, map[string]string{"GRA1": "there"}
		})
	})
	scoped := one.Scope(one.Unscoped(one.ServiceAccount("robot", allRights()...)))
	token := "X-Auth-Token: " + scoped.Header.Get("X-Subject-Token")
	for region, cloud := range map[string]*behind{"GRA1": one, "there": two} {
		one.requests("")
		two.requests("")
		if a := one.Do("GET", "/"+region+"/compute/v2.1/servers/detail", "", token); a.Status != 200 || !strings.Contains(a.Body, one.URL+"/"+region+"/compute/") {
			t.Errorf("%s: %d %s", region, a.Status, a.Body)
		}
		if !strings.Contains(scoped.Body, one.URL+"/"+region+"/compute") || len(cloud.requests("/GRA1/compute")) != 1 {
			t.Errorf("%s leads elsewhere: %s", region, scoped.Body)
		}
	}
}
