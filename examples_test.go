package stackgate

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// An office has the programs of examples/ on PATH, a dev whose tokens are short, and an openstack command.
type office struct {
	*dev
	client client
}

func startOffice(t *testing.T, names ...string) *office {
	t.Helper()
	c, err := newestClient()
	needed(t, err)
	o := &office{startDev(t, t.TempDir(), "--token-life", "6s"), c}
	for _, name := range names {
		build := exec.Command("go", "build", "-o", filepath.Join(o.dir, name), "./examples/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	o.automator("all", "administrator")
	return o
}

// prepare runs openstack commands as an administrator.
func (o *office) prepare(script string) string {
	o.t.Helper()
	return o.ok("all", "set -eu; openstack() { "+o.client.openstack+` "$@"; }; `+waitFor+script)
}

const someServer = `openstack server create --image "Debian 12" --flavor d2-2 --network Ext-Net --wait -f value -c id `

// A hook collects what is posted to it.
type hook struct {
	mu   sync.Mutex
	said []string
}

func (h *hook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, string(body))
}

func TestExampleAlert(t *testing.T) {
	t.Parallel()
	o := startOffice(t, "alert")
	o.automator("watcher", "infrastructureSupervisor")
	if out, err := o.sh("watcher", "./alert"); err != nil || out != "" {
		t.Errorf("of sound servers it says %v %s", err, out)
	}
	o.prepare(strings.Replace(someServer, "--wait", "", 1) + `bad --property sandbox-fault="The disk is full." >/dev/null; until_is ERROR openstack server show bad -f value -c status`)
	out, err := o.sh("watcher", "./alert")
	if err == nil || !strings.HasPrefix(out, "server bad (") || !strings.HasSuffix(out, ": The disk is full.\n") {
		t.Errorf("%v %s", err, out)
	}
	h := &hook{}
	s := httptest.NewServer(h)
	defer s.Close()
	out, err = o.sh("watcher", `timeout -s INT 8 ./alert -every 200ms -webhook `+s.URL) // over the end of a token
	if !strings.Contains(out, "The disk is full.") || strings.Count(out, "\n") != 1 || len(h.said) != 1 || !strings.HasPrefix(h.said[0], `{"text":"server bad`) {
		t.Errorf("%v %s\n%q", err, out, h.said)
	}
}

func TestExampleScale(t *testing.T) {
	t.Parallel()
	o := startOffice(t, "scale")
	o.automator("scaler", "computeOperator")
	o.automator("watcher", "infrastructureSupervisor")
	o.prepare(someServer + "web --property group=web >/dev/null")
	members := func(want int) {
		t.Helper()
		o.prepare(fmt.Sprintf(`members() { openstack server list -f value -c Name | grep -c ^web; }; until_is %d members`, want))
	}
	for _, step := range []struct {
		load   string
		wanted int
	}{{"1.5", 3}, {"0.6", 3}, {"9", 4}, {"0.1", 1}, {"0", 1}} {
		o.ok("scaler", "./scale -group web -load "+step.load)
		members(step.wanted)
	}
	for command, want := range map[string]string{
		"./scale -group web -load 2":  "needs role compute_manage",
		"./scale -group none -load 2": "no member",
		"./scale -group web -min 0":   "1 <= -min",
	} {
		if out, err := o.sh("watcher", command); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s, by a supervisor: %v %s", command, err, out)
		}
	}
	members(1)
}

func TestExampleRepair(t *testing.T) {
	t.Parallel()
	o := startOffice(t, "repair")
	o.automator("repairer", "backupOperator", "computeOperator")
	o.automator("backup", "backupOperator")
	o.automator("compute", "computeOperator")
	id := strings.TrimSpace(o.prepare(someServer + `ill
		openstack volume create data --size 1 >/dev/null
		until_is available openstack volume show data -f value -c status
		openstack server add volume ill data >/dev/null`))
	for who, want := range map[string]string{"backup": "reboot: ", "compute": "save volume "} {
		if out, err := o.sh(who, "./repair -server "+id); err == nil || !strings.Contains(out, want) || !strings.Contains(out, "403") {
			t.Errorf("by %s: %v %s", who, err, out)
		}
	}
	out := o.ok("repairer", "./repair -server "+id)
	if !strings.Contains(out, "image ") || !strings.Contains(out, "snapshot ") || !strings.HasSuffix(out, "reboot ill\n") {
		t.Error(out)
	}
	o.prepare(`
		has ill-before-repair- openstack image list --private -f value -c Name
		has before-repair- openstack volume snapshot list -f value -c Name
		has reboot openstack server event list ill -f value -c Action
		is ACTIVE openstack server show ill -f value -c status`)
	bad := strings.TrimSpace(o.prepare(strings.Replace(someServer, "--wait", "", 1) + `bad --property sandbox-fault=x; until_is ERROR openstack server show bad -f value -c status`))
	if out := o.ok("repairer", "./repair -server "+bad); !strings.Contains(out, "no image of a server in ERROR") {
		t.Error(out)
	}
}
