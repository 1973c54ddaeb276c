package stackgate

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/realcloud"
)

// A behind is a Stackgate that is the identity service of real ones, set up by the commands of docs/run-as-identity-service.md.
type behind struct {
	*dev
	swift  *realcloud.Swift
	glance *realcloud.Glance
}

// startBehind runs Stackgate, Swift and Glance. cache is the services' token_cache_time.
func startBehind(t *testing.T, cache int) *behind {
	t.Helper()
	realcloud.Need(t, append(append([]string{"openstack"}, realcloud.SwiftPrograms...), realcloud.GlancePrograms...)...)
	glance, swift := realcloud.FreePort(t), realcloud.FreePort(t)
	b := &behind{dev: startServe(t, fmt.Sprintf(`
catalog:
  - {type: image, name: glance, endpoints: [{region: RegionOne, url: "http://127.0.0.1:%d"}]}
  - {type: object-store, name: swift, endpoints: [{region: RegionOne, url: "http://127.0.0.1:%d/v1/AUTH_$(project_id)s"}]}
`, glance, swift))}
	b.glance = realcloud.StartGlance(t, realcloud.GlanceConfig{
		Port: glance, Middleware: b.section("glance", cache), Policy: b.ok("", "stackgate policy-files glance --release zed"),
	})
	// Of the two sections of the policy file the first is in that of the middleware already.
	_, owners, _ := strings.Cut(b.ok("", "stackgate policy-files swift"), "[filter:keystoneauth]")
	b.swift = realcloud.StartSwift(t, realcloud.SwiftConfig{
		Port: swift, Auth: "authtoken keystoneauth", Filters: b.section("swift", cache) + "\n[filter:keystoneauth]" + owners,
	})
	return b
}

// service makes the service account of a service, unless it is there; then a script has its id in $id and its secret in NAME.secret.
const service = `[ -f "$1.secret" ] || stackgate -o json service create "$1" --secret-file "$1.secret" >"$1.json"
	id=$(sed -n 's/.*"client_id": "\(.*\)",/\1/p' "$1.json"); `

// section is what a service needs to validate tokens here.
func (b *behind) section(name string, cache int) string {
	b.t.Helper()
	return b.ok("", service+`stackgate middleware print "$1" --service $id --secret-file "$1.secret" --cache "$2"`, name, fmt.Sprint(cache))
}

// serviceToken is a token of a service of its own, as Nova sends it beside its caller's.
func (b *behind) serviceToken(name string) string {
	b.t.Helper()
	out := strings.Fields(b.ok("", service+`echo $id $(cat "$1.secret") $(sed -n 's/.*"project_id": "\(.*\)"/\1/p' "$1.json")`, name))
	return passwordToken(b.t, b.url, out[0], out[1], out[2])
}

// token is a token of a user.
func (b *behind) token(name string) string {
	b.t.Helper()
	return strings.TrimSpace(b.ok(name, "openstack token issue -f value -c id"))
}

