package policyfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/rbac"
)

// python is Debian's, for which its OpenStack packages are.
const python = "/usr/bin/python3"

// run runs one of the scripts in testdata. Where its packages are missing the test is skipped, loudly; in CI it fails.
func run(t *testing.T, python, stdin, script string, args ...string) string {
	t.Helper()
	cmd := exec.Command(python, append([]string{"testdata/" + script}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err == nil {
		return string(out)
	}
	missing := strings.Contains(complaint.String(), "ModuleNotFoundError") || errors.Is(err, fs.ErrNotExist)
	if !missing || os.Getenv("CI") != "" {
		t.Fatalf("%s: %v\n%s", cmd, err, complaint.String())
	}
	_, _ = io.WriteString(os.Stderr, "\n*** SKIPPED "+t.Name()+": Debian's OpenStack packages are not installed\n")
	t.Skip(complaint.String())
	return ""
}

func newTable(t *testing.T) *rbac.Table {
	t.Helper()
	table, err := rbac.NewTable()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// eachRelease runs f for every release of every program.
func eachRelease(t *testing.T, f func(t *testing.T, b *Book)) {
	table := newTable(t)
	for _, program := range Programs() {
		for _, name := range Releases() {
			t.Run(program+" "+name, func(t *testing.T) {
				f(t, newBook(t, table, program, name))
			})
		}
	}
}

func newBook(t *testing.T, table *rbac.Table, program, name string) *Book {
	t.Helper()
	r, err := LoadRelease(program, name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBook(table, r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func printed(t *testing.T, b *Book) string {
	t.Helper()
	var w strings.Builder
	if err := b.Print(&w); err != nil {
		t.Fatal(err)
	}
	return w.String()
}

func written(t *testing.T, b *Book) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(printed(t, b)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
