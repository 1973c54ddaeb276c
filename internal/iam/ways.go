package iam

import (
	"fmt"
	"maps"
	"slices"

	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/urn"
)

// A Change is one thing that somebody can do to what decides.
type Change string

// The changes. The first five are to policies, and Ways finds them; the others are to what a policy has no say in.
const (
	AddPolicy    Change = "add policy"
	RemoveDeny   Change = "remove deny"
	RemoveExcept Change = "remove except"
	RenewPolicy  Change = "renew policy"
	AddResource  Change = "add resource"

	EnableServiceAccount Change = "enable service account"
	EnableAccount        Change = "enable account"
	EnableProject        Change = "enable project"
	LeaveOut             Change = "leave out"
	NameOwnProject       Change = "name own project"
)

// A Step is a Change to one thing.
type Step struct {
	Change Change
	Right  Action // what it is for, of a change to policies
	Reason        // the statement it is about, with all changes to policies but AddPolicy
	Field  string // with LeaveOut and NameOwnProject
}

// String says what to do, without a full stop.
func (s Step) String() string {
	in := fmt.Sprintf("policy %q", s.PolicyName)
	if s.Group != "" {
		in = fmt.Sprintf("the permissions group %s, which policy %q names", s.Group, s.PolicyName)
	}
	switch s.Change {
	case AddPolicy:
		return fmt.Sprintf("add the right %s on this project by a policy", s.Right)
	case RemoveDeny:
		return fmt.Sprintf("remove the deny %q from %s", s.Statement, in)
	case RemoveExcept:
		return fmt.Sprintf("remove the except %q from %s", s.Statement, in)
	case RenewPolicy:
		return fmt.Sprintf("give policy %q, which has expired, a later expiry or none", s.PolicyName)
	case AddResource:
		return fmt.Sprintf("add this project to the resources of policy %q, which grants %s elsewhere", s.PolicyName, s.Right)
	case LeaveOut:
		return "leave out " + s.Field + ", and whatever else only the cloud administrator may set"
	case NameOwnProject:
		return "name the token's own project in " + s.Field + ", and wherever else one is named"
	}
	return string(s.Change)
}

// A Way is what would give an identity one right: all of its steps together.
type Way struct {
	Right Action
	Steps []Step
}

// maxWays bounds what is told.
const maxWays = 5

// Ways finds what would give the identity of a request one of the needed roles on its resource, the least first: fewest steps, then the right that
// brings the least beside the role. Every way has been tried on a copy of the set. It is empty if the identity has such a role already. The
// request's action is not looked at.
func Ways(set *PolicySet, req Request, needed rbac.Roles) []Way {
	if req.works(set, needed) {
		return nil
	}
	var ways []Way
	shortest := 0 // of the ways that add a policy: a right that brings more is worth it only if it takes less
	for _, right := range RightsThatBring(needed) {
		for _, w := range req.waysTo(set, right) {
			adds := w.Steps[len(w.Steps)-1].Change == AddPolicy
			if adds && shortest > 0 && len(w.Steps) >= shortest || !req.works(w.on(set, req), needed) {
				continue
			}
			if adds {
				shortest = len(w.Steps)
			}
			ways = append(ways, w)
		}
	}
	slices.SortStableFunc(ways, func(a, b Way) int { return len(a.Steps) - len(b.Steps) })
	return ways[:min(len(ways), maxWays)]
}

// RightsThatBring gives the rights that bring one of the roles, those that bring the least of the roles first.
func RightsThatBring(needed rbac.Roles) []Action {
	if needed == 0 {
		return nil
	}
	list := CheapestRights(needed.Least())
	for _, row := range rights.rows {
		if row.Roles.Intersects(needed) && !slices.Contains(list, row.Action) {
			list = append(list, row.Action)
		}
	}
	return list
}

func (req Request) works(set *PolicySet, needed rbac.Roles) bool {
	roles, _ := Compile(set, req.Identity).Roles(req.Resource, req.Time, req.Address)
	return roles.Intersects(needed)
}

