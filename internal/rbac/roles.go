// Package rbac says which role permits which OpenStack operation, and classifies an HTTP request as an operation. Its rules
// are data files.
package rbac

import "iter"

// A Role is one column of the guide's table, e.g. compute_read: the index of its bit in Roles.
type Role uint8

// The sixteen roles, in the order of the guide's table. The numbers are not stored anywhere.
const (
	ComputeManage Role = iota
	ComputeSnapshotManage
	ComputeRead
	ObjectstoreAll
	ImageManage
	ImageRead
	ImageImport
	VolumeManage
	VolumeSnapshotManage
	VolumeRead
	NetworkManage
	NetworkRead
	NetworkSecgroupManage
	NetworkSecgroupRead
	AITrainingAll
	AITrainingRead
	numRoles
)

var roleNames = [numRoles]string{
	"compute_manage", "compute_snapshot_manage", "compute_read", "objectstore_all", "image_manage", "image_read", "image_import",
	"volume_manage", "volume_snapshot_manage", "volume_read", "network_manage", "network_read", "network_secgroup_manage",
	"network_secgroup_read", "ai_training_all", "ai_training_read",
}

// String gives the role's name, as tokens and refusals show it.
func (r Role) String() string {
	if r >= numRoles {
		return "unknown"
	}
	return roleNames[r]
}

// ParseRole finds a role by its name.
func ParseRole(name string) (Role, bool) {
	for i, n := range roleNames {
		if n == name {
			return Role(i), true
		}
	}
	return 0, false
}

// Roles is a set of roles. The zero value is the empty set, which permits nothing.
type Roles uint64

// RolesOf makes a set.
func RolesOf(roles ...Role) Roles {
	var s Roles
	for _, r := range roles {
		s |= 1 << r
	}
	return s
}

// AllRoles is the set of the sixteen.
const AllRoles Roles = 1<<numRoles - 1

// Has reports whether r is in the set.
func (s Roles) Has(r Role) bool { return s&(1<<r) != 0 }

// Intersects reports whether the sets share a role.
func (s Roles) Intersects(t Roles) bool { return s&t != 0 }

// All yields the roles of the set in the table's order.
func (s Roles) All() iter.Seq[Role] {
	return func(yield func(Role) bool) {
		for r := range numRoles {
			if s.Has(r) && !yield(r) {
				return
			}
		}
	}
}

// Least gives the role of the set that allows the least, to name it in a refusal. The empty set gives no role.
func (s Roles) Least() Role {
	least := numRoles
	for r := range s.All() {
		if least == numRoles || r.weight() < least.weight() {
			least = r
		}
	}
	return least
}

// weight orders roles by what they open: readers, parts of a service, whole services.
func (r Role) weight() int {
	switch r {
	case ComputeRead, ImageRead, VolumeRead, NetworkRead, NetworkSecgroupRead, AITrainingRead:
		return 0
	case ComputeSnapshotManage, ImageImport, VolumeSnapshotManage, NetworkSecgroupManage:
		return 1
	}
	return 2
}
