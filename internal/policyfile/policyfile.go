// Package policyfile prints the operation table as the policy files of real services.
//
// A service of OpenStack asks oslo.policy for a rule, in a call or in several: os_compute_api:servers:index for GET /servers. Who has a
// rule says its default, unless a policy file says otherwise. A Book is the rules of one release (facts, in rules/) with the roles that
// the table gives each of them; Print writes it as a file for that service:
//
//	release, err := policyfile.LoadRelease("nova", "zed")
//	book, err := policyfile.NewBook(table, release)
//	err = book.Print(os.Stdout)
//
// A file adds our roles to what the release's default asks of the target (whose it is, whether it is shared) and leaves to
// administrators, managers, services and OpenStack's own members and readers what they have. What oslo.policy cannot express stands in
// the file as a comment. Swift has no such rules; its part is in swift.go.
package policyfile

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/rbac"
)

// Check gives the check string that gives a rule to those who have it by the table, and false if its default does that already:
// nobody of a project has the rule.
func (b *Book) Check(name string) (check string, own bool, err error) {
	others, tenants, err := b.split(name)
	if err != nil {
		return "", false, err
	}
	who := b.who(name)
	if len(who) == 0 {
		return withoutAnybody(others, tenants)
	}
	parts := texts(withAdministrator(others))
	if len(tenants) == 0 { // a default for administrators only, of what is no project's: availability zones, kinds of QoS rules
		parts = append(parts, who...)
	}
	for _, t := range tenants {
		parts = append(parts, t.text(who))
	}
	return strings.Join(parts, " or "), true, nil
}

// who gives the checks of which one lets a caller have the rule.
func (b *Book) who(name string) (checks []string) {
	g := b.grants[name]
	if g == nil || g.Kept {
		return nil
	}
	for role := range g.Roles.All() {
		checks = append(checks, "role:"+role.String())
	}
	for role := range g.Nova.All() {
		if !g.Roles.Has(role) {
			checks = append(checks, "(role:"+role.String()+" and service_roles:service)")
		}
	}
	return checks
}

// withoutAnybody takes out of a default what it gives to anybody in the project, whatever his roles.
func withoutAnybody(others []alternative, tenants []tenantPart) (string, bool, error) {
	open := slices.ContainsFunc(tenants, func(t tenantPart) bool { return t.role == "" })
	if !open {
		return "", false, nil
	}
	parts := texts(withAdministrator(others))
	for _, t := range tenants {
		if t.role != "" {
			parts = append(parts, t.text(nil))
		}
	}
	return strings.Join(parts, " or "), true, nil
}

// withAdministrator adds the administrator where a default has forgotten him, because it was for anybody.
func withAdministrator(others []alternative) []alternative {
	for _, a := range others {
		if len(a) == 1 && slices.Contains(administrators, a[0]) {
			return others
		}
	}
	return append([]alternative{{"rule:context_is_admin"}}, others...)
}

var administrators = []string{"role:admin", "rule:context_is_admin", "rule:admin_only", "rule:admin_api", "rule:metadef_admin",
	"rule:service_or_admin"}

func texts(alts []alternative) (parts []string) {
	for _, a := range alts {
		s := strings.Join(a, " and ")
		if len(a) > 1 {
			s = "(" + s + ")"
		}
		parts = append(parts, s)
	}
	return parts
}

// text writes the part with the checks of ours beside OpenStack's own role; a default that asks for no role goes on for readers.
func (t tenantPart) text(who []string) string {
	role := t.role
	if role == "" {
		role = "reader"
	}
	s := strings.Join(append(slices.Clone(who), "role:"+role), " or ")
	if len(who) > 0 {
		s = "(" + s + ")"
	}
	if slices.ContainsFunc(t.conditions, func(a alternative) bool { return len(a) == 0 }) {
		return s
	}
	return "(" + s + " and " + join(t.conditions) + ")"
}

// Print writes the policy file.
func (b *Book) Print(w io.Writer) error {
	p := &page{book: b}
	p.header()
	for i := range b.Rules {
		if err := p.rule(&b.Rules[i]); err != nil {
			return err
		}
	}
	if names := b.Unregistered(); len(names) > 0 {
		p.printf("\n# The service asks for these rules, too, but does not register them; without them \"default\" counts.\n")
		for _, name := range names {
			if err := p.rule(&Rule{Name: name}); err != nil {
				return err
			}
		}
	}
	_, err := io.WriteString(w, p.text.String())
	return err
}

// A page is a file that is being written.
type page struct {
	book *Book
	text strings.Builder
}

func (p *page) printf(format string, args ...any) { fmt.Fprintf(&p.text, format, args...) }

// rule writes one rule: the calls it is for, what cannot be expressed, and the check; commented out where the default stays.
func (p *page) rule(r *Rule) error {
	g := p.book.grants[r.Name]
	if g == nil && len(r.Operations) == 0 {
		return nil // other rules are made of it
	}
	check, own, err := p.book.Check(r.Name)
	if err != nil {
		return err
	}
	p.printf("\n")
	for _, c := range p.calls(r) {
		p.printf("# %s\n", c)
	}
	for _, n := range p.book.Limits(r.Name) {
		p.printf("#   ! %s\n", n)
	}
	if own {
		p.printf("%q: %q\n", r.Name, check)
		return nil
	}
	p.printf("#%q: %q\n", r.Name, r.Check)
	return nil
}

// calls gives the calls that a rule is for: of the table, and where no line names the rule, of its documentation.
func (p *page) calls(r *Rule) (calls []string) {
	if g := p.book.grants[r.Name]; g != nil && len(g.Lines) > 0 {
		for _, op := range g.Lines {
			calls = append(calls, callOf(op))
		}
		return slices.Compact(calls)
	}
	return r.Operations
}

// callOf writes an operation as documentation does, with what tells it apart.
func callOf(op *rbac.Operation) string {
	s := op.Method + " " + op.Path
	if op.Action != "" {
		s += " (" + op.Action + ")"
	}
	when, _, _ := op.Conditions()
	for _, c := range when {
		s += " [" + c + "]"
	}
	return s
}
