package policyfile

import (
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/rbac"
)

// derived gives the rule that Neutron asks for in a call whose rule no release registers: it makes the name of the call's verb and resource,
// and takes the rule "default" if there is none of that name. A policy file may have one.
func derived(op *rbac.Operation) string {
	if op.Service != rbac.Network || op.Access != rbac.ByRole || op.Rule != "" {
		return ""
	}
	path := segments(op.Path)
	if n := len(path); n > 2 && path[n-1] != "" && path[n-2] == "" { // a verb below a resource: address-groups/{id}/add_addresses
		return path[n-1]
	}
	resource := path[len(path)-1]
	if resource == "" && len(path) > 1 {
		resource = path[len(path)-2]
	}
	verb := map[string]string{"GET": "get_", "POST": "create_", "PUT": "update_", "DELETE": "delete_"}[op.Method]
	return verb + singular(strings.ReplaceAll(resource, "-", "_"))
}

func singular(plural string) string {
	if one, ok := strings.CutSuffix(plural, "ies"); ok {
		return one + "y"
	}
	if strings.HasSuffix(plural, "ss") {
		return plural
	}
	return strings.TrimSuffix(plural, "s")
}

// Unregistered lists the rules that the file has though the release does not register them, in the order of their names.
func (b *Book) Unregistered() (names []string) {
	for name := range b.grants {
		if b.byName[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
