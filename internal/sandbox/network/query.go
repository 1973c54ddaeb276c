package network

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

func keys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

// inputError gives a body that does not fit a resource the sentence Neutron starts such answers with.
func inputError(err error) error {
	if err == nil {
		return nil
	}
	return rest.Errorf(http.StatusBadRequest, "Invalid input for operation: %s", err)
}

// filter keeps the objects that match every filter of the query. A name that no object has filters nothing, as in Neutron
// without its filter validation. Several values of one name mean any of them.
func filter(objects []map[string]any, q url.Values) []map[string]any {
	return slices.DeleteFunc(objects, func(m map[string]any) bool {
		for name, want := range q {
			if !isControl(name) && !matches(m, name, want) {
				return true
			}
		}
		return false
	})
}

func isControl(name string) bool {
	switch name {
	case "limit", "marker", "page_reverse", "sort_key", "sort_dir", "fields", "all_tenants", "all_projects":
		return true
	}
	return false
}

func matches(m map[string]any, name string, want []string) bool {
	switch name {
	case "fixed_ips":
		return slices.ContainsFunc(want, func(w string) bool { return hasFixedIP(m["fixed_ips"], w) })
	case "tags":
		return hasAll(m["tags"], strings.Join(want, ","))
	}
	have, ok := m[name]
	if !ok {
		return true
	}
	if list, ok := have.([]any); ok {
		return slices.ContainsFunc(list, func(v any) bool { return slices.Contains(want, text(v)) })
	}
	return slices.ContainsFunc(want, func(w string) bool { return same(have, w) })
}

func same(have any, want string) bool {
	if b, ok := have.(bool); ok {
		t, err := rest.ParseBool(want)
		return err == nil && t == b
	}
	return text(have) == want
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// hasFixedIP matches Neutron's fixed_ips filter: "ip_address=…" or "subnet_id=…".
func hasFixedIP(have any, want string) bool {
	key, value, _ := strings.Cut(want, "=")
	list, _ := have.([]any)
	return slices.ContainsFunc(list, func(v any) bool {
		m, _ := v.(map[string]any)
		return m[key] == value
	})
}

func hasAll(have any, want string) bool {
	list, _ := have.([]any)
	for w := range strings.SplitSeq(want, ",") {
		if !slices.Contains(list, any(w)) {
			return false
		}
	}
	return true
}

func sortBy(objects []map[string]any, by, dirs []string) error {
	if len(dirs) > 0 && len(dirs) != len(by) {
		return rest.Errorf(http.StatusBadRequest, "The number of sort_keys and sort_dirs must be same")
	}
	for i, key := range slices.Backward(by) {
		desc := len(dirs) > 0 && dirs[i] == "desc"
		slices.SortStableFunc(objects, func(a, b map[string]any) int {
			n := cmp.Compare(text(a[key]), text(b[key]))
			if desc {
				return -n
			}
			return n
		})
	}
	return nil
}

// pick keeps the members that the query's fields name; none named means all.
func pick(objects []map[string]any, fields []string) []map[string]any {
	if len(fields) == 0 {
		return objects
	}
	for _, m := range objects {
		maps.DeleteFunc(m, func(k string, _ any) bool { return !slices.Contains(fields, k) })
	}
	return objects
}