// waysTo gives what may bring a right: nothing must deny it, and something must allow it.
func (req Request) waysTo(set *PolicySet, right Action) []Way {
	said := Compile(set, req.Identity).Consider(right, req.Resource, req.Time, req.Address)
	var undeny []Step
	for _, s := range said {
		step := Step{Change: RemoveDeny, Right: right, Reason: s.Reason}
		if s.Effect == Deny && s.Status == Counts && !slices.Contains(undeny, step) {
			undeny = append(undeny, step)
		}
	}
	var ways []Way
	add := func(steps ...Step) {
		steps = append(slices.Clone(undeny), steps...)
		if len(steps) > 0 && !slices.ContainsFunc(steps, func(s Step) bool { return s.fixed(set) }) {
			ways = append(ways, Way{right, steps})
		}
	}
	add()
	add(Step{Change: AddPolicy, Right: right})
	for i, s := range said {
		if s.Effect == Allow && (i == 0 || !s.sameBlock(said[i-1]) || said[i-1].Effect != Allow) {
			add(s.mend(said, right)...)
		}
	}
	return ways
}

func (s Statement) sameBlock(t Statement) bool {
	return s.PolicyID == t.PolicyID && s.Group == t.Group
}

// mend gives the steps that would make an allow count: its excepts go, or its policy is renewed, or covers the resource.
func (s Statement) mend(said []Statement, right Action) (steps []Step) {
	switch s.Status {
	case Expired:
		steps = append(steps, Step{Change: RenewPolicy, Right: right, Reason: s.Reason})
	case OtherResources:
		steps = append(steps, Step{Change: AddResource, Right: right, Reason: s.Reason})
	}
	for _, t := range said {
		if t.Effect == Except && t.sameBlock(s) {
			steps = append(steps, Step{Change: RemoveExcept, Right: right, Reason: t.Reason})
		}
	}
	return steps
}

// fixed reports whether a step would change what nobody can: a policy of the system's, a built-in group.
func (s Step) fixed(set *PolicySet) bool {
	if _, ok := builtInPermissionsGroup(s.Group); ok && s.Change != RenewPolicy && s.Change != AddResource {
		return true
	}
	return slices.ContainsFunc(set.Policies, func(p Policy) bool { return p.ID == s.PolicyID && p.ReadOnly })
}

// on gives the set as it is after the way's steps.
func (w Way) on(set *PolicySet, req Request) *PolicySet {
	after := *set
	after.Policies, after.PermissionsGroups = slices.Clone(set.Policies), maps.Clone(set.PermissionsGroups)
	for _, s := range w.Steps {
		s.on(&after, req)
	}
	return &after
}

// on makes a step's change to a set whose lists of policies and of groups are its own.
func (s Step) on(set *PolicySet, req Request) {
	if s.Change == AddPolicy {
		set.Policies = append(set.Policies, Policy{Owner: set.Owner, Identities: []urn.URN{req.Identity}, Resources: []urn.URN{req.Resource.URN},
			Permissions: Permissions{Allow: []Action{s.Right}}})
		return
	}
	if g, ok := set.PermissionsGroups[s.Group]; ok && s.Change != RenewPolicy && s.Change != AddResource {
		g.Permissions = s.without(g.Permissions)
		set.PermissionsGroups[s.Group] = g
		return
	}
	i := slices.IndexFunc(set.Policies, func(p Policy) bool { return p.ID == s.PolicyID })
	if i < 0 {
		return
	}
	switch p := &set.Policies[i]; s.Change {
	case RenewPolicy:
		p.ExpiredAt = p.ExpiredAt.AddDate(10000, 0, 0)
	case AddResource:
		p.Resources = append(slices.Clone(p.Resources), req.Resource.URN)
	default:
		p.Permissions = s.without(p.Permissions)
	}
}

// without takes the step's statement out of permissions.
func (s Step) without(p Permissions) Permissions {
	is := func(a Action) bool { return a == s.Statement }
	if s.Change == RemoveDeny {
		p.Deny = slices.DeleteFunc(slices.Clone(p.Deny), is)
	} else {
		p.Except = slices.DeleteFunc(slices.Clone(p.Except), is)
	}
	return p
}