// startServe runs stackgate serve with further configuration, with an account and the guide's project.
func startServe(t *testing.T, more string) *dev {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	address := freePort(t)
	d := &dev{t: t, dir: t.TempDir(), url: "http://" + address, bin: bin}
	text := "public_url: " + d.url + "\nlisten: " + address + "\n" + more
	if err := os.WriteFile(filepath.Join(d.dir, "stackgate.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d.ok("", `stackgate init --account eu/xx11111-ovh >admin.env
		echo "export STACKGATE_URL=`+d.url+`" >>admin.env
		stackgate project create guide --account eu/xx11111-ovh --id 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f >/dev/null`)
	realcloud.Start(t, realcloud.Program{Name: "stackgate", Command: []string{bin, "serve"}, Dir: d.dir, Listens: address})
	return d
}

// user makes a service account with rights and leaves its openrc in the file of its name.
func (b *behind) user(name, rights string) {
	b.t.Helper()
	b.automator(name, rights)
	b.ok("", "sed -i s/GRA1/RegionOne/ "+name)
}

// as runs openstack commands as a user.
func (b *behind) as(name, script string) {
	b.t.Helper()
	if out, err := b.sh(name, "set -eu; "+waitFor+script); err != nil {
		b.t.Errorf("as %s: %v\n%s", name, err, out)
	}
}

// servicesCache is the token_cache_time of the services in this test, in seconds; OpenStack's default is 300.
const servicesCache = 10

func TestRealSwiftAndGlanceValidateOurTokens(t *testing.T) {
	b := startBehind(t, servicesCache)
	b.user("supervisor", "infrastructureSupervisor")
	b.user("objects", "objectstoreOperator")
	b.user("images", "imageOperator")
	b.user("networks", "networkOperator")
	t.Run("swift", func(t *testing.T) {
		b.as("supervisor", `fails "Forbidden (HTTP 403)" openstack container list`)
		b.as("objects", `
			openstack container create c1 >/dev/null
			is c1 openstack container list -f value -c Name
			head -c 104857600 /dev/urandom >big.bin
			openstack object create c1 big.bin >/dev/null
			is 104857600 openstack object show c1 big.bin -f value -c content-length
			openstack object save c1 big.bin --file back.bin
			cmp big.bin back.bin
			token=$(openstack token issue -f value -c id)
			curl -sf -H "X-Auth-Token: $token" -r 1000-1999 `+b.swift.URL+`/v1/AUTH_$OS_PROJECT_ID/c1/big.bin -o part.bin
			tail -c +1001 big.bin | head -c 1000 | cmp - part.bin`)
		b.as("images", `fails "Forbidden (HTTP 403)" openstack object save c1 big.bin`)
		b.as("supervisor", `is 401 curl -s -o answer -w '%{http_code}' -H 'X-Auth-Token: bogus' `+b.swift.URL+`/v1/AUTH_$OS_PROJECT_ID`)
	})
	t.Run("glance", func(t *testing.T) {
		b.as("networks", `fails 403 openstack image list
			fails 403 openstack image create nothing --disk-format raw --container-format bare`)
		b.as("images", `
			head -c 104857600 /dev/urandom >image.raw
			openstack image create mine --disk-format raw --container-format bare --file image.raw >/dev/null
			is 104857600 openstack image show mine -f value -c size
			openstack image save mine --file image.back
			cmp image.raw image.back
			id=$(openstack image show mine -f value -c id)
			token=$(openstack token issue -f value -c id)
			curl -sf -H "X-Auth-Token: $token" -r 5-104 `+b.glance.URL+`/v2/images/$id/file -o part.bin
			tail -c +6 image.raw | head -c 100 | cmp - part.bin`)
		b.as("supervisor", `is mine openstack image list -f value -c Name
			fails 403 openstack image delete mine`)
		b.as("objects", `fails 403 openstack image list`)
		b.user("compute", "computeOperator")
		b.ok("", "echo export USERS="+b.token("compute")+" NOVAS="+b.serviceToken("nova")+">tokens")
		snapshot := `curl -s -o answer -w '%{http_code}' -H "X-Auth-Token: $USERS" -H 'Content-Type: application/json' -d '{"name":"snapshot"}' ` + b.glance.URL + `/v2/images`
		b.as("tokens", "is 403 "+snapshot+"; is 201 "+snapshot+` -H "X-Service-Token: $NOVAS"`)
		b.as("images", `openstack image delete mine`)
	})
	t.Run("revocation", b.revocation)
}

// revocation measures for how long Swift goes on with what it knows of a token when its policy is gone; nothing is asserted of the time.
func (b *behind) revocation(t *testing.T) {
	account, token := b.swift.URL+"/v1/AUTH_0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", b.token("objects")
	if got := asks(t, account, token, ""); got != http.StatusOK {
		t.Fatalf("before: %d", got)
	}
	b.ok("admin.env", `stackgate policy delete $(stackgate policy list | sed -n 's/ .*objectstoreOperator.*//p')`)
	gone := time.Now()
	for asks(t, account, token, "") == http.StatusOK {
		if time.Since(gone) > servicesCache*time.Second+time.Minute {
			t.Fatal("the token works for ever")
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("Swift, token_cache_time %d: a token whose policy was deleted worked for %s", servicesCache, time.Since(gone).Round(100*time.Millisecond))
}
