package iam

import (
	"slices"

	"github.com/stackgate/stackgate/internal/urn"
)

// BuiltInPermissionsGroups gives the permissions groups that every account of a partition has, in the order of their ids. They
// cannot be changed.
//
// globalReadWrite leaves out everything that decides who may do what: users, restrictions, service accounts and their secrets (who
// may add a secret can become that service account), policies and groups. Reading them stays allowed, except for users.
func BuiltInPermissionsGroups(p urn.Partition) []PermissionsGroup {
	return []PermissionsGroup{
		builtIn(p, "1", "globalAdmin", "Every action on the resource", Permissions{Allow: []Action{"*"}}),
		builtIn(p, "2", "globalReadOnly", "Every action that only reads", Permissions{Allow: []Action{"*get"}}),
		builtIn(p, "3", "globalReadWrite", "Every action, except the management of users, restrictions and access", Permissions{
			Allow: []Action{"*"},
			Except: slices.Concat(
				[]Action{"account:apiovh:me/identity/*", "account:apiovh:me/accessRestriction/*"},
				[]Action{ActionClientCreate, ActionClientEdit, ActionClientDelete, ActionClientDisable, ActionClientEnable},
				[]Action{ActionSecretCreate, ActionSecretDelete, ActionSecretRotate, ActionTokenDelete},
				[]Action{ActionPolicyCreate, ActionPolicyEdit, ActionPolicyDelete},
				[]Action{ActionPermissionsGroupCreate, ActionPermissionsGroupEdit, ActionPermissionsGroupDelete},
				[]Action{ActionResourceGroupCreate, ActionResourceGroupEdit, ActionResourceGroupDelete},
			),
		}),
	}
}

func builtIn(p urn.Partition, digit, name, description string, perms Permissions) PermissionsGroup {
	return PermissionsGroup{
		ID:          "00000000-0000-0000-0001-00000000000" + digit,
		URN:         urn.PermissionsGroup(p, urn.BuiltIn, name),
		Owner:       urn.Account{Partition: p, Name: urn.BuiltIn},
		Name:        name,
		Description: description,
		Permissions: perms,
	}
}

// builtInPermissionsGroup finds a built-in group by its URN.
func builtInPermissionsGroup(u urn.URN) (PermissionsGroup, bool) {
	for _, g := range BuiltInPermissionsGroups(u.Partition()) {
		if g.URN == u {
			return g, true
		}
	}
	return PermissionsGroup{}, false
}
