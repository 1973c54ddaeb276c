package policyfile

import (
	"slices"

	"github.com/stackgate/stackgate/internal/rbac"
)

// A Grant is who has one rule by the table.
type Grant struct {
	// Roles of which each may do all that the rule stands for.
	Roles rbac.Roles
	// Nova is the roles with which a person may make Nova call on his behalf: they count when a service's token comes with the person's.
	Nova rbac.Roles
	// Lines are the operations whose lines name the rule. Where there are none, the rule is asked in addition to that of a call.
	Lines []*rbac.Operation
	// Shared are the operations that the service asks for this rule, too, while other lines settle who has it.
	Shared []*rbac.Operation
	// Kept says that the table refuses to everybody what the rule stands for, so that its default is left alone.
	Kept bool

	settled bool // not to be looked for among calls
}

// A Book is a release's rules and who has them.
type Book struct {
	*Release
	Table  []*rbac.Operation
	grants map[string]*Grant
	inner  []ruleLine // rules that no call is documented for
	nova   []ruleLine // rules that Nova asks for
}

// NewBook reads off the table who has the rules of a release.
func NewBook(table *rbac.Table, r *Release) (*Book, error) {
	nova, err := ruleLines("novacalls.txt", novaText)
	if err != nil {
		return nil, err
	}
	inner, err := ruleLines("inner.txt", innerText)
	if err != nil {
		return nil, err
	}
	b := &Book{Release: r, Table: table.Operations(), grants: map[string]*Grant{}, inner: inner, nova: nova}
	return b, b.settle()
}

// settle works out who has each rule: by the lines that name it, by inner.txt, or by the calls beside whose rules it is asked; and Nova.
func (b *Book) settle() error {
	for _, op := range b.Table {
		if op.Service == b.Service {
			b.note(op)
		}
	}
	for _, g := range b.grants {
		if len(g.Lines) == 0 {
			continue
		}
		g.Roles = rbac.AllRoles
		for _, op := range g.Lines {
			g.Roles &= op.Needs()
		}
		g.Kept, g.settled = g.Roles == 0, true
	}
	for _, l := range b.inner {
		if l.program == b.Program && b.byName[l.rule] != nil {
			g := b.grant(l.rule)
			g.Roles, g.Kept, g.settled = l.roles, l.roles == 0, true
		}
	}
	for i := range b.Rules {
		if err := b.besides(&b.Rules[i]); err != nil {
			return err
		}
	}
	for _, l := range b.nova {
		if l.program == b.Program && b.byName[l.rule] != nil {
			b.grant(l.rule).Nova |= l.roles
		}
	}
	return nil
}

// Rule gives the name that an operation's rule has in the release, "" if it has none there. Neutron has one for every call, registered
// or not.
func (b *Book) Rule(op *rbac.Operation) string {
	for _, name := range append([]string{op.Rule}, op.OldRules...) {
		if b.byName[name] != nil {
			return name
		}
	}
	return derived(op)
}

// Grant gives who has a rule; nil for one that only other rules refer to.
func (b *Book) Grant(name string) *Grant { return b.grants[name] }

func (b *Book) note(op *rbac.Operation) {
	name := b.Rule(op)
	if name == "" {
		return
	}
	g := b.grant(name)
	if op.SharedRule {
		g.Shared = append(g.Shared, op)
	} else {
		g.Lines = append(g.Lines, op)
	}
}

func (b *Book) grant(name string) *Grant {
	if b.grants[name] == nil {
		b.grants[name] = &Grant{}
	}
	return b.grants[name]
}

// besides settles a rule that no line names: it is asked in addition to the rule of each call that its documentation names, so who may make
// one of these calls has it; unless the default is for administrators only or the table refuses everybody what the rule is about.
func (b *Book) besides(rule *Rule) error {
	if g := b.grants[rule.Name]; g != nil && g.settled {
		return nil
	}
	_, tenants, err := b.split(rule.Name)
	for _, documented := range rule.Operations {
		ops := readCall(documented).operations(b.Service, b.Table)
		if len(ops) == 0 {
			continue
		}
		g := b.grant(rule.Name)
		for _, op := range ops {
			g.Roles |= op.Needs()
		}
		g.Kept = g.Kept || len(tenants) == 0 || slices.ContainsFunc(ops, func(op *rbac.Operation) bool { return refusesAttribute(op, rule.Name) })
	}
	return err
}
