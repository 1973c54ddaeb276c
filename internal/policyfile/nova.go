package policyfile

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/stackgate/stackgate/internal/rbac"
)

//go:embed novacalls.txt
var novaText string

//go:embed inner.txt
var innerText string

// A ruleLine is a line of novacalls.txt or inner.txt: a service's rule and roles.
type ruleLine struct {
	program, rule string
	roles         rbac.Roles
}

// ruleLines reads such a file.
func ruleLines(name, text string) ([]ruleLine, error) {
	var out []ruleLine
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) < 3 {
			return nil, fmt.Errorf("%s: want a service, a rule and roles, not %q", name, line)
		}
		l := ruleLine{program: words[0], rule: words[1]}
		for _, w := range words[2:] {
			if w == "nobody" {
				continue
			}
			role, ok := rbac.ParseRole(w)
			if !ok {
				return nil, fmt.Errorf("%s: unknown role %q", name, w)
			}
			l.roles |= rbac.RolesOf(role)
		}
		out = append(out, l)
	}
	return out, nil
}
