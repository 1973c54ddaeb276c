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
# It needs, in %s.conf:
#
#   [oslo_policy]
#   policy_file = policy.yaml
#   enforce_new_defaults = true   # else the older defaults, which let in any role of the project, count beside the rules that stay
`, b.Program)
	if b.Name == "zed" { // it cannot be switched off any more in 2026.1
		p.printf("#   enforce_scope = true\n")
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

func (p *page) list(title string, ops []*rbac.Operation) {
	if len(ops) == 0 {
		return
	}
	p.printf("#\n# ! %s\n#\n", title)
	for _, l := range byRoles(ops) {
		p.printf("#   %s\n", l)
	}
}
