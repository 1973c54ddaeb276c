package serviceaccount_test

import (
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestDependsOnGophercloudItsYAMLLibraryAndTheStandardLibraryOnly is a promise to programs that import the package.
func TestDependsOnGophercloudItsYAMLLibraryAndTheStandardLibraryOnly(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range f.Imports {
			path := strings.Trim(s.Path.Value, `"`)
			host, _, _ := strings.Cut(path, "/")
			if strings.Contains(host, ".") && path != "gopkg.in/yaml.v2" && !strings.HasPrefix(path+"/", "github.com/gophercloud/gophercloud/v2/") {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}
