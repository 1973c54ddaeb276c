// Package realcloud runs real OpenStack services of Debian's packages in a test: as ordinary processes on loopback, on ports that
// were free, in the test's own directory, and ended afterwards by their process ids.
//
//	realcloud.Need(t, "swift-proxy-server")
//	swift := realcloud.StartSwift(t, realcloud.Swift{…})
//	swift.Proxy.Kill()
//
// Such tests take minutes and packages that not everybody has; so they run with STACKGATE_REAL=1 only, which `make test-real` sets,
// and then a missing program is a failure.
package realcloud

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Need skips a test where real services are not wanted, and fails it where they are and a program is missing.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	if os.Getenv("STACKGATE_REAL") == "" {
		t.Skip("real services: make test-real")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Fatalf("%v: sh scripts/real-packages.sh installs what these tests need", err)
		}
	}
}

// A Program is what to run.
type Program struct {
	Name    string   // names its log
	Command []string // program and arguments
	Dir     string   // where it runs and where its log goes: Name.log
	Env     []string // beside the test's environment
	Listens string   // host:port where it will accept connections; empty: it is not waited for
}

// A Process is a running Program, in a process group of its own, so that its workers end with it.
type Process struct {
	Program
	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// patience is how long a service may take to listen, on a machine that has other things to do.
const patience = 90 * time.Second

// Start runs a program until the test ends and waits until it listens.
func Start(t testing.TB, p Program) *Process {
	t.Helper()
	proc := &Process{Program: p, t: t}
	t.Cleanup(proc.report)
	proc.Start()
	t.Cleanup(proc.Stop)
	return proc
}

// Start runs the program again, after Stop or Kill.
func (p *Process) Start() {
	p.t.Helper()
	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(p.t, err)
	p.cmd = exec.Command(p.Command[0], p.Command[1:]...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = p.Dir, append(os.Environ(), p.Env...), log, log
	// Pdeathsig: a test that panics or is killed leaves nothing running.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	must(p.t, p.cmd.Start())
	must(p.t, log.Close())
	p.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // how it ended is in its log; tests kill it on purpose
		close(done)
	}(p.cmd, p.done)
	p.await()
}

// await returns when the program accepts connections, and fails the test when it has ended or taken too long.
func (p *Process) await() {
	p.t.Helper()
	for deadline := time.Now().Add(patience); p.Listens != ""; {
		if c, err := net.DialTimeout("tcp", p.Listens, time.Second); err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-p.done:
			p.t.Fatalf("%s ended before it listened on %s:\n%s", p.Name, p.Listens, p.Log())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s does not listen on %s after %s:\n%s", p.Name, p.Listens, patience, p.Log())
		}
	}
}

// Stop asks the program to end, and kills it when it does not within ten seconds.
func (p *Process) Stop() {
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
	}
	p.Kill() // also workers that outlived their parent
}

// Kill ends the program at once, as a crash would.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// Pause makes the program stand still: its connections stay open and nobody answers.
func (p *Process) Pause() { p.signal(syscall.SIGSTOP) }

// Resume lets it go on.
func (p *Process) Resume() { p.signal(syscall.SIGCONT) }

// signal reaches the program and its workers; that none is left is no error.
func (p *Process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// Log is the end of what the program wrote.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.logFile())
	if err != nil {
		return err.Error()
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-60):], nil))
}

func (p *Process) logFile() string { return filepath.Join(p.Dir, p.Name+".log") }

// report shows the log of a test that failed, and keeps it where STACKGATE_REAL_LOGS says.
func (p *Process) report() {
	if !p.t.Failed() {
		return
	}
	p.t.Logf("%s wrote:\n%s", p.Name, p.Log())
	dir := os.Getenv("STACKGATE_REAL_LOGS")
	if text, err := os.ReadFile(p.logFile()); err == nil && dir != "" {
		name := strings.NewReplacer("/", "_", " ", "_").Replace(p.t.Name())
		must(p.t, os.MkdirAll(dir, 0o700))
		must(p.t, os.WriteFile(filepath.Join(dir, name+"."+p.Name+".log"), text, 0o600))
	}
}

// FreePort is a port of loopback that nothing listened on just now, where the system takes none from by itself: a port of its choice may be some
// connection's before a server has it.
func FreePort(t testing.TB) int {
	t.Helper()
	for {
		port := 10_000 + rand.IntN(20_000)
		l, err := net.Listen("tcp", address(port))
		if err == nil {
			must(t, l.Close())
			return port
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
}

// address is a port of loopback as host:port.
func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// write makes a file of the test's directory, with its folders.
func write(t testing.TB, name, text string) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o700))
	must(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// run runs a command to its end and fails the test with its output when it fails.
func run(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
