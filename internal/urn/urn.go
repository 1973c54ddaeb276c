// Package urn names things: it parses, prints and matches urn:v1:… and its wildcards.
//
// A URN has the form
//
//	urn:v1:<partition>:<kind>:[<type>:]<name>
//
// for example urn:v1:eu:identity:credential:xx11111-ovh/oauth2-EU.0f0f0f0f0f0f0f0f, a service account, or
// urn:v1:eu:resource:publicCloudProject:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f, a project. A resource may end with a star and is
// then a pattern:
//
//	urn.Match("urn:v1:eu:resource:publicCloudProject:*", project) // true
//
// URNs are compared byte by byte; nothing in them is folded, trimmed or unescaped.
package urn

import "strings"

// A Partition is a namespace of accounts with its own issuer: eu, ca or us.
type Partition string

// The partitions.
const (
	EU Partition = "eu"
	CA Partition = "ca"
	US Partition = "us"
)

// Partitions lists every partition, in the order they are shown.
func Partitions() []Partition { return []Partition{EU, CA, US} }

// Valid reports whether p is one of the three partitions.
func (p Partition) Valid() bool { return p == EU || p == CA || p == US }

// A Kind is the fourth part of a URN: what sort of thing it names.
type Kind string

// The kinds.
const (
	KindIdentity         Kind = "identity"
	KindResource         Kind = "resource"
	KindResourceGroup    Kind = "resourceGroup"
	KindPermissionsGroup Kind = "permissionsGroup"
)

// The types of identity.
const (
	TypeAccount    = "account" // also the type of the account as a resource
	TypeUser       = "user"
	TypeGroup      = "group"
	TypeCredential = "credential"
)

// TypeProject is the type of a project as a resource.
const TypeProject = "publicCloudProject"

// BuiltIn is the owner of the permissions groups that every server has. No account can have this name.
const BuiltIn = "ovh"

// An Account names a customer account. Accounts of the same name in two partitions are two accounts.
// The zero value names nobody.
type Account struct {
	Partition Partition
	Name      string // e.g. xx11111-ovh
}

// A URN is a valid URN, compared bytewise. Make one with Parse or with a constructor; the zero value names nothing. On a URN
// that was made in another way every method gives zero values or nonsense, but does not panic.
type URN string

// ServiceAccount gives the identity URN of a service account.
func ServiceAccount(a Account, clientID string) URN {
	return URN("urn:v1:" + string(a.Partition) + ":identity:credential:" + a.Name + "/oauth2-" + clientID)
}

// AccountIdentity gives the identity URN of an account, its root.
func AccountIdentity(a Account) URN {
	return URN("urn:v1:" + string(a.Partition) + ":identity:account:" + a.Name)
}

// AccountResource gives the URN of an account as a resource.
func AccountResource(a Account) URN {
	return URN("urn:v1:" + string(a.Partition) + ":resource:account:" + a.Name)
}

// Project gives the resource URN of a project.
func Project(p Partition, id string) URN {
	return URN("urn:v1:" + string(p) + ":resource:publicCloudProject:" + id)
}

// ResourceGroup gives the URN of a resource group.
func ResourceGroup(p Partition, id string) URN {
	return URN("urn:v1:" + string(p) + ":resourceGroup:" + id)
}

// PermissionsGroup gives the URN of a permissions group.
func PermissionsGroup(p Partition, owner, name string) URN {
	return URN("urn:v1:" + string(p) + ":permissionsGroup:" + owner + ":" + name)
}

// split cuts a URN after its kind. The rest of a URN without four colons is "".
func (u URN) split() (p Partition, k Kind, rest string) {
	s, ok := strings.CutPrefix(string(u), prefix)
	if !ok {
		return "", "", ""
	}
	partition, s, ok := strings.Cut(s, ":")
	if !ok {
		return "", "", ""
	}
	kind, rest, ok := strings.Cut(s, ":")
	if !ok {
		return "", "", ""
	}
	return Partition(partition), Kind(kind), rest
}

// Partition gives the partition.
func (u URN) Partition() Partition {
	p, _, _ := u.split()
	return p
}

// Kind gives the kind.
func (u URN) Kind() Kind {
	_, k, _ := u.split()
	return k
}

// Type gives the type of an identity (account, user, group, credential) or of a resource (publicCloudProject, account). It is
// "" for groups and for the pattern of all resources.
func (u URN) Type() string {
	_, k, rest := u.split()
	if k != KindIdentity && k != KindResource {
		return ""
	}
	typ, _, ok := strings.Cut(rest, ":")
	if !ok {
		return ""
	}
	return typ
}

// Name gives what follows the type: an account, <account>/<user>, <account>/oauth2-<client id>, a resource's name or its
// pattern; for a permissions group what follows its owner; for a resource group its id.
func (u URN) Name() string {
	_, k, rest := u.split()
	if k == KindResourceGroup {
		return rest
	}
	_, name, ok := strings.Cut(rest, ":")
	if !ok {
		return rest
	}
	return name
}

// IsPattern reports whether u ends with a star.
func (u URN) IsPattern() bool { return strings.HasSuffix(string(u), "*") }

// Account gives the account that an identity belongs to, that owns a permissions group, or that an account resource names.
// Of any other URN, and of a built-in permissions group, it gives false.
func (u URN) Account() (Account, bool) {
	p, k, rest := u.split()
	typ, name, _ := strings.Cut(rest, ":")
	switch {
	case k == KindIdentity:
		name, _, _ = strings.Cut(name, "/")
	case k == KindPermissionsGroup && typ != BuiltIn:
		name = typ
	case k == KindResource && typ == TypeAccount && !u.IsPattern():
	default:
		return Account{}, false
	}
	if name == "" {
		return Account{}, false
	}
	return Account{Partition: p, Name: name}, true
}

// ClientID gives the client id of a service account's identity.
func (u URN) ClientID() (string, bool) {
	_, k, rest := u.split()
	name, ok := strings.CutPrefix(rest, TypeCredential+":")
	if k != KindIdentity || !ok {
		return "", false
	}
	_, id, ok := strings.Cut(name, "/"+oauth2)
	return id, ok
}

// Match reports whether a pattern covers a resource: they are the same, or the pattern ends with a star and the resource
// starts with what stands before it. A star anywhere else, and one in resource, is an ordinary byte.
func Match(pattern, resource URN) bool {
	if before, ok := strings.CutSuffix(string(pattern), "*"); ok {
		return strings.HasPrefix(string(resource), before)
	}
	return pattern == resource
}
