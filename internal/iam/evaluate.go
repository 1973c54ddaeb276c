package iam

import (
	"net/netip"
	"time"

	"github.com/stackgate/stackgate/internal/urn"
)

// A PolicySet is everything needed to decide for one account's identities: its policies and the groups they name. What is not
// of Owner is ignored.
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
	Time     time.Time  // zero: unknown
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
//
// Reasons stand in the order of the policies: of a policy that applies, each allow that matched, each except that matched beside an allow,
// and each deny that matched. Of a policy of which it is unknown whether it applies, only the denies stand there.
type Decision struct {
	Allowed bool
	Reasons []Reason
}

// rootPolicy is what every account has without anybody writing it: its root may do everything to everything of the account.
const rootPolicy = "ovh-default"

// Evaluate decides one request, with all reasons. It is pure and never short-circuits.
func Evaluate(set *PolicySet, req Request) Decision {
	return Compile(set, req.Identity).Decide(req.Action, req.Resource, req.Time, req.Address)
}
