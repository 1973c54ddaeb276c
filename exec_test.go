package stackgate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/stackgate/stackgate/serviceaccount"
)

// programVariable makes the test's binary another program: one on gophercloud, as Terraform is, that lists servers for so long.
const programVariable = "STACKGATE_TEST_PROGRAM"

// gophercloudClient logs in as the environment says, once, and leaves renewal to gophercloud, or to our own package.
func gophercloudClient(ctx context.Context) (*gophercloud.ProviderClient, error) {
	if os.Getenv("OS_AUTH_TYPE") == "v3oidcclientcredentials" {
		c, err := serviceaccount.FromEnv()
		if err != nil {
			return nil, err
		}
		return serviceaccount.New(ctx, c)
	}
	o, err := openstack.AuthOptionsFromEnv()
	if token := os.Getenv("OS_TOKEN"); token != "" { // what AuthOptionsFromEnv does not know, and Terraform does
		o, err = gophercloud.AuthOptions{IdentityEndpoint: os.Getenv("OS_AUTH_URL"), TokenID: token, TenantID: os.Getenv("OS_PROJECT_ID")}, nil
		o.Scope = &gophercloud.AuthScope{ProjectID: o.TenantID}
	}
	if err != nil {
		return nil, err
	}
	o.AllowReauth = true
	return openstack.AuthenticatedClient(ctx, o)
}

func gophercloudProgram(ctx context.Context) error {
	span, err := time.ParseDuration(os.Getenv(programVariable))
	if err != nil {
		return err
	}
	pc, err := gophercloudClient(ctx)
	if err != nil {
		return err
	}
	compute, err := openstack.NewComputeV2(pc, gophercloud.EndpointOpts{Region: os.Getenv("OS_REGION_NAME")})
	if err != nil {
		return err
	}
	first, list := pc.Token(), 0
	for start := time.Now(); time.Since(start) < span; time.Sleep(200 * time.Millisecond) {
		if _, err := servers.List(compute, nil).AllPages(ctx); err != nil {
			return fmt.Errorf("after %v: %w", time.Since(start).Round(time.Millisecond), err)
		}
		list++
	}
	fmt.Println("listed", list > 0, "with another token at the end:", pc.Token() != first)
	return nil
}

// TestGophercloudOutlivesItsToken runs the program through all doors, directly.
func TestGophercloudOutlivesItsToken(t *testing.T) {
	t.Parallel()
	d := startDev(t, t.TempDir(), "--token-life", "6s")
	d.entries("go", "infrastructureSupervisor")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, door := range []string{"oidc", "password", "application-credential"} {
		all.Go(func() {
			if out, err := d.sh("go-"+door, programVariable+"=8s "+self); err != nil || out != "listed true with another token at the end: true\n" {
				t.Errorf("%s: %v %s", door, err, out)
			}
		})
	}
	all.Wait()
}

// execScript runs a command through exec in a mode, with a runtime directory of its own.
const execScript = `export XDG_RUNTIME_DIR="$PWD/run"; mkdir -p run; chmod 700 run; set -eu; as=$1; shift; exec stackgate exec --as "$as" -- "$@"`

// TestToolsThroughExec runs tools in every mode, with tokens that live for six seconds, over their ends.
func TestToolsThroughExec(t *testing.T) {
	t.Parallel()
	d := startDev(t, t.TempDir(), "--token-life", "6s")
	d.automator("all", "administrator")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.dir, "file"), "content\n")
	through := func(t *testing.T, mode string, args ...string) string {
		t.Helper()
		return d.ok("all", execScript, append([]string{mode}, args...)...)
	}
	for _, mode := range []string{"application-credential", "password", "token"} {
		t.Run(mode, func(t *testing.T) {
			if out := through(t, mode, "env", programVariable+"=8s", self); out != "listed true with another token at the end: true\n" {
				t.Errorf("gophercloud: %s", out)
			}
			eachClient(t, func(t *testing.T, c client) {
				if out := through(t, mode, c.openstack, "server", "list", "-f", "value", "-c", "Name"); out != "name_vm\n" {
					t.Errorf("server list: %s", out)
				}
				if out := through(t, mode, c.openstack, "volume", "list", "-f", "value"); strings.Contains(out, "rror") {
					t.Errorf("volume list: %s", out)
				}
			})
		})
	}
}

// TestSwiftThroughExec is the swift command, which takes the first region of the catalog with an application credential, and the right one with a
// password.
func TestSwiftThroughExec(t *testing.T) {
	needed(t, programs("swift"))
	d := startDev(t, t.TempDir(), "--token-life", "6s")
	d.automator("all", "objectstoreOperator")
	write(t, filepath.Join(d.dir, "file"), "content\n")
	for _, mode := range []string{"application-credential", "password"} {
		d.ok("all", execScript, mode, "sh", "-euc", `swift post box; swift upload box file; rm -f down; swift download box file -o down; cmp file down; swift delete box`)
	}
}

// TestStorageToolsWithATokenFromExec is what takes a token and asks no Identity service.
func TestStorageToolsWithATokenFromExec(t *testing.T) {
	needed(t, programs("swift", "rclone", "restic"))
	d := startDev(t, t.TempDir())
	d.automator("all", "objectstoreOperator")
	write(t, filepath.Join(d.dir, "file"), "content\n")
	out := d.ok("all", execScript, "token", "sh", "-euc", `
		swift post box; swift upload box file >/dev/null
		export RCLONE_CONFIG=/dev/null RESTIC_PASSWORD=secret RESTIC_REPOSITORY=swift:backup:/
		rclone --swift-env-auth cat :swift:box/file
		restic init >/dev/null; restic backup file >/dev/null; restic dump latest file
		curl -fsS -H "X-Auth-Token: $OS_AUTH_TOKEN" "$OS_STORAGE_URL/box/file"`)
	if out != "content\ncontent\ncontent\n" {
		t.Error(out)
	}
}

// TestExecLeavesNothingBehind: with an openrc of exec's own command, after it has ended, nobody gets in.
func TestExecLeavesNothingBehind(t *testing.T) {
	d := startDev(t, t.TempDir())
	d.automator("all", "infrastructureSupervisor")
	env := d.ok("all", execScript, "password", "sh", "-c", "env | grep ^OS_ | sed 's/^/export /'")
	write(t, filepath.Join(d.dir, "after"), env)
	out, err := d.sh("after", `curl -sS -o /dev/null "$OS_AUTH_URL"`)
	if err == nil || strings.Contains(env, "sgs_") {
		t.Errorf("%s\n%s", env, out)
	}
}
