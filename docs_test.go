package stackgate

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityNamesTests holds docs/security.md to its word: every test that it names is there.
func TestSecurityNamesTests(t *testing.T) {
	doc, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, glob := range []string{"*_test.go", "internal/*/*_test.go", "internal/sandbox/*/*_test.go", "serviceaccount/*_test.go"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			code.Write(text)
		}
	}
	names := regexp.MustCompile("`(Test[A-Za-z0-9_]+)`").FindAllStringSubmatch(string(doc), -1)
	if len(names) < 30 {
		t.Fatalf("only %d tests are named", len(names))
	}
	for _, name := range names {
		if !strings.Contains(code.String(), "func "+name[1]+"(t *testing.T)") {
			t.Errorf("docs/security.md names %s, which is not there", name[1])
		}
	}
}

// TestExampleConfigurationNamesEveryKey compares the documented example with the type that is the manual.
func TestExampleConfigurationNamesEveryKey(t *testing.T) {
	var code []byte
	for _, name := range []string{"config.go", "catalog.go", "clouds.go"} {
		part, err := os.ReadFile("internal/cli/" + name)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, part...)
	}
	example, err := os.ReadFile("docs/stackgate.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range regexp.MustCompile(`yaml:"([a-z_]+)"`).FindAllStringSubmatch(string(code), -1) {
		if !regexp.MustCompile(`(?m)[ #{,-]*\b` + key[1] + `:`).Match(example) {
			t.Errorf("docs/stackgate.example.yaml does not show %s", key[1])
		}
	}
}

// TestMadePagesAreCurrent compares the pages that the program makes with what it says now.
func TestMadePagesAreCurrent(t *testing.T) {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string][]string{"docs/commands.md": {"reference"}}
	for _, service := range []string{"compute", "block-storage", "image", "network", "object-store", "ai-training"} {
		pages["docs/operations/"+service+".md"] = []string{"operation", "list", "--service", service, "--markdown"}
	}
	for page, args := range pages {
		want, err := exec.Command(bin, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(page); err != nil || string(got) != string(want) {
			t.Errorf("%s is not current (%v): make docs", page, err)
		}
	}
}
