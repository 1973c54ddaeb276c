// Package iam is the domain, pure: accounts, rights, policies, conditions, and Evaluate, which decides what a policy grants
// and says why.
//
// An account owns projects, service accounts and policies. A policy says which identities may or may not do which actions on which
// resources. Eleven actions are the rights of the guide's table; a right brings roles, and roles are what OpenStack calls need. Nothing is
// allowed unless a policy allows it, deny beats allow, and every zero value, unknown fact and unreadable datum means no.
// docs/access-model.md tells the whole.
//
//	d := iam.Evaluate(&set, iam.Request{Identity: robot, Action: iam.ActionProjectGet, Resource: project, Time: now, Address: addr})
//	if !d.Allowed {
//		return &iam.Error{Kind: iam.Denied, Message: "…", Actions: []iam.Action{iam.ActionProjectGet}}
//	}
//
// Compile prepares a set for one identity, for questions that come by the thousand.
package iam

import (
	"net/netip"
	"time"

	"github.com/stackgate/stackgate/internal/urn"
)

// An Account is a customer. It owns projects, service accounts, policies and groups; nothing of it is visible to, or grantable
// by, another account.
type Account struct {
	ID          urn.Account
	Description string
	Disabled    bool
	CreatedAt   time.Time
}

// A ProjectID is 32 lower-case hexadecimal digits, unique over all partitions.
type ProjectID string

// A Project is an OpenStack project.
type Project struct {
	ID          ProjectID
	Owner       urn.Account
	Name        string
	Description string
	Disabled    bool
	CreatedAt   time.Time
}

// A ClientID names a service account: the partition's prefix and 16 hexadecimal digits, EU.0f0f0f0f0f0f0f0f. It is unique
// over all partitions and has no colon.
type ClientID string

// A ServiceAccount is an OAuth 2.0 client (RFC 6749 §2) with the client credentials grant, and an identity.
type ServiceAccount struct {
	ID             ClientID
	Owner          urn.Account
	Name           string
	Description    string
	CallbackURLs   []string
	Disabled       bool
	DefaultProject ProjectID     // optional: where a bare client id logs in
	TokenLife      time.Duration // of Identity tokens; 0 is the server's default
	ServiceProject ProjectID     // where it has the flag service, which only the operator sets, at its creation; no policy grants it
	CreatedAt      time.Time
	UpdatedAt      time.Time // zero until the first change
}

// Identity is the service account as policies name it.
func (s ServiceAccount) Identity() urn.URN { return urn.ServiceAccount(s.Owner, string(s.ID)) }

// A Secret is one credential of a service account, without its value.
type Secret struct {
	ID            string // 16 lower-case hexadecimal digits
	ClientID      ClientID
	Description   string
	CreatedAt     time.Time
	ExpiresAt     time.Time // zero: never
	LastUsedAt    time.Time // zero: never; up to a minute late
	LastUsedFrom  netip.Addr
	LastUsedAgent string
}

// An Action is what a policy allows or denies: <resource type>:<namespace>:<path>, or a glob of it.
type Action string

// A Policy says who may or may not do what, on which resources, under which condition and until when.
type Policy struct {
	ID                string // UUID
	Owner             urn.Account
	Name              string
	Description       string
	ReadOnly          bool // made by the system; cannot be changed
	Identities        []urn.URN
	Resources         []urn.URN // resources, patterns with a final *, resource groups
	Permissions       Permissions
	PermissionsGroups []urn.URN
	Condition         *Condition // nil: always
	ExpiredAt         time.Time  // zero: never
	CreatedAt         time.Time
	UpdatedAt         time.Time // zero until the first change
}

// Permissions are the action lists of a policy or of a permissions group. Except narrows Allow of the same Permissions only;
// Deny beats every Allow anywhere.
type Permissions struct {
	Allow, Deny, Except []Action
}

// A PermissionsGroup is a named, reusable Permissions. Groups of owner "ovh" are built in.
type PermissionsGroup struct {
	ID          string // UUID
	URN         urn.URN
	Owner       urn.Account // Name is "ovh" for built-in ones
	Name        string
	Description string
	Permissions Permissions
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// A ResourceGroup is a named set of resources of one account.
type ResourceGroup struct {
	ID        string // UUID; its URN is urn.ResourceGroup(Owner.Partition, ID)
	Owner     urn.Account
	Name      string
	ReadOnly  bool
	Resources []urn.URN
	CreatedAt time.Time
	UpdatedAt time.Time
}

// A Resource is anything a policy can name: a project, the account itself.
type Resource struct {
	ID          string // UUID
	URN         urn.URN
	Owner       urn.Account
	Name        string
	DisplayName string
	Tags        map[string]string
}

// A Caller is who asks, as every method of the registry wants to know. The zero value may do nothing.
type Caller struct {
	Identity  urn.URN     // of a service account, or of the account itself
	Account   urn.Account // the identity's account
	Operator  string      // name of whoever runs the server, acting on the store directly: may do anything; never set from a request
	Address   netip.Addr  // invalid when unknown
	RequestID string
}
