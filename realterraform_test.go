package stackgate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stackgate/stackgate/internal/realcloud"
)

// Terraform of the last release under the Mozilla Public License, and the provider. Neither is part of this module, nor of go.mod.
const (
	terraformModule = "github.com/hashicorp/terraform@v1.5.7"
	providerModule  = "github.com/terraform-provider-openstack/terraform-provider-openstack/v3@v3.4.0"
)

// terraformHome builds both, keeps them for later runs of the tests, and gives the folder with the program, the provider as `terraform init`
// looks for it, and the configuration that says so.
var terraformHome = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil { // no HOME
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "stackgate-test", "terraform")
	_, version, _ := strings.Cut(providerModule, "@v")
	mirror := filepath.Join(dir, "mirror", "registry.terraform.io", "terraform-provider-openstack", "openstack", version, runtime.GOOS+"_"+runtime.GOARCH)
	for module, bin := range map[string]string{terraformModule: dir, providerModule: mirror} {
		if err := install(module, bin); err != nil {
			return "", err
		}
	}
	config := fmt.Sprintf("provider_installation {\n  filesystem_mirror { path = %q }\n}\ndisable_checkpoint = true\n", filepath.Join(dir, "mirror"))
	return dir, os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600)
})

// install builds a program at its version into a folder, unless it is there.
func install(module, bin string) error {
	done := filepath.Join(bin, "installed")
	if have, err := os.ReadFile(done); err == nil && string(have) == module {
		return nil
	}
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return err
	}
	c := exec.Command("go", "install", "-trimpath", "-ldflags=-s -w", module)
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOBIN="+bin)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go install %s: %w\n%s", module, err, out)
	}
	return os.WriteFile(done, []byte(module), 0o600)
}

// A terraforming is a stackgate dev and folders in which Terraform runs.
type terraforming struct {
	*dev
	path string
}

func startTerraforming(t *testing.T, flags ...string) *terraforming {
	t.Helper()
	realcloud.Need(t)
	home, err := terraformHome()
	needed(t, err)
	d := startDev(t, t.TempDir(), append([]string{"--log-level", "info"}, flags...)...)
	return &terraforming{d, "export PATH=" + home + ":$PATH TF_CLI_CONFIG_FILE=" + filepath.Join(home, "config") + " TF_IN_AUTOMATION=1 TF_CLI_ARGS=-no-color\n"}
}

// run runs a script in a new folder that has the configuration, by the file's name.
func (d *terraforming) run(folder string, files map[string]string, rc, script string, args ...string) (string, error) {
	d.t.Helper()
	dir := filepath.Join(d.dir, folder)
	if err := os.Mkdir(dir, 0o700); err != nil {
		d.t.Fatal(err)
	}
	for name, text := range files {
		write(d.t, filepath.Join(dir, name), text)
	}
	return d.sh(rc, d.path+waitFor+"set -eu; cd "+folder+"; export XDG_RUNTIME_DIR=$PWD; terraform init >init.log || { cat init.log; exit 1; }\n"+script, args...)
}

// configuration is what testdata/terraform has under a name: files.
func configuration(t *testing.T, name string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "terraform", name, "*.tf"))
	if err != nil || len(paths) == 0 {
		t.Fatal(name, err)
	}
	files := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(text)
	}
	return files
}

// terraformWays are ways, and the one-time token of exec. "Directly by a token" is not among them: nothing renews that.
var terraformWays = append(ways[:len(ways):len(ways)], way{"exec, token", "oidc", "stackgate exec --no-cache --as token -- "})

// TestRealTerraformOutlivesItsToken applies a configuration that is longer than a token, directly and through exec.
func TestRealTerraformOutlivesItsToken(t *testing.T) {
	t.Parallel()
	d := startTerraforming(t, "--token-life", "20s")
	waits := configuration(t, "waits")
	var all sync.WaitGroup // they wait rather than work
	for _, w := range terraformWays {
		all.Go(func() { t.Run(w.name, func(t *testing.T) { d.outlives(t, w, waits) }) })
	}
	all.Wait()
}

// outlives counts the logins of an apply: more than there are starts of something is because a token has ended.
func (d *terraforming) outlives(t *testing.T, w way, waits map[string]string) {
	name := w.file()
	id := d.entries(name, "networkOperator")
	apply := `terraform workspace new "$2" >/dev/null; WAIT="sleep 21" $1 terraform apply -auto-approve`
	out, err := d.run(name, waits, name+"-"+w.door, apply, w.before, name)
	if err != nil || !strings.Contains(out, "Apply complete! Resources: 3 added") {
		t.Fatalf("%v\n%s", err, out)
	}
	want := 2 // of exec's: at first, and after the wait
	if w.before == "" {
		want = 3 // the provider starts once for the plan and once for the rest
	}
	if n := d.logins(id); n < want {
		t.Errorf("%d logins, want %d: it was not longer than its token", n, want)
	}
	rest := d.path + "cd $2; export XDG_RUNTIME_DIR=$PWD; $1 terraform plan -detailed-exitcode && $1 terraform destroy -auto-approve"
	if out, err := d.sh(name+"-"+w.door, rest, w.before, name); err != nil || !strings.Contains(out, "No changes.") {
		t.Errorf("%v\n%s", err, out)
	}
}
