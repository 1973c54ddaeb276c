package stackgate

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/realcloud"
)

// A front is a Stackgate before a real Keystone, Swift and Glance, with the password of a member, as docs/run-as-gateway.md has it.
type front struct {
	*dev
	keystone *realcloud.Keystone
	between  *httptest.Server             // what the gateway takes for the Keystone
	answer   atomic.Pointer[http.Handler] // of between, in place of the Keystone
	swift    *realcloud.Swift
	glance   *realcloud.Glance
	project  string
	metrics  string
}

// limit is how long anything may take or stand still in these tests.
const limit = 3 * time.Second

func startFront(t testing.TB) *front {
	t.Helper()
	realcloud.Need(t, append(append([]string{"openstack", "apache2", "curl", "openssl"}, realcloud.SwiftPrograms...), realcloud.GlancePrograms...)...)
	swift := backend{"swift", "object-store", "/v1/AUTH_%(project_id)s", realcloud.FreePort(t)}
	glance := backend{"glance", "image", "", realcloud.FreePort(t)}
	f := startKeystoneOf(t, swift, glance)
	f.glance = realcloud.StartGlance(t, realcloud.GlanceConfig{Port: glance.port, Middleware: f.middleware("keystone_authtoken", "glance", false)})
	f.swift = realcloud.StartSwift(t, realcloud.SwiftConfig{
		Port: swift.port, Auth: "authtoken keystoneauth", Filters: f.middleware("filter:authtoken", "swift", true) + "\n[filter:keystoneauth]\n" +
			"use = egg:swift#keystoneauth\noperator_roles = member\n",
	})
	f.serve()
	return f
}

// A backend is a service behind the gateway: its user, its type in the catalog, the path of its endpoint and its port.
type backend struct {
	name, kind, path string
	port             int
}

// startKeystoneOf runs a real Keystone that knows services, a project, a member of it for the gateway and an administrator of it.
func startKeystoneOf(t testing.TB, services ...backend) *front {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	f := &front{dev: &dev{t: t, dir: t.TempDir(), bin: bin}, keystone: realcloud.StartKeystone(t, realcloud.KeystoneConfig{})}
	f.startBetween()
	put(t, filepath.Join(f.dir, "clouds.yaml"), f.keystone.CloudsYAML())
	put(t, filepath.Join(f.dir, "admin-of-the-cloud"), "export OS_CLOUD=admin\n")
	script := "set -e\nexec 3>&1 >/dev/null\nopenstack project create service\n"
	for _, s := range services {
		script += fmt.Sprintf(`
			openstack user create %[1]s --password of-%[1]s
			openstack role add admin --user %[1]s --project service
			openstack service create %[2]s --name %[1]s
			openstack endpoint create %[2]s public 'http://127.0.0.1:%[4]d%[3]s' --region GRA1
		`, s.name, s.kind, s.path, s.port)
	}
	f.project = strings.TrimSpace(f.ok("admin-of-the-cloud", script+`
		openstack project create guide -f value -c id >&3
		openstack user create gateway --password of-the-gateway
		openstack role add member --user gateway --project guide
		openstack user create boss --password of-the-boss
		openstack role add admin --user boss --project guide`))
	return f
}

// middleware is the section by which a service validates tokens with the Keystone.
func (f *front) middleware(section, user string, delay bool) string {
	return fmt.Sprintf("[%s]\npaste.filter_factory = keystonemiddleware.auth_token:filter_factory\ndelay_auth_decision = %v\n", section, delay) + f.login(user)
}

// login is what a service's section says, so that it can log in as a user of its own.
func (f *front) login(user string) string {
	return fmt.Sprintf("auth_type = password\nauth_url = %s\nwww_authenticate_uri = %[1]s\nusername = %[2]s\npassword = of-%[2]s\n"+
		"user_domain_name = Default\nproject_name = service\nproject_domain_name = Default\nregion_name = GRA1\n", f.keystone.URL, user)
}

