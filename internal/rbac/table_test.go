package rbac

import "testing"

func table(t testing.TB) *Table {
	t.Helper()
	tab, err := NewTable()
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func target(t testing.TB, s Service, raw string) Target {
	t.Helper()
	tgt, reason := ParseTarget(s, raw)
	if reason != "" {
		t.Fatalf("%s %s: %s", s, raw, reason)
	}
	return tgt
}

func TestThin(t *testing.T) {
	tab := table(t)
	d := tab.Classify(Request{Target: target(t, Compute, "/v2.1/p/servers/detail?deleted=False"), Method: "GET", Project: "p"})
	if !d.Allows(RolesOf(ComputeRead)) || d.Allows(RolesOf(ImageRead)) {
		t.Errorf("%+v", d)
	}
}
