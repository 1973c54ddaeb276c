package policyfile

import (
	"strings"

	"github.com/stackgate/stackgate/internal/rbac"
)

// refusesAttribute reports whether an operation's line refuses the member of the body that one of Neutron's attribute rules is for:
// create_port:binding:host_id, create_port:fixed_ips:ip_address.
func refusesAttribute(op *rbac.Operation, rule string) bool {
	action, attribute, ok := strings.Cut(rule, ":")
	_, resource, verb := strings.Cut(action, "_")
	if !ok || !verb || op.Service != rbac.Network || op.Method == "GET" {
		return false
	}
	if strings.HasSuffix(action, "_external_gateways") { // a call on a router that is no create or update
		resource = "router"
	}
	for _, member := range readings(attribute) {
		if op.Refuses(resource + "." + member) {
			return true
		}
	}
	return false
}

// readings gives what "a:b" may mean: a member of that name, member b of a, or of an element of a.
func readings(attribute string) []string {
	head, rest, ok := strings.Cut(attribute, ":")
	if !ok {
		return []string{attribute}
	}
	var out []string
	for _, r := range readings(rest) {
		out = append(out, head+":"+r, head+"."+r, head+".0."+r)
	}
	return out
}