// put writes a file.
func put(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startBetween stands between the gateway and the Keystone.
func (f *front) startBetween() {
	to, err := url.Parse(strings.TrimSuffix(f.keystone.URL, "/v3"))
	if err != nil {
		f.t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	f.between = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := f.answer.Load(); h != nil {
			(*h).ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	f.t.Cleanup(f.between.Close)
}

// config is a stackgate.yaml with a credential.
func (f *front) config(listen, user, more string) string {
	return fmt.Sprintf(`public_url: http://%s
listen: %[1]s
database: %[2]s.db
clouds:
  - name: real
    auth: {auth_url: "%[3]s/v3", username: %[2]s, user_domain_name: Default, secret_file: %[2]s.secret}
    limits: {answer: %[4]s, idle: %[4]s, login: %[4]s}
%[5]s`, listen, user, f.between.URL, limit, more)
}

// serve runs the gateway and makes an account that has the project.
func (f *front) serve() {
	address := fmt.Sprintf("127.0.0.1:%d", realcloud.FreePort(f.t))
	f.url, f.metrics = "http://"+address, fmt.Sprintf("127.0.0.1:%d", realcloud.FreePort(f.t))
	put(f.t, filepath.Join(f.dir, "gateway.secret"), "of-the-gateway\n")
	put(f.t, filepath.Join(f.dir, "stackgate.yaml"), f.config(address, "gateway", "metrics: "+f.metrics+"\n"))
	f.ok("", `stackgate init --account eu/xx11111-ovh >admin.env
		echo "export STACKGATE_URL=`+f.url+`" >>admin.env
		stackgate project create guide --account eu/xx11111-ovh --id `+f.project)
	realcloud.Start(f.t, realcloud.Program{Name: "stackgate", Command: []string{f.bin, "serve"}, Dir: f.dir, Listens: address})
}

// user makes a service account with rights and leaves its openrc in the file of its name.
func (f *front) user(name, rights string) {
	f.t.Helper()
	f.ok("admin.env", `set -e
		id=$(stackgate -o json service-account create `+name+` | sed -n 's/.*"clientId": "\(.*\)",/\1/p')
		stackgate policy create --service-account $id --right `+rights+` --project `+f.project+` >/dev/null
		stackgate openrc --service-account $id --project `+f.project+` --new-secret >`+name)
}

func (f *front) as(name, script string) {
	f.t.Helper()
	if out, err := f.sh(name, "set -eu; "+waitFor+script); err != nil {
		f.t.Errorf("as %s: %v\n%s", name, err, out)
	}
}

// TestRealGateway puts the gateway before real services.
func TestRealGateway(t *testing.T) {
	f := startFront(t)
	f.user("all", "objectstoreOperator,imageOperator")
	f.user("networks", "networkOperator")
	t.Run("clients", f.clients)
	t.Run("administrators", f.administrators)
	t.Run("page", f.page)
	t.Run("faults", f.faults)
}

func (f *front) clients(*testing.T) {
	f.as("", `has "$(printf 'GRA1       object-store  `+f.swift.URL+`  2.30')" stackgate doctor --config stackgate.yaml
		has `+f.project+` stackgate doctor --config stackgate.yaml`)
	f.as("networks", `fails "Forbidden (HTTP 403)" openstack container list
		fails 403 openstack image list`)
	f.as("all", `
		account=`+f.url+`/GRA1/object-store/v1/AUTH_$OS_PROJECT_ID
		has "$account" openstack catalog show object-store
		openstack container create c1 >/dev/null
		is c1 openstack container list -f value -c Name
		head -c 104857600 /dev/urandom >big.bin
		openstack object create c1 big.bin >/dev/null
		openstack object save c1 big.bin --file back.bin
		cmp big.bin back.bin
		token=$(openstack token issue -f value -c id)
		# ranges, conditions, 100-continue
		curl -sf -H "X-Auth-Token: $token" -r 1000-1999 $account/c1/big.bin -o part.bin
		tail -c +1001 big.bin | head -c 1000 | cmp - part.bin
		etag=$(curl -sfI -H "X-Auth-Token: $token" $account/c1/big.bin | tr -d '\r' | sed -n 's/^[Ee]tag: //p')
		is 304 curl -s -o /dev/null -w '%{http_code}' -H "X-Auth-Token: $token" -H "If-None-Match: $etag" $account/c1/big.bin
		is 201 curl -s -o /dev/null -w '%{http_code}' -H "X-Auth-Token: $token" -H 'Expect: 100-continue' -T big.bin $account/c1/again.bin
		is 201 sh -c "curl -s -o /dev/null -w '%{http_code}' -H 'X-Auth-Token: $token' -H 'Transfer-Encoding: chunked' -T - $account/c1/chunked.bin <big.bin"
		curl -sf -H "X-Auth-Token: $token" $account/c1/chunked.bin | cmp - big.bin
		# SLO and DLO
		head -c 1048576 big.bin >s1; tail -c +1048577 big.bin | head -c 1048576 >s2
		for s in s1 s2; do openstack object create c1 $s >/dev/null; done
		printf '[{"path":"/c1/s1"},{"path":"/c1/s2"}]' >manifest
		is 201 curl -s -o /dev/null -w '%{http_code}' -X PUT -H "X-Auth-Token: $token" --data-binary @manifest "$account/c1/slo?multipart-manifest=put"
		is 201 curl -s -o /dev/null -w '%{http_code}' -X PUT -H "X-Auth-Token: $token" -H 'X-Object-Manifest: c1/s' -d '' "$account/c1/dlo"
		for o in slo dlo; do curl -sf -H "X-Auth-Token: $token" $account/c1/$o | head -c 2097152 >got; head -c 2097152 big.bin | cmp - got; done
		# TempURL, which needs no token: the path that is signed is Swift's own
		curl -sf -X POST -H "X-Auth-Token: $token" -H 'X-Account-Meta-Temp-URL-Key: k' $account
		expires=$(($(date +%s) + 600)) path=/v1/AUTH_$OS_PROJECT_ID/c1/s1
		signature=$(printf 'GET\n%s\n%s' $expires $path | openssl dgst -sha256 -hmac k | sed 's/.* //')
		curl -sf "$account/c1/s1?temp_url_sig=$signature&temp_url_expires=$expires" | cmp - s1
		is 401 curl -s -o /dev/null -w '%{http_code}' "$account/c1/s1?temp_url_sig=0$signature&temp_url_expires=$expires"
		# Glance
		openstack image create mine --disk-format raw --container-format bare --file big.bin >/dev/null
		is 104857600 openstack image show mine -f value -c size
		openstack image save mine --file image.back
		cmp big.bin image.back
		has `+f.url+`/GRA1/image/v2/ curl -s `+f.url+`/GRA1/image/
		curl -sfi -H "X-Auth-Token: $token" -H 'Content-Type: application/json' -d '{"name":"located"}' `+f.url+`/GRA1/image/v2/images >located
		has `+f.url+`/GRA1/image/v2/images/ grep -i '^location:' located`)
}

// page runs the commands of docs/run-as-gateway.md, one after the other, as they stand there but for addresses and names of places.
func (f *front) page(t *testing.T) {
	text, err := os.ReadFile("docs/run-as-gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, address := t.TempDir(), fmt.Sprintf("127.0.0.1:%d", realcloud.FreePort(t))
	before, _, _ := strings.Cut(string(text), "## What passes")
	script := "set -e\n"
	for _, line := range regexp.MustCompile(`(?m)^    (.*)$`).FindAllStringSubmatch(before, -1) {
		if !strings.ContainsAny(line[1], "─└") {
			script += line[1] + "\n"
		}
	}
	script = strings.NewReplacer("/etc/stackgate", dir, "https://keystone.example:5000/v3", f.keystone.URL, "public_url: http://127.0.0.1:8080", "public_url: http://"+address+"\nlisten: "+address, "127.0.0.1:8080", address,
		"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", f.project, "RegionOne", "GRA1",
		"2>&1 &\n", "2>&1 &\nserver=$!; trap 'kill $server; cat stackgate.log' EXIT\nfor i in $(seq 100); do curl -s http://"+address+"/healthz && break; sleep 0.1; done\n",
	).Replace(script)
	put(t, filepath.Join(dir, "clouds.yaml"), strings.NewReplacer("admin:", "mycloud:", "username: admin", "username: gateway", f.keystone.Password,
		"of-the-gateway", "project_name: admin", "project_name: guide").Replace(f.keystone.CloudsYAML()))
	out, err := f.sh("", script)
	if err != nil || !strings.Contains(out, "object-store") || !strings.Contains(out, "c1") || !strings.Contains(out, "refused, as it should be") {
		t.Errorf("%v\n%s\n%s", err, script, out)
	}
}

// administrators are refused by the names of their roles; and where those are said to be harmless, by what services let them read.
func (f *front) administrators(*testing.T) {
	f.refuses([]refused{
		{"admin", "", "it has the role \"admin\""},
		{"admin", "{roles: [admin]}", "it has a role on the system"},
		{"boss", "", "it has the role \"admin\""},
		{"boss", "{roles: [admin]}", "Keystone lets it read"},
		{"boss", "{roles: [admin], services: [identity]}", "image in GRA1 lets it read"},
	})
}

// A refused is a credential that the gateway does not start with: its user, what is accepted of it, and what is said.
type refused struct{ user, accept, says string }

func (f *front) refuses(cases []refused) {
	f.t.Helper()
	for _, user := range []string{"boss", "chief"} {
		put(f.t, filepath.Join(f.dir, user+".secret"), "of-the-"+user)
	}
	put(f.t, filepath.Join(f.dir, "admin.secret"), f.keystone.Password)
	address := fmt.Sprintf("127.0.0.1:%d", realcloud.FreePort(f.t))
	for _, c := range cases {
		more := ""
		if c.accept != "" {
			more = "    accept: " + c.accept + "\n"
		}
		put(f.t, filepath.Join(f.dir, c.user+".yaml"), f.config(address, c.user, more))
		f.as("", `stackgate init --config `+c.user+`.yaml --account eu/xx11111-ovh >/dev/null 2>&1 || true
			fails '`+c.says+`' stackgate serve --config `+c.user+`.yaml
			fails '`+c.says+`' stackgate doctor --config `+c.user+`.yaml
			if stackgate serve --config `+c.user+`.yaml 2>&1 | grep -F "$(cat `+c.user+`.secret)"; then echo the secret is shown; exit 1; fi`)
	}
}

// faults has each of the services fail under a call.
func (f *front) faults(t *testing.T) {
	token := strings.TrimSpace(f.ok("all", "openstack token issue -f value -c id"))
	account := "/GRA1/object-store/v1/AUTH_" + f.project
	works := func(after string) {
		t.Helper()
		for _, path := range []string{account, "/GRA1/image/v2/images"} {
			if status, body := f.get(token, path); status != 200 {
				t.Errorf("after %s: %s: %d %s", after, path, status, body)
			}
		}
	}
	works("the start")
	before := f.goroutines()

	status, body := f.upload(token, account+"/c1/killed", func() { f.swift.Proxy.Kill() })
	if status != 502 || !strings.Contains(body, "<html><h1>Bad Gateway</h1>") {
		t.Errorf("Swift killed under an upload: %d %s", status, body)
	}
	if status, body := f.get(token, account); status != 502 {
		t.Errorf("Swift is not there: %d %s", status, body)
	}
	f.swift.Proxy.Start()
	works("Swift was killed")

	status, body = f.upload(token, account+"/c1/paused", func() { f.swift.Proxy.Pause() })
	f.swift.Proxy.Resume()
	if status != 504 {
		t.Errorf("Swift paused under an upload: %d %s", status, body)
	}
	works("Swift was paused")

	f.glance.API.Pause()
	if status, body := f.get(token, "/GRA1/image/v2/images"); status != 504 || !strings.Contains(body, "<title>504 Gateway Timeout</title>") {
		t.Errorf("Glance paused: %d %s", status, body)
	}
	f.glance.API.Resume()
	works("Glance was paused")

	f.cutDownload(token, account+"/c1/big.bin")
	f.swift.Proxy.Start()
	works("Swift was killed under a download")

	for _, status := range []int{500, 401} {
		var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", status) })
		f.answer.Store(&h)
		works(fmt.Sprintf("Keystone answers %d, and there is a token", status))
		f.answer.Store(nil)
	}
	f.forgotten(token, account)
	for deadline := time.Now().Add(20 * time.Second); f.goroutines() > before+20; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%d goroutines, %d before", f.goroutines(), before)
			break
		}
	}
}

// forgotten revokes the gateway's token, with a Keystone that does not give another one, and then with one that does.
func (f *front) forgotten(token, account string) {
	f.t.Helper()
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 500) })
	f.answer.Store(&h)
	f.ok("admin-of-the-cloud", "openstack user set gateway --password of-the-gateway") // revokes what it has
	f.swift.Proxy.Stop()                                                               // and Swift forgets what it knows of tokens
	f.swift.Proxy.Start()
	if status, body := f.get(token, account); status != 503 {
		f.t.Errorf("the gateway's token is revoked, and Keystone down: %d %s", status, body)
	}
	f.answer.Store(nil)
	status := 0
	for deadline := time.Now().Add(60 * time.Second); status != 200; time.Sleep(200 * time.Millisecond) {
		var body string
		if status, body = f.get(token, account); status != 200 && status != 503 || time.Now().After(deadline) {
			f.t.Fatalf("the gateway's token is revoked: %d %s", status, body)
		}
	}
}

