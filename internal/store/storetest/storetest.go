// Package storetest gives tests a database of each kind: a new SQLite file, and a new database in a PostgreSQL server that it starts
// from Debian's package. Without PostgreSQL such tests are skipped, except in CI, where they fail.
package storetest

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // to create databases
)

// Databases has, for each kind, a function that makes an empty database and gives its URL for store.Config.
var Databases = map[string]func(testing.TB) string{"SQLite": SQLite, "PostgreSQL": PostgreSQL}

// SQLite makes a file that goes with the test.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "db")
}

// A server is a PostgreSQL server of this test binary, started at first use.
type server struct {
	once   sync.Once
	err    error
	dir    string
	cmd    *exec.Cmd
	number atomic.Int64
}

var postgres server

// bin is where Debian 12 puts PostgreSQL's programs.
const bin = "/usr/lib/postgresql/15/bin/"

// PostgreSQL makes a database in a server that all tests of the binary share; Main stops it.
func PostgreSQL(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat(bin + "initdb"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("PostgreSQL is not installed, and this is CI: %v", err)
		}
		t.Skipf("NOT TESTED: PostgreSQL is not installed (%v)", err)
	}
	postgres.once.Do(func() { postgres.err = postgres.start() })
	if postgres.err != nil {
		t.Fatal(postgres.err)
	}
	name := fmt.Sprintf("test%d", postgres.number.Add(1))
	if err := postgres.create(name); err != nil {
		t.Fatal(err)
	}
	return postgres.url(name)
}

// Main runs a test binary's tests and stops the server.
func Main(m *testing.M) int {
	defer postgres.stop()
	return m.Run()
}

func (s *server) url(database string) string {
	return "postgres:///" + database + "?host=" + url.QueryEscape(s.dir) + "&user=postgres"
}

func (s *server) create(name string) error {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	// A locale that does not compare bytewise shows a forgotten COLLATE.
	_, err = db.Exec(`CREATE DATABASE ` + name + ` TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'`)
	return err
}

// start makes a cluster in a new folder and waits until it answers on a socket there. The server refuses to run as root, so root becomes postgres.
func (s *server) start() (err error) {
	if s.dir, err = os.MkdirTemp("", "stackgate-pg"); err != nil {
		return err
	}
	if os.Getuid() == 0 {
		if out, err := exec.Command("chown", "postgres", s.dir).CombinedOutput(); err != nil {
			return fmt.Errorf("chown: %w: %s", err, out)
		}
	}
	data := filepath.Join(s.dir, "data")
	if out, err := s.command(bin+"initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	s.cmd = s.command(bin+"postgres", "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=300")
	var log bytes.Buffer
	s.cmd.Stderr = &log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	out, err := exec.Command(bin+"pg_isready", "-h", s.dir, "-t", "30").CombinedOutput()
	for range 300 {
		if err == nil {
			return nil
		}
		out, err = exec.Command("sh", "-c", "sleep 0.1; "+bin+"pg_isready -h "+s.dir).CombinedOutput()
	}
	return fmt.Errorf("postgres does not answer: %w: %s%s", err, out, log.String())
}

// command runs a program as the user postgres if we are root.
func (s *server) command(name string, args ...string) *exec.Cmd {
	if os.Getuid() == 0 {
		args = append([]string{"--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=INT", name}, args...)
		name = "setpriv"
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT} // a test that panics leaves no server
	return cmd
}

func (s *server) stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = s.cmd.Wait()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}
