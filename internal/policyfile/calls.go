package policyfile

import (
	"strings"

	"github.com/stackgate/stackgate/internal/rbac"
)

// A call is what a rule's documentation names: "POST /servers/{server_id}/action (reboot)".
type call struct {
	method string
	path   []string // segments; "" is a parameter
	action string
}

// readCall takes the documentation of a call apart. The paths of Glance begin with its version, those of the others do not.
func readCall(documented string) call {
	words := strings.Fields(documented)
	c := call{method: words[0]}
	path, _, _ := strings.Cut(words[1], "?")
	c.path = segments(strings.TrimPrefix(path, "/v2"))
	if len(words) > 2 {
		c.action = strings.Trim(words[2], "()")
	}
	return c
}

// segments takes a path template apart. What is a parameter is one, whatever its name.
func segments(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	list := strings.Split(path, "/")
	for i, s := range list {
		if strings.Contains(s, "{") {
			list[i] = ""
		}
	}
	return list
}

// operations gives the table's lines for a call: all of one path, where the query or the body tells them apart.
func (c call) operations(service rbac.Service, all []*rbac.Operation) []*rbac.Operation {
	var exact, near []*rbac.Operation
	for _, op := range all {
		if op.Service != service || op.Method != c.method || c.action != "" && op.Action != "" && op.Action != c.action {
			continue
		}
		switch path := segments(op.Path); {
		case samePath(c.path, path, false):
			exact = append(exact, op)
		case samePath(c.path, path, true):
			near = append(near, op)
		}
	}
	if exact != nil {
		return exact
	}
	return near
}

// samePath compares paths. If it is near enough, a parameter of one may be a word of the other, and - and _ are the same (to Neutron they are).
func samePath(a, b []string, near bool) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		if !near || a[i] != "" && b[i] != "" && strings.ReplaceAll(a[i], "_", "-") != strings.ReplaceAll(b[i], "_", "-") {
			return false
		}
	}
	return true
}
