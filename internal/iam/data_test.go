package iam

import "testing"

func TestBrokenDataIsNoticed(t *testing.T) {
	for _, text := range []string{"nonsense", "a:b", "publicCloudProject:x: compute_write", "service Nova: compute_write"} {
		if table, err := parseRights(text); err == nil || table.rows != nil || table.columns != nil {
			t.Errorf("%q: %+v, %v", text, table, err)
		}
	}
	for _, text := range []string{"nonsense", "a:b READ", "a:b WATCH x", "a READ x"} {
		if list, err := parseReferences(text); err == nil || list != nil {
			t.Errorf("%q: %+v, %v", text, list, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("the program would start with broken data")
		}
	}()
	must(parseRights("nonsense"))
}
