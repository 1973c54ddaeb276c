package policyfile

import (
	"fmt"
	"strings"

	"github.com/stackgate/stackgate/internal/rbac"
)

// Swift gives what Swift's proxy-server.conf needs: Swift has no policy rules but a list of roles that own a project's account, and
// one of roles that read it.
func Swift(table *rbac.Table) string {
	owners, readers := rbac.AllRoles, rbac.AllRoles
	for _, op := range table.Operations() {
		if op.Service != rbac.ObjectStore || op.Access != rbac.ByRole {
			continue
		}
		owners &= op.Roles
		if op.Method == "GET" || op.Method == "HEAD" {
			readers &= op.Roles
		}
	}
	roles := append([]string{"admin"}, listed(owners)...)
	return fmt.Sprintf(swiftText, strings.Join(roles, ", "), strings.Join(listed(readers&^owners), ", "))
}

func listed(roles rbac.Roles) (names []string) {
	for r := range roles.All() {
		names = append(names, r.String())
	}
	return names
}

// Long: it is a file.
const swiftText = `# Stackgate's roles in Swift. Made by
#
#   stackgate policy-files swift
#
# from the table by which the gateway judges: a fragment of proxy-server.conf, which replaces the sections of these names there.

[filter:authtoken]
# Keep your own options. This one lets a request without a token go on to tempurl and to public containers.
delay_auth_decision = true

[filter:keystoneauth]
use = egg:swift#keystoneauth

# An account is AUTH_ and the id of a project. A role counts in the account of the token's own project alone.
reseller_prefix = AUTH_

# Who may do everything in the project's account. If your own users have another role for it (member, swiftoperator), add it.
operator_roles = %s

# Who may GET and HEAD all of it. No role of ours reads and does not write.
project_reader_roles = %s

# None of ours: who has this role may do anything in every account, delete and set quotas of accounts included.
reseller_admin_role = ResellerAdmin

# Nobody reads every account, and no account needs a service's token beside its owner's.
system_reader_roles =
service_roles =

# tempurl and formpost decide for themselves what their signatures allow.
allow_overrides = true

# Access lists name projects and users by id, never by names, which others could take.
allow_names_in_acls = false

# ! What Swift does and the gateway does not. There is no option for it:
# ! - An access list that a container's owner sets (X-Container-Read, X-Container-Write) lets in projects, users and, within the project,
# !   roles, whatever is said above. Behind the gateway a token reaches its own project's account alone.
# ! - FormPOST, whose signature is in the body, works where formpost is in the pipeline. The gateway refuses it.
# ! - X-Copy-From-Account, Destination-Account and X-Symlink-Target-Account may name another account, whose access lists then count.
`
