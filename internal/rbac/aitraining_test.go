package rbac

import (
	"strings"
	"testing"
)

// How many calls each family of OVHcloud's client library has, and who may do them: a line lost or opened shows here.
func TestAITrainingHasTheCallsOfTheClientLibrary(t *testing.T) {
	type count struct{ readers, exec, operators, nobody int }
	got := map[string]count{}
	for _, op := range table(t).Operations() {
		if op.Service != AITraining || op.Rule == "ai:docs" {
			continue
		}
		family := strings.SplitN(op.Path, "/", 3)[1]
		if strings.HasPrefix(op.Path, "/notebook/capabilities/") {
			family = "capabilities"
		}
		c := got[family]
		switch {
		case op.Access == Nobody:
			c.nobody++
		case op.Roles == RolesOf(AITrainingAll, AITrainingRead) && op.Method == "GET":
			c.readers++
		case op.Roles == RolesOf(AITrainingAll) && op.Method == "GET":
			c.exec++
		case op.Roles == RolesOf(AITrainingAll):
			c.operators++
		}
		got[family] = c
	}
	want := map[string]count{"job": {3, 1, 8, 0}, "notebook": {4, 1, 9, 0}, "app": {3, 0, 10, 0}, "token": {2, 0, 3, 0}, "registry": {2, 0, 3, 0},
		"volume": {2, 0, 2, 0}, "me": {1, 0, 0, 0}, "capabilities": {15, 0, 0, 0}, "image": {4, 0, 0, 7}, "framework": {2, 0, 0, 3}}
	for family, w := range want {
		if got[family] != w {
			t.Errorf("%s: %+v, want %+v", family, got[family], w)
		}
		delete(got, family)
	}
	if len(got) > 0 {
		t.Errorf("families nobody knows: %v", got)
	}
}
