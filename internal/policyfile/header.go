package policyfile

import "github.com/stackgate/stackgate/internal/rbac"

// header says what the file is, what it needs, and what holds for the whole service.
func (p *page) header() {
	b := p.book
	p.printf("# Stackgate's roles in the policy of %s, release %s. Made by\n#\n#   stackgate policy-files %s --release %s\n#\n", b.Program, b.Name, b.Program, b.Name)
	p.printf(`# from the table by which the gateway judges. It adds the roles to the release's defaults; administrators, managers, services, members
# and readers keep what these give them. Where a default asks for no role at all, a reader's role or one of ours is asked for.
# Rules that are commented out are nobody's in a project, or are refused to all of our roles, and stay as the release has them.
#
# It needs, in %s:
#
#   [oslo_policy]
#   policy_file = policy.yaml
#   enforce_new_defaults = true   # else the older defaults, which let in any role of the project, count beside the rules that stay
`, configFile(b.Program))
	if b.Name == "zed" { // it cannot be switched off any more in 2026.1
		p.printf("#   enforce_scope = true\n")
	}
	if b.Program == "glance" && b.Name == "zed" { // later ones have no such option
		p.printf("#\n#   [DEFAULT]\n#   enforce_secure_rbac = true    # else it does not start with enforce_new_defaults\n")
	}
	p.printf("#\n")
	p.printf("# A line with \"!\" says what oslo.policy cannot express of the rule below it.\n")
	for _, n := range b.notes("*") {
		p.printf("#\n# ! %s\n", n)
	}
	never, elsewhere := b.Unruled()
	p.list("These calls ask for no rule of their own:", never)
	p.list("These ask for one in other releases, not in this; it may not have the call at all:", elsewhere)
}

// configFile is where Debian has the options of a program.
func configFile(program string) string {
	if program == "glance" {
		return "glance-api.conf"
	}
	return program + ".conf"
}

func (p *page) list(title string, ops []*rbac.Operation) {
	if len(ops) == 0 {
		return
	}
	p.printf("#\n# ! %s\n#\n", title)
	for _, l := range byRoles(ops) {
		p.printf("#   %s\n", l)
	}
}
