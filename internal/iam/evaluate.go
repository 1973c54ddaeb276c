package iam

import (
	"net/netip"
	"time"

	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/urn"
)

// A PolicySet is everything needed to decide for one account's identities: its policies and the groups they name.
type PolicySet struct {
	Owner             urn.Account
	Policies          []Policy
	PermissionsGroups map[urn.URN]PermissionsGroup // own ones; built-in ones are always known
	ResourceGroups    map[urn.URN]ResourceGroup
}

// A Request is one question: may this identity do this, to that, now, from there?
type Request struct {
	Identity urn.URN
	Action   Action
	Resource Resource
	Time     time.Time
	Address  netip.Addr // invalid: unknown
}

// An Effect is what a statement does.
type Effect string

// The effects.
const (
	Allow  Effect = "allow"
	Deny   Effect = "deny"
	Except Effect = "except"
)

// A Reason is one statement that matched.
type Reason struct {
	Effect     Effect
	PolicyID   string
	PolicyName string
	Group      urn.URN // the permissions group that holds the statement, or ""
	Statement  Action  // as written in the policy
}

// A Decision is the answer and every statement that led to it. The zero value is no.
type Decision struct {
	Allowed bool
	Reasons []Reason
}

// Evaluate decides one request, with all reasons. It is pure and never short-circuits.
func Evaluate(set *PolicySet, req Request) Decision { return Decision{} }

// Compiled is a PolicySet prepared for one identity, for the hot path. It gives the same answers as Evaluate. Immutable.
type Compiled struct{}

// Compile prepares set for identity.
func Compile(set *PolicySet, identity urn.URN) *Compiled { return &Compiled{} }

// Roles gives the roles that the identity has on a resource (the eleven rights, each through its row of the table). constant
// reports whether the answer holds at every time and from every address, so that it may be cached.
func (c *Compiled) Roles(res Resource, now time.Time, addr netip.Addr) (roles rbac.Roles, constant bool) {
	return 0, false
}

// Rights gives those of the eleven rights that the identity has on a resource, in the table's order.
func (c *Compiled) Rights(res Resource, now time.Time, addr netip.Addr) []Action { return nil }

// Allows answers one action on a resource.
func (c *Compiled) Allows(action Action, res Resource, now time.Time, addr netip.Addr) (allowed, constant bool) {
	return false, false
}

// A Right is one row of the guide's table.
type Right struct {
	Action Action
	Roles  rbac.Roles
}

// Rights gives the eleven rows in the guide's order.
func Rights() []Right { return nil }

// CheapestRights gives the rights that grant role, the one with the least beside it (fewest *_manage and *_all roles, then
// fewest roles) first.
func CheapestRights(role rbac.Role) []Action { return nil }
