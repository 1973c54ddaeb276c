package policyfile

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/rbac"
)

// trailingParameter is the id at the end of a path.
var trailingParameter = regexp.MustCompile(`/\{[^/]*\}$`)

// notes is what no table says: how a service asks for a rule, so that the file cannot give what the gateway does.
//
//go:embed notes.txt
var notes string

// Limits says what oslo.policy cannot express of a rule, one sentence each.
func (b *Book) Limits(name string) (limits []string) {
	g := b.grants[name]
	if g == nil {
		return nil
	}
	for _, op := range slices.Concat(g.Lines, g.Shared) {
		if roles := op.Needs() &^ g.Roles; roles != 0 {
			limits = append(limits, fmt.Sprintf("%s is for %s, too, at the gateway; here it asks for this rule.", callOf(op), roleNames(roles)))
		}
		if roles := g.Roles &^ op.Needs(); roles != 0 {
			limits = append(limits, fmt.Sprintf("%s is not for %s at the gateway; here it asks for this rule.", callOf(op), roleNames(roles)))
		}
	}
	return append(limits, b.notes(name)...)
}

// notes gives what stands in notes.txt about a rule, or with "*" about the service.
func (b *Book) notes(name string) (found []string) {
	for line := range strings.Lines(notes) {
		words := strings.Fields(line)
		if len(words) > 2 && words[0] == b.Program && words[1] == name {
			found = append(found, strings.Join(words[2:], " "))
		}
	}
	return found
}

func roleNames(roles rbac.Roles) string {
	if roles == rbac.AllRoles {
		return "any role"
	}
	if roles == 0 {
		return "nobody"
	}
	return strings.Join(listed(roles), ", ")
}

// Unruled gives the operations that ask for no rule in the release though the table asks for roles: those that have none anywhere, and
// those whose rule other releases have; where a release has the call, anybody in the project may make it, or, in Neutron, whoever has
// the rule "default".
func (b *Book) Unruled() (never, elsewhere []*rbac.Operation) {
	for _, op := range b.Table {
		switch open := op.Access == rbac.AnyRole || op.Access == rbac.Public; {
		case op.Service != b.Service || open || b.Rule(op) != "":
		case op.Rule == "":
			never = append(never, op)
		default:
			elsewhere = append(elsewhere, op)
		}
	}
	return never, elsewhere
}

// byRoles writes operations, and the roles once for all that follow each other. Of what is nobody's, which is much that services have
// removed, it names the places only, at the end.
func byRoles(ops []*rbac.Operation) (lines []string) {
	last := ""
	var places []string
	for _, op := range ops {
		if op.Roles == 0 {
			places = append(places, "  "+placeOf(op))
			continue
		}
		if r := roleNames(op.Roles); r != last {
			last = r
			lines = append(lines, "for "+r+" at the gateway:")
		}
		lines = append(lines, "  "+callOf(op))
	}
	if len(places) > 0 {
		slices.Sort(places)
		lines = append(append(lines, "for nobody at the gateway, where this release has them:"), slices.Compact(places)...)
	}
	return lines
}

func placeOf(op *rbac.Operation) string {
	if op.Action != "" {
		return callOf(op)
	}
	return strings.TrimRight(trailingParameter.ReplaceAllString(op.Path, ""), "/")
}
