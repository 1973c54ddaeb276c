package iam_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/stackgate/stackgate/internal/iam"
)

// TestKindsListsEveryKind reads the constants of type Kind from the source.
func TestKindsListsEveryKind(t *testing.T) {
	listed := map[string]bool{}
	for _, k := range iam.Kinds() {
		listed[string(k)] = true
	}
	declared := stringConstants(t, "errors.go", "Kind")
	for _, k := range declared {
		if !listed[k] {
			t.Errorf("Kinds lacks %q", k)
		}
	}
	if len(declared) != len(iam.Kinds()) {
		t.Errorf("%d declared, %d listed", len(declared), len(iam.Kinds()))
	}
}

// TestEveryActionConstantIsInTheReference holds the constants against the data file.
func TestEveryActionConstantIsInTheReference(t *testing.T) {
	known := map[string]bool{}
	for _, r := range iam.ReferenceActions() {
		known[string(r.Action)] = true
	}
	declared := stringConstants(t, "actions.go", "Action")
	if len(declared) < 25 {
		t.Fatalf("found %d constants only", len(declared))
	}
	for _, a := range declared {
		if !known[a] {
			t.Errorf("%s is not in actions.txt", a)
		}
	}
}

// stringConstants gives the values of the constants of a type that a file declares with the type's name.
func stringConstants(t *testing.T, file, typ string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != typ {
			return true
		}
		for _, v := range spec.Values {
			if lit, ok := v.(*ast.BasicLit); ok {
				s, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, s)
			}
		}
		return true
	})
	return values
}
