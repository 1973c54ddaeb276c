// Package urn names things: it parses, prints and matches urn:v1:… and its wildcards.
//
// A URN has the form
//
//	urn:v1:<partition>:<kind>:[<type>:]<name>
//
// for example urn:v1:eu:identity:credential:xx11111-ovh/oauth2-EU.0f0f0f0f0f0f0f0f, a service account, or
// urn:v1:eu:resource:publicCloudProject:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f, a project.
package urn

// A Partition is a namespace of accounts with its own issuer: eu, ca or us.
type Partition string

// The partitions.
const (
	EU Partition = "eu"
	CA Partition = "ca"
	US Partition = "us"
)

// Partitions lists every partition, in the order they are shown.
var partitions = [...]Partition{EU, CA, US}

// An Account names a customer account. Accounts of the same name in two partitions are two accounts.
// The zero value names nobody.
type Account struct {
	Partition Partition
	Name      string // e.g. xx11111-ovh
}

// A URN is a valid URN, compared bytewise. Make one with Parse or with a constructor; the zero value names nothing.
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
