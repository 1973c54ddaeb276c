package iam

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/urn"
)

// Compiled is a PolicySet prepared for one identity, for the hot path. It gives the same answers as Evaluate. Immutable. The zero
// value says no to everything.
type Compiled struct {
	owner    urn.Account
	space    string // what every resource of the owner's partition starts with
	root     bool   // the identity is the account itself
	policies []compiledPolicy
	exact    map[urn.URN][]int // policies by resource, as indexes
	patterns []patternOf
}

type patternOf struct {
	pattern urn.URN
	policy  int
}

// A compiledPolicy is a policy that names the identity.
type compiledPolicy struct {
	id, name string
	expires  time.Time // zero: never
	when     *predicate
	volatile bool // whether it applies may change with time or address
	blocks   []block
	allow    rightSet // of the eleven rights, all blocks together
	deny     rightSet
}

// A block is one Permissions, of the policy itself or of a permissions group. Except reaches no further than its block.
type block struct {
	group               urn.URN
	allow, deny, except []statement
}

type statement struct {
	text Action
	glob glob
}

// A rightSet has bit i for row i of the guide's table.
type rightSet uint64

// Compile prepares set for identity. An identity of another account gets nothing.
func Compile(set *PolicySet, identity urn.URN) *Compiled {
	account, ok := identity.Account()
	if set == nil || !ok || identity.Kind() != urn.KindIdentity || account != set.Owner || !account.Partition.Valid() {
		return &Compiled{}
	}
	c := &Compiled{
		owner: set.Owner,
		space: "urn:v1:" + string(set.Owner.Partition) + ":resource:",
		root:  identity == urn.AccountIdentity(set.Owner),
		exact: map[urn.URN][]int{},
	}
	for i := range set.Policies {
		if p := &set.Policies[i]; p.Owner == set.Owner && slices.Contains(p.Identities, identity) {
			c.add(set, p)
		}
	}
	return c
}

func (c *Compiled) add(set *PolicySet, p *Policy) {
	n := len(c.policies)
	for _, u := range p.Resources {
		if u.Kind() != urn.KindResourceGroup {
			c.index(u, n)
			continue
		}
		if g := set.ResourceGroups[u]; g.Owner == set.Owner && u.Partition() == set.Owner.Partition {
			for _, member := range g.Resources {
				c.index(member, n)
			}
		}
	}
	cp := compiledPolicy{id: p.ID, name: p.Name, expires: p.ExpiredAt, volatile: !p.ExpiredAt.IsZero()}
	if p.Condition != nil {
		when := compileCondition(p.Condition, 1)
		cp.when, cp.volatile = &when, cp.volatile || when.volatile()
	}
	cp.addBlock("", p.Permissions)
	for _, u := range p.PermissionsGroups {
		if g, ok := findPermissionsGroup(set, u); ok {
			cp.addBlock(u, g.Permissions)
		}
	}
	c.policies = append(c.policies, cp)
}

func (c *Compiled) index(u urn.URN, policy int) {
	if u.IsPattern() {
		c.patterns = append(c.patterns, patternOf{u, policy})
		return
	}
	c.exact[u] = append(c.exact[u], policy)
}

// findPermissionsGroup finds a group of the set's owner, or a built-in one of its partition.
func findPermissionsGroup(set *PolicySet, u urn.URN) (PermissionsGroup, bool) {
	if g, ok := builtInPermissionsGroup(u); ok {
		return g, u.Partition() == set.Owner.Partition
	}
	owner, _ := u.Account()
	g, ok := set.PermissionsGroups[u]
	return g, ok && u.Kind() == urn.KindPermissionsGroup && owner == set.Owner && g.Owner == set.Owner
}

func (p *compiledPolicy) addBlock(group urn.URN, perms Permissions) {
	b := block{group, compileStatements(perms.Allow), compileStatements(perms.Deny), compileStatements(perms.Except)}
	p.blocks = append(p.blocks, b)
	p.allow |= rightsMatched(b.allow) &^ rightsMatched(b.except)
	p.deny |= rightsMatched(b.deny)
}

func compileStatements(actions []Action) []statement {
	list := make([]statement, len(actions))
	for i, a := range actions {
		list[i] = statement{a, compileGlob(a)}
	}
	return list
}

func rightsMatched(statements []statement) rightSet {
	var set rightSet
	for i, row := range rights.rows {
		if matchesAny(statements, row.Action) {
			set |= 1 << i
		}
	}
	return set
}

func matchesAny(statements []statement, action Action) bool {
	return slices.ContainsFunc(statements, func(s statement) bool { return s.glob.match(action) })
}

// owns reports whether a resource is one that this account's policies can speak of. However a policy's patterns are written, they never
// reach another account's resource.
func (c *Compiled) owns(res *Resource) bool {
	return c.space != "" && res.Owner == c.owner && strings.HasPrefix(string(res.URN), c.space) && !res.URN.IsPattern()
}

// each calls f with the policies whose resources cover u; with one of them perhaps more than once.
func (c *Compiled) each(u urn.URN, f func(policy int)) {
	for _, policy := range c.exact[u] {
		f(policy)
	}
	for _, p := range c.patterns {
		if urn.Match(p.pattern, u) {
			f(p.policy)
		}
	}
}

