// Package provision brings an operator's own Keystone in line with our accounts: plan, apply.
//
// A Keystone that trusts one of our identity providers needs, once, a domain for its users, the identity provider itself, a mapping and a
// protocol, and the sixteen roles; and for each project and right a group of the name that id_tokens carry in their groups claim, with the
// right's roles on that project. What is there is read, compared with what is needed, and the difference is a Plan:
//
//	k := provision.New(client, provision.Trust{Provider: "ovhcloud-emea", Issuer: …, Audience: "https://keystone.example:5000/v3"})
//	plan, err := k.Plan(ctx, projects)
//	err = k.Apply(ctx, plan, func(done, of int, c provision.Change) { … })
//
// A plan is made anew from what is there at each run, so one that failed half-way is continued by the next. What Stackgate makes says so in
// its description, with the issuer it was made for; anything else is used where it does what is needed, and otherwise is a Conflict,
// with which nothing is changed at all. It is never changed or removed.
package provision

import (
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/stackgate/stackgate/internal/iam"
)

// Protocol is OS_PROTOCOL, and the name that Keystone's configuration must have among its methods.
const Protocol = "openid"

// A Trust says which of our identity providers a Keystone trusts, and under which address.
type Trust struct {
	Provider string // its name, which is that of its domain and mapping, too
	Issuer   string // the iss of its id_tokens
	Audience string // the Keystone's public address as clients give it in OS_AUTH_URL, which is in the aud of id_tokens for it
}

// A Keystone is an operator's, with our login as its administrator.
type Keystone struct {
	wire  wire
	trust Trust
}

// New makes a Keystone from a client for Identity v3.
func New(client *gophercloud.ServiceClient, t Trust) *Keystone { return &Keystone{wire{client}, t} }

// mark is the description of whatever is made for a trust.
func (t Trust) mark() string { return "Made by Stackgate for " + t.Issuer }

// made reports whether a description says that we made it.
func (t Trust) made(description string) bool { return description == t.mark() }

// stranger says whose something is that is in our way.
func (t Trust) stranger(description string) string {
	if issuer, ok := strings.CutPrefix(description, "Made by Stackgate for "); ok {
		return "another Stackgate made it, for " + issuer
	}
	return "Stackgate did not make it"
}

// A Verb says what a Change does.
type Verb string

// A Note changes nothing and is for the operator to know; a Conflict keeps a plan from being applied.
const (
	Create   Verb = "create"
	Update   Verb = "update"
	Grant    Verb = "grant"
	Revoke   Verb = "revoke"
	Delete   Verb = "delete"
	Note     Verb = "note"
	Conflict Verb = "conflict"
)

// A Change is one row of a plan.
type Change struct {
	Verb   Verb
	Kind   string // of what: domain, identity provider, mapping, protocol, role, group, project
	Name   string
	Detail string

	run step // nil: there is nothing to do
}

// A Plan is what separates a Keystone from what is needed, in the order in which it has to be done.
type Plan struct {
	Changes []Change

	ids *ids
}

// Pending counts the changes that Apply would make.
func (p *Plan) Pending() (n int) {
	for _, c := range p.Changes {
		if c.run != nil {
			n++
		}
	}
	return n
}

// Conflicts gives what keeps the plan from being applied.
func (p *Plan) Conflicts() (list []Change) {
	for _, c := range p.Changes {
		if c.Verb == Conflict {
			list = append(list, c)
		}
	}
	return list
}

func (p *Plan) add(v Verb, kind, name, detail string, run step) {
	p.Changes = append(p.Changes, Change{v, kind, name, detail, run})
}

// roleNames lists the sixteen roles in the order of the guide's table.
func roleNames() []string {
	var all []string
	seen := map[string]bool{}
	for _, right := range iam.Rights() {
		for _, name := range rolesOf(right) {
			if !seen[name] {
				seen[name] = true
				all = append(all, name)
			}
		}
	}
	return all
}

func rolesOf(right iam.Right) []string {
	var names []string
	for r := range right.Roles.All() {
		names = append(names, r.String())
	}
	return names
}
