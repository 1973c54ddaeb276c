package iam

import (
	"net/netip"
	"time"
)

// A Status says whether a statement counts, and if not, why.
type Status string

// The statuses.
const (
	Counts           Status = "counts"
	OtherResources   Status = "is about other resources"
	Expired          Status = "has expired"
	ConditionFalse   Status = "its condition is false"
	ConditionUnknown Status = "its condition cannot be decided" // of an allow or except; a deny counts then
)

// A Statement is one statement of a policy that names the identity and speaks of the action.
type Statement struct {
	Reason
	Status Status
}

// Consider is Decide with every statement, also those that do not count: of each policy that names the identity, each allow that matches the
// action, each except that matches beside an allow, and each deny that matches.
func (c *Compiled) Consider(action Action, res Resource, now time.Time, addr netip.Addr) []Statement {
	if !c.owns(&res) || !askable(action) {
		return nil
	}
	covers := make([]bool, len(c.policies))
	c.each(res.URN, func(i int) { covers[i] = true })
	f := factsOf(&res, now, addr)
	var list []Statement
	for i := range c.policies {
		p := &c.policies[i]
		var d Decision
		p.speak(&d, action)
		for _, r := range d.Reasons {
			list = append(list, Statement{r, p.status(covers[i], r.Effect, &f)})
		}
	}
	return list
}

// speak adds what the policy says of an action, whether it applies or not.
func (p *compiledPolicy) speak(d *Decision, action Action) {
	for i := range p.blocks {
		b := &p.blocks[i]
		if p.explain(d, Allow, b.group, b.allow, action) {
			p.explain(d, Except, b.group, b.except, action)
		}
		p.explain(d, Deny, b.group, b.deny, action)
	}
}

func (p *compiledPolicy) status(covers bool, e Effect, f *facts) Status {
	t := p.applies(f)
	switch {
	case !covers:
		return OtherResources
	case t == yes, t == unknown && e == Deny:
		return Counts
	case t == unknown:
		return ConditionUnknown
	case !p.expires.IsZero() && !f.now.Before(p.expires):
		return Expired
	}
	return ConditionFalse
}