// applies says whether the policy is there at all: not expired, its condition true.
func (p *compiledPolicy) applies(f *facts) truth {
	t := yes
	if !p.expires.IsZero() {
		if f.now.IsZero() {
			t = unknown
		} else {
			t = truthOf(f.now.Before(p.expires))
		}
	}
	if p.when != nil {
		t = min(t, p.when.eval(f))
	}
	return t
}

func factsOf(res *Resource, now time.Time, addr netip.Addr) facts {
	return facts{resource: res, now: now, addr: addr.Unmap().WithZone("")}
}

// rights computes which rights the identity has: those that something allows and nothing denies.
func (c *Compiled) rights(res *Resource, now time.Time, addr netip.Addr) (set rightSet, constant bool) {
	if !c.owns(res) {
		return 0, true
	}
	if c.root {
		return 1<<len(rights.rows) - 1, true
	}
	f, constant := factsOf(res, now, addr), true
	var allow, deny rightSet
	c.each(res.URN, func(i int) {
		p := &c.policies[i]
		if p.allow|p.deny == 0 {
			return
		}
		constant = constant && !p.volatile
		if p.allow&^allow|p.deny&^deny == 0 {
			return // whether it applies changes nothing any more
		}
		switch p.applies(&f) {
		case yes:
			allow |= p.allow
			deny |= p.deny
		case unknown:
			deny |= p.deny
		}
	})
	return allow &^ deny, constant
}

// Roles gives the roles that the identity has on a resource (the eleven rights, each through its row of the table). constant
// reports whether the answer holds at every time and from every address, so that it may be cached.
func (c *Compiled) Roles(res Resource, now time.Time, addr netip.Addr) (roles rbac.Roles, constant bool) {
	set, constant := c.rights(&res, now, addr)
	for i, row := range rights.rows {
		if set&(1<<i) != 0 {
			roles |= row.Roles
		}
	}
	return roles, constant
}

// Rights gives those of the eleven rights that the identity has on a resource, in the table's order.
func (c *Compiled) Rights(res Resource, now time.Time, addr netip.Addr) []Action {
	set, _ := c.rights(&res, now, addr)
	var list []Action
	for i, row := range rights.rows {
		if set&(1<<i) != 0 {
			list = append(list, row.Action)
		}
	}
	return list
}

// Allows answers one action on a resource. constant is as with Roles. A glob is no action: it is never allowed.
func (c *Compiled) Allows(action Action, res Resource, now time.Time, addr netip.Addr) (allowed, constant bool) {
	if !c.owns(&res) || !askable(action) {
		return false, true
	}
	if c.root {
		return true, true
	}
	f, constant := factsOf(&res, now, addr), true
	var allow, deny bool
	c.each(res.URN, func(i int) {
		p := &c.policies[i]
		allows, denies := p.says(action)
		if !allows && !denies {
			return
		}
		constant = constant && !p.volatile
		t := p.applies(&f)
		allow = allow || allows && t == yes
		deny = deny || denies && t != no
	})
	return allow && !deny, constant
}

func askable(a Action) bool { return a != "" && !a.IsGlob() }

// says reports what the policy's blocks, taken together, say of an action.
func (p *compiledPolicy) says(action Action) (allows, denies bool) {
	for i := range p.blocks {
		b := &p.blocks[i]
		allows = allows || matchesAny(b.allow, action) && !matchesAny(b.except, action)
		denies = denies || matchesAny(b.deny, action)
	}
	return allows, denies
}

// Decide is Allows with every reason. It never short-circuits.
func (c *Compiled) Decide(action Action, res Resource, now time.Time, addr netip.Addr) Decision {
	if !c.owns(&res) || !askable(action) {
		return Decision{}
	}
	if c.root {
		return Decision{Allowed: true, Reasons: []Reason{{Effect: Allow, PolicyName: rootPolicy, Statement: "*"}}}
	}
	covers := make([]bool, len(c.policies))
	c.each(res.URN, func(i int) { covers[i] = true })
	f := factsOf(&res, now, addr)
	var d Decision
	var denied bool
	for i := range c.policies {
		if !covers[i] {
			continue
		}
		allows, denies := c.policies[i].decide(&d, action, &f)
		d.Allowed = d.Allowed || allows
		denied = denied || denies
	}
	d.Allowed = d.Allowed && !denied
	return d
}

// decide adds the policy's reasons to d and says what it allows and denies.
func (p *compiledPolicy) decide(d *Decision, action Action, f *facts) (allows, denies bool) {
	t := p.applies(f)
	if t == no {
		return false, false
	}
	for i := range p.blocks {
		b := &p.blocks[i]
		if t == yes && p.explain(d, Allow, b.group, b.allow, action) {
			excepted := p.explain(d, Except, b.group, b.except, action)
			allows = allows || !excepted
		}
		denies = p.explain(d, Deny, b.group, b.deny, action) || denies
	}
	return allows, denies
}

// explain adds a reason for each statement that matches, and reports whether one did.
func (p *compiledPolicy) explain(d *Decision, e Effect, group urn.URN, statements []statement, action Action) (matched bool) {
	for _, s := range statements {
		if s.glob.match(action) {
			matched = true
			d.Reasons = append(d.Reasons, Reason{Effect: e, PolicyID: p.id, PolicyName: p.name, Group: group, Statement: s.text})
		}
	}
	return matched
}
