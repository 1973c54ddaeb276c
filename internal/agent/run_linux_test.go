package agent_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stackgate/stackgate/internal/agent"
)

// runVariable makes the test's binary a program that runs a script as exec does.
const runVariable = "AGENT_TEST_RUN"

func TestMain(m *testing.M) {
	if script := os.Getenv(runVariable); script != "" {
		code, err := agent.Run([]string{"sh", "-c", script}, os.Environ(), agent.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
		if err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func ioctl(t *testing.T, f *os.File, request uintptr, arg *int32) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
		t.Fatal(errno)
	}
}

// onTerminal starts a script by Run on a terminal of its own and gives the terminal's other side.
func onTerminal(t *testing.T, script string) (*exec.Cmd, *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	var unlock, number int32
	ioctl(t, keyboard, syscall.TIOCSPTLCK, &unlock)
	ioctl(t, keyboard, syscall.TIOCGPTN, &number)
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), runVariable+"="+script)
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	return c, keyboard
}

// counts is a script that counts signals until it has had one and then some time more.
const counts = `n=0; trap 'n=$((n+1))' INT TERM; echo ready; while [ $n = 0 ]; do sleep 0.05; done; sleep 0.3; sleep 0.3; echo had $n; exit 5`

// TestCtrlCReachesTheCommandOnce: the terminal sends it to the command itself, and we must not send it again.
func TestCtrlCReachesTheCommandOnce(t *testing.T) {
	for name, send := range map[string]func(*exec.Cmd, *os.File) error{
		"Ctrl-C":               func(_ *exec.Cmd, keyboard *os.File) error { _, err := keyboard.Write([]byte{3}); return err },
		"SIGTERM to exec only": func(c *exec.Cmd, _ *os.File) error { return c.Process.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			c, keyboard := onTerminal(t, counts)
			var out bytes.Buffer
			for buf := make([]byte, 1024); ; {
				n, err := keyboard.Read(buf)
				if out.Write(buf[:n]); err != nil { // EIO: the other side is closed
					break
				}
				if strings.HasSuffix(out.String(), "ready\r\n") {
					if err := send(c, keyboard); err != nil {
						t.Fatal(err)
					}
				}
			}
			_ = c.Wait()
			if !strings.Contains(out.String(), "had 1\r\n") || c.ProcessState.ExitCode() != 5 {
				t.Errorf("%v %q", c.ProcessState, out.String())
			}
		})
	}
}

// TestASignalIsPassedOnOnceWithoutATerminal: a service manager signals exec alone, a CI runner its whole process group.
func TestASignalIsPassedOnOnceWithoutATerminal(t *testing.T) {
	for name, send := range map[string]func(pid int) error{
		"SIGINT to exec only":  func(pid int) error { return syscall.Kill(pid, syscall.SIGINT) },
		"SIGINT to the group":  func(pid int) error { return syscall.Kill(-pid, syscall.SIGINT) },
		"SIGTERM to the group": func(pid int) error { return syscall.Kill(-pid, syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			c, out := withoutTerminal(t, counts)
			if err := send(c.Process.Pid); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(out)
			if _ = c.Wait(); string(rest) != "had 1\n" || c.ProcessState.ExitCode() != 5 {
				t.Errorf("%q %v", rest, c.ProcessState)
			}
		})
	}
}

// TestTheCommandHearsThatExecWasKilled: it is asked to end, though it is in another process group.
func TestTheCommandHearsThatExecWasKilled(t *testing.T) {
	c, out := withoutTerminal(t, counts)
	if err := syscall.Kill(-c.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(out); !strings.HasPrefix(string(rest), "had ") {
		t.Errorf("%q", rest)
	}
	_ = c.Wait()
}

// withoutTerminal starts a script by Run in a session of its own and waits until it says that it is ready.
func withoutTerminal(t *testing.T, script string) (*exec.Cmd, io.Reader) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), runVariable+"="+script)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() })
	t.Cleanup(func() { stuck.Stop() })
	buf := make([]byte, 64)
	n, err := out.Read(buf)
	if err != nil || string(buf[:n]) != "ready\n" {
		t.Fatalf("%q %v", buf[:n], err)
	}
	return c, out
}