// patience is how long the client waits: longer than the gateway may.
var patient = &http.Client{Timeout: 10 * limit}

func (f *front) get(token, path string, headers ...string) (int, string) {
	f.t.Helper()
	return f.call(token, "GET", path, "", headers...)
}

func (f *front) call(token, method, path, body string, headers ...string) (int, string) {
	f.t.Helper()
	req, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, h := range append(headers, "X-Auth-Token: "+token) {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := patient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// upload sends the beginning of a large object, lets something happen, and goes on until there is an answer.
func (f *front) upload(token, path string, happens func()) (int, string) {
	f.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * limit))
	_, err = fmt.Fprintf(c, "PUT %s HTTP/1.1\r\nHost: gateway\r\nX-Auth-Token: %s\r\nContent-Length: 4000000000\r\n\r\n%s", path, token, strings.Repeat("x", 1<<20))
	if err != nil {
		f.t.Fatal(err)
	}
	time.AfterFunc(limit/10, happens)
	go func() {
		for chunk := make([]byte, 1<<16); ; {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		f.t.Errorf("%s: %v", path, err)
		return 0, ""
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
	return resp.StatusCode, string(text)
}

// cutDownload kills Swift in the middle of an object, of which the client has to notice that it is not whole.
func (f *front) cutDownload(token, path string) {
	f.t.Helper()
	req, err := http.NewRequest("GET", f.url+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", token)
	resp, err := patient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, 1<<20)
	f.swift.Proxy.Kill()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil {
		f.t.Errorf("a broken object looks whole after %d bytes", n)
	}
}

func (f *front) goroutines() int {
	f.t.Helper()
	text := f.ok("", "curl -sf http://"+f.metrics+"/metrics")
	m := regexp.MustCompile(`(?m)^go_goroutines (\d+)`).FindStringSubmatch(text)
	if m == nil {
		f.t.Fatal("no go_goroutines in /metrics")
	}
	n, _ := strconv.Atoi(m[1])
	return n
}
