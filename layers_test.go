// Package stackgate holds what is true of the whole tree: who may import whom, and that every package says what it is.
package stackgate

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/stackgate/stackgate/"

// layers is the architecture: a package may import what stands in its list, of this module, and nothing else of it.
// A new package is a new line.
var layers = map[string][]string{
	"internal/urn":             {},
	"internal/rbac":            {},
	"internal/policyfile":      {"internal/rbac"},
	"internal/web":             {},
	"internal/keys":            {},
	"internal/audit":           {"internal/urn"},
	"internal/iam":             {"internal/urn", "internal/rbac"},
	"internal/store":           {"internal/urn", "internal/iam", "internal/audit", "internal/keys"},
	"internal/store/storetest": {}, // databases for tests
	"internal/registry":        {"internal/urn", "internal/rbac", "internal/keys", "internal/audit", "internal/iam", "internal/store"},
	"internal/oidc":            {"internal/urn", "internal/iam", "internal/keys", "internal/registry", "internal/web"},
	"internal/keystone":        {"internal/urn", "internal/rbac", "internal/iam", "internal/keys", "internal/registry", "internal/web"},
	"internal/gateway":         {"internal/urn", "internal/rbac", "internal/iam", "internal/audit", "internal/web"},
	"internal/api":             {"internal/urn", "internal/iam", "internal/audit", "internal/registry", "internal/web"},

	// The sandbox is one package per service, as the services are; compute stands on the others, as Nova does.
	"internal/sandbox/rest":        {"internal/web"},
	"internal/sandbox/image":       {"internal/web", "internal/sandbox/rest"},
	"internal/sandbox/network":     {"internal/web", "internal/sandbox/rest"},
	"internal/sandbox/objectstore": {"internal/web", "internal/sandbox/rest"},
	"internal/sandbox/aitraining":  {"internal/web", "internal/sandbox/rest"},
	"internal/sandbox/volume":      {"internal/web", "internal/sandbox/rest", "internal/sandbox/image"},
	"internal/sandbox/compute": {"internal/web", "internal/sandbox/rest", "internal/sandbox/image", "internal/sandbox/network",
		"internal/sandbox/volume"},
	"internal/sandbox": {"internal/web", "internal/sandbox/rest", "internal/sandbox/image", "internal/sandbox/network",
		"internal/sandbox/objectstore", "internal/sandbox/aitraining", "internal/sandbox/volume", "internal/sandbox/compute"},

	"serviceaccount":     {}, // public; its own test holds it to gophercloud, its YAML library and the standard library
	"internal/agent":     {"internal/web", "serviceaccount"},
	"internal/doctor":    {"serviceaccount"},
	"internal/cloud":     {"internal/web", "serviceaccount"},
	"internal/recorded":  {}, // a cloud that is not Stackgate, for tests
	"internal/provision": {"internal/iam"},

	"internal/load": {}, // the load generator: a client like any other, it knows nothing of ours
	"internal/server": {"internal/urn", "internal/rbac", "internal/web", "internal/keys", "internal/audit", "internal/iam", "internal/store",
		"internal/registry", "internal/oidc", "internal/keystone", "internal/gateway", "internal/api", "internal/cloud", "internal/sandbox"},
	"internal/servertest": {"internal/urn", "internal/rbac", "internal/iam", "internal/keys", "internal/store", "internal/registry",
		"internal/api", "internal/server", "internal/sandbox"},
	"internal/realcloud": {}, // real services for tests: they know nothing of ours
	"internal/cli": {"internal/urn", "internal/rbac", "internal/policyfile", "internal/web", "internal/keys", "internal/audit",
		"internal/iam", "internal/store", "internal/registry", "internal/api", "internal/server", "internal/sandbox", "internal/load",
		"internal/provision", "internal/agent", "internal/doctor", "internal/cloud", "serviceaccount"},
	"cmd/stackgate": {"internal/cli"},

	// What others would write: they see what others see.
	"examples/alert":  {"serviceaccount"},
	"examples/scale":  {"serviceaccount"},
	"examples/repair": {"serviceaccount"},
}

// TestLayers parses the non-test files of the tree and holds their imports against layers. Test files may import servertest
// and whatever their package may.
func TestLayers(t *testing.T) {
	for dir, imports := range packages(t) {
		allowed, ok := layers[dir]
		if !ok {
			t.Errorf("%s has no line in layers", dir)
			continue
		}
		for _, imp := range imports {
			if rel, ours := strings.CutPrefix(imp, module); ours && !slices.Contains(allowed, rel) {
				t.Errorf("%s imports %s, which its layer does not allow", dir, rel)
			}
		}
	}
}

// TestEveryPackageHasItsSentence wants a package comment that starts as Go wants it.
func TestEveryPackageHasItsSentence(t *testing.T) {
	for dir := range packages(t) {
		found := false
		files, _ := filepath.Glob(dir + "/*.go")
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			want := "Package " + f.Name.Name + " "
			if f.Name.Name == "main" {
				want = "Command " + path.Base(dir) + " "
			}
			found = found || f.Doc != nil && strings.HasPrefix(f.Doc.Text(), want)
		}
		if !found {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// packages gives every folder with Go files and what its non-test files import.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	walk := func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && name != "." {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(name))
		found[dir] = append(found[dir], importsOf(f.Imports)...)
		return nil
	}
	if err := filepath.WalkDir(".", walk); err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("no packages found")
	}
	return found
}

func importsOf(specs []*ast.ImportSpec) []string {
	var out []string
	for _, s := range specs {
		out = append(out, strings.Trim(s.Path.Value, `"`))
	}
	return out
}
