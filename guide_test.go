package stackgate

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// guideTable is what the guide prints for openstack server list, with the second address that it has blanked out.
const guideTable = `+--------------------------------------+---------------------+--------+-------------------------------------------------+-----------+--------+
| ID                                   | Name                | Status | Networks                                        | Image     | Flavor |
+--------------------------------------+---------------------+--------+-------------------------------------------------+-----------+--------+
| 0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0ff0 | name_vm             | ACTIVE | Ext-Net=127.0.0.1,                              | Debian 12 | d2-2   |
+--------------------------------------+---------------------+--------+-------------------------------------------------+-----------+--------+
`

// second is an address that the guide leaves blank behind the comma.
var second = regexp.MustCompile(`(Ext-Net=127\.0\.0\.1,) [0-9a-f:]+`)

// uuid is a server's id; the guide's own is that of the server in EMEA.
var uuid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// cells gives the rows and cells of a table, without widths and ids.
func cells(table string) (rows [][]string) {
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		var row []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			row = append(row, uuid.ReplaceAllString(strings.TrimSpace(second.ReplaceAllString(cell, "$1")), "<id>"))
		}
		rows = append(rows, row)
	}
	return rows
}

var forbidden = regexp.MustCompile(`^Forbidden \(HTTP 403\) \(Request-ID: tx[0-9a-f]{21}-[0-9a-f]{10}\)\n$`)

// TestTheGuideWithTheCommandLine follows the guide's command-line part with the environment files that dev writes.
func TestTheGuideWithTheCommandLine(t *testing.T) {
	d := startDev(t, t.TempDir())
	eachClient(t, func(t *testing.T, c client) {
		for _, rc := range []string{"openrc", "openrc-world"} {
			out := d.ok(rc, c.openstack+" server list")
			if got, want := fmt.Sprint(cells(out)), fmt.Sprint(cells(guideTable)); got != want {
				t.Errorf("%s: server list\n got %s\nwant %s", rc, out, guideTable)
			}
			out, err := d.sh(rc, c.openstack+" container list")
			if err == nil || !forbidden.MatchString(out) {
				t.Errorf("%s: container list: %v\n%s", rc, err, out)
			}
		}
	})
}

const listServers = `import openstack

# Initialize connection
conn = openstack.connect(cloud='ovhcloud')

# List the servers
for server in conn.compute.servers():
    print("ID: #", server.id)
    print("Name: ", server.name)
`

const listContainers = `import openstack

# Initialize connection
conn = openstack.connect(cloud='ovhcloud')

# List the servers
for container in conn.object_store.containers():
    print(container.toDict())
`

