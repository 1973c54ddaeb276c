package cli_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stackgate/stackgate/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"stackgate": func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"recorded":  serveRecorded,
	})
}

// TestScripts runs testdata/script: what a user types, and what comes out. Beside the commands of testscript there are
// await URL (until it answers), source FILE (the variables that a shell file exports), let NAME (standard output of the
// last command, as a variable), and call METHOD PATH [BODY] (see call_test.go).
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			address, err := quietPort()
			env.Setenv("ADDRESS", address)
			env.Setenv("URL", "http://"+address)
			env.Setenv("USER", "olga")
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await, "source": source, "let": let, "call": call},
	})
}

// quietPort finds an address that nobody has, where the system takes none from by itself: a port of its choice may be some
// connection's before a server has it.
func quietPort() (string, error) {
	for {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		l, err := net.Listen("tcp", address)
		if err == nil {
			return address, l.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return "", err
		}
	}
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	for range 200 {
		resp, err := http.Get(args[0])
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK && (len(args) == 1 || exists(ts.MkAbs(args[1]))) {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s does not answer", args[0])
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func source(ts *testscript.TestScript, _ bool, args []string) {
	data := args[0]
	if data != "stdout" {
		data = filepath.Clean(data)
	}
	for line := range strings.Lines(ts.ReadFile(data)) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if ok && strings.HasPrefix(line, "export ") {
			ts.Setenv(name, strings.Trim(value, "'"))
		}
	}
}

func let(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}
