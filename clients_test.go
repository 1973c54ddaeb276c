package stackgate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/realcloud"
)

// binary builds the program once for all tests of this package.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "stackgate-test-")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "stackgate")
	c := exec.Command("go", "build", "-o", out, "./cmd/stackgate")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, text)
	}
	return out, nil
})

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		if err := gophercloudProgram(context.Background()); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// A dev is a running stackgate dev, as a user starts it.
type dev struct {
	t    testing.TB
	dir  string
	url  string
	bin  string
	log  func() string // what it has printed so far
	stop func()
}

// startDev starts stackgate dev in dir and waits until it says that it runs.
func startDev(t *testing.T, dir string, flags ...string) *dev {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	d := &dev{t: t, dir: dir, bin: bin}
	c := exec.Command(bin, append([]string{"dev", "--dir", dir, "--listen", "127.0.0.1:0"}, flags...)...)
	log := &greeting{said: make(chan string, 1)}
	c.Stderr, c.Stdout = log, log
	d.log = log.all
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	d.stop = sync.OnceFunc(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Errorf("stackgate dev ended with %v:\n%s", err, log.all())
		}
	})
	t.Cleanup(d.stop)
	select {
	case d.url = <-log.said:
	case err := <-ended:
		ended <- nil
		t.Fatalf("stackgate dev did not start: %v\n%s", err, log.all())
	case <-time.After(time.Minute):
		t.Fatalf("stackgate dev does not answer:\n%s", log.all())
	}
	return d
}

// A greeting takes what dev prints, and finds in it where dev runs. By then its files are written and its port is bound.
type greeting struct {
	mu   sync.Mutex // owns what follows
	text []byte
	said chan string
}

var runsOn = regexp.MustCompile(`Stackgate runs on (http://[^,]+),`)

func (g *greeting) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := runsOn.Match(g.text)
	g.text = append(g.text, p...)
	if m := runsOn.FindSubmatch(g.text); m != nil && !before {
		g.said <- string(m[1])
	}
	return len(p), nil
}

func (g *greeting) all() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return string(g.text)
}

// freePort finds an address for a server that does not choose one by itself.
func freePort(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", realcloud.FreePort(t))
}

// sh runs a shell script with the environment that sourcing the named file in the dev folder gives, and returns what it prints.
func (d *dev) sh(file, script string, args ...string) (string, error) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", append([]string{"-c", `if [ -f "$0" ]; then . "$0"; fi; ` + script, filepath.Join(d.dir, file)}, args...)...)
	c.Dir = d.dir
	c.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1", "COLUMNS=250", "PATH="+filepath.Dir(d.bin)+":"+os.Getenv("PATH"))
	out, err := c.CombinedOutput()
	return string(out), err
}

// ok is sh for what must succeed.
func (d *dev) ok(file, script string, args ...string) string {
	d.t.Helper()
	out, err := d.sh(file, script, args...)
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

// A client is one installation of the openstack command and the Python SDK.
type client struct {
	name      string
	openstack string
	python    string
}

// newestClient is the newest openstack client and SDK from PyPI.
var newestClient = sync.OnceValues(func() (client, error) {
	bin, err := venv("venv", "python-openstackclient", "openstacksdk")
	return client{"newest from PyPI", filepath.Join(bin, "openstack"), filepath.Join(bin, "python")}, err
})

// venv installs packages from PyPI into a virtual environment, kept for later runs of the tests, and gives the folder of its programs.
func venv(name string, packages ...string) (bin string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil { // no HOME
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "stackgate-test", name)
	bin, done, want := filepath.Join(dir, "bin"), filepath.Join(dir, "installed"), strings.Join(packages, " ")
	if have, err := os.ReadFile(done); err == nil && string(have) == want {
		return bin, nil
	}
	for _, args := range [][]string{
		{"python3", "-m", "venv", "--clear", dir},
		append([]string{filepath.Join(bin, "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"}, packages...),
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return bin, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return bin, os.WriteFile(done, []byte(want), 0o600)
}

// debianClient is Debian 12's python3-openstackclient, 6.0.
func debianClient() (client, error) {
	c := client{"Debian 12", "/usr/bin/openstack", "/usr/bin/python3"}
	if _, err := os.Stat(c.openstack); err != nil {
		return c, errors.New("Debian's python3-openstackclient is not installed: apt-get install python3-openstackclient")
	}
	return c, nil
}

// eachClient runs f with the newest and with Debian's client. One that is missing fails in CI and skips, loudly, elsewhere.
func eachClient(t *testing.T, f func(t *testing.T, c client)) {
	for name, get := range map[string]func() (client, error){"newest": newestClient, "debian": debianClient} {
		t.Run(name, func(t *testing.T) {
			c, err := get()
			needed(t, err)
			f(t, c)
		})
	}
}

// needed ends a test whose programs are not there: in CI it fails, elsewhere it is skipped, loudly.
func needed(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	_, _ = io.WriteString(os.Stderr, "\n*** SKIPPED "+t.Name()+": "+err.Error()+"\n")
	t.Skip(err)
}

// programs looks for programs on PATH.
func programs(names ...string) error {
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s is not installed: apt-get install %s", name, name)
		}
	}
	return nil
}