// TestTheGuideWithThePythonSDK runs the guide's two programs, with clouds.yaml and with the environment, in regions GRA1 and GRA, EMEA and World, and with
// the World cloud through the eu URN, as the guide's Python part has it.
func TestTheGuideWithThePythonSDK(t *testing.T) {
	d := startDev(t, t.TempDir())
	write(t, filepath.Join(d.dir, "list-servers.py"), listServers)
	write(t, filepath.Join(d.dir, "list-containers.py"), listContainers)
	dev, err := os.ReadFile(filepath.Join(d.dir, "clouds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	emea, world, _ := strings.Cut(string(dev), "  ovhcloud-world:\n")
	world = "clouds:\n  ovhcloud:\n" + world
	variants := map[string]string{
		"EMEA": emea, "EMEA in GRA": strings.Replace(emea, "GRA1", "GRA", 1), "World": world,
		"World through the eu URN": strings.Replace(world, "urn:v1:ca", "urn:v1:eu", 1),
	}
	eachClient(t, func(t *testing.T, c client) {
		for name, clouds := range variants {
			write(t, filepath.Join(d.dir, "clouds.yaml"), clouds)
			out := d.ok("clouds-only", c.python+" list-servers.py")
			if want := "ID: # <id>\nName:  name_vm\n"; uuid.ReplaceAllString(out, "<id>") != want {
				t.Errorf("%s: list-servers.py printed\n%s", name, out)
			}
			out, err := d.sh("clouds-only", c.python+" list-containers.py")
			if err == nil || !strings.Contains(out, sdkRefusal(c, d.url, name)) {
				t.Errorf("%s: list-containers.py: %v\n%s\nwant %s", name, err, out, sdkRefusal(c, d.url, name))
			}
		}
	})
}

// sdkRefusal is the last line that the SDK prints. Before 1.0 it has no ForbiddenException.
func sdkRefusal(c client, url, variant string) string {
	region, project := "GRA1", "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	if strings.HasSuffix(variant, "GRA") {
		region = "GRA"
	}
	if strings.HasPrefix(variant, "World") {
		project = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0fca"
	}
	class := "ForbiddenException"
	if c.name == "Debian 12" {
		class = "HttpException"
	}
	return fmt.Sprintf("openstack.exceptions.%s: %s: 403: Client Error for url: %s/%s/object-store/v1/AUTH_%s/, ForbiddenAccess was denied to this resource.",
		class, class, url, region, project)
}

// TestTheGuideByCurl makes the service account and the policy as README.md does, with the guide's JSON, and then takes the right away again.
func TestTheGuideByCurl(t *testing.T) {
	d := startDev(t, t.TempDir())
	token := d.managementToken()
	var made struct{ ClientID, ClientSecret string }
	d.call(token, "POST", "/v1/me/api/oauth2/client", `{"callbackUrls":[],"flow":"CLIENT_CREDENTIALS","name":"guide","description":"guide"}`, &made)
	var account struct{ Identity string }
	d.call(token, "GET", "/v1/me/api/oauth2/client/"+made.ClientID, "", &account)
	var policy struct{ ID string }
	d.call(token, "POST", "/v2/iam/policy", fmt.Sprintf(guidePolicy, account.Identity), &policy)
	rc, err := os.ReadFile(filepath.Join(d.dir, "openrc"))
	if err != nil {
		t.Fatal(err)
	}
	mine := regexp.MustCompile(`(?m)^(export OS_CLIENT_ID=).*$`).ReplaceAllString(string(rc), "${1}"+made.ClientID)
	mine = regexp.MustCompile(`(?m)^(export OS_CLIENT_SECRET=).*$`).ReplaceAllString(mine, "${1}"+made.ClientSecret)
	write(t, filepath.Join(d.dir, "mine"), mine)
	eachClient(t, func(t *testing.T, c client) {
		if out := d.ok("mine", c.openstack+" server list"); !strings.Contains(out, "name_vm") {
			t.Error(out)
		}
	})
	d.call(token, "DELETE", "/v2/iam/policy/"+policy.ID, "", nil)
	eachClient(t, func(t *testing.T, c client) {
		if out, err := d.sh("mine", c.openstack+" server list"); err == nil || !strings.Contains(out, "(HTTP 401)") {
			t.Errorf("after the policy is gone: %v %s", err, out)
		}
	})
}

const guidePolicy = `{
  "description": "Demo for service account guide with openstack",
  "identities": [
    "%s"
  ],
  "name": "Demo-service-account",
  "permissions": {
    "allow": [
      {
        "action": "publicCloudProject:openstack:infrastructureSupervisor"
      }
    ]
  },
  "resources": [
    {
        "urn": "urn:v1:eu:resource:publicCloudProject:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
    }
  ]
}`

// managementToken logs the administrator in, as the README's curl does.
func (d *dev) managementToken() string {
	d.t.Helper()
	out := d.ok("admin.env", `curl -fsS "$STACKGATE_URL/auth/oauth2/token" -d grant_type=client_credentials -d client_id="$STACKGATE_CLIENT_ID" `+
		`-d client_secret="$STACKGATE_CLIENT_SECRET" -d scope=all`)
	var v struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		d.t.Fatal(err)
	}
	return v.AccessToken
}

// call makes one management call that must be answered with 200.
func (d *dev) call(token, method, path, body string, dst any) {
	d.t.Helper()
	req, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		d.t.Fatalf("%s %s: %d %v\n%s", method, path, resp.StatusCode, err, text)
	}
	if dst != nil {
		if err := json.Unmarshal(text, dst); err != nil {
			d.t.Fatal(err)
		}
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
