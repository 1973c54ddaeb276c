package iam

import (
	"cmp"
	_ "embed" // the table
	"fmt"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/rbac"
)

//go:embed rights.txt
var rightsFile string

// rights is the guide's table. It never changes.
var rights = must(parseRights(rightsFile))

// must ends the program at its start if data that is built into it is wrong; tests run it too.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A Right is one row of the guide's table.
type Right struct {
	Action Action
	Roles  rbac.Roles
}

// A column is one role under its service's label.
type column struct {
	service string
	role    rbac.Role
}

type rightsTable struct {
	columns []column
	rows    []Right
}

// parseRights reads the form that rights.txt describes at its top.
func parseRights(text string) (rightsTable, error) {
	var t rightsTable
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, list, ok := cutLast(line, ": ")
		if !ok {
			return rightsTable{}, fmt.Errorf("rights: no colon in %q", line)
		}
		roles, err := parseRoles(list)
		if err != nil {
			return rightsTable{}, err
		}
		if service, ok := strings.CutPrefix(name, "service "); ok {
			for _, r := range roles {
				t.columns = append(t.columns, column{service, r})
			}
			continue
		}
		t.rows = append(t.rows, Right{Action(name), rbac.RolesOf(roles...)})
	}
	return t, nil
}

func parseRoles(list string) ([]rbac.Role, error) {
	var roles []rbac.Role
	for name := range strings.FieldsSeq(list) {
		r, ok := rbac.ParseRole(name)
		if !ok {
			return nil, fmt.Errorf("rights: no role %q", name)
		}
		roles = append(roles, r)
	}
	return roles, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+len(sep):], true
}

// Rights gives the eleven rows in the guide's order.
func Rights() []Right { return slices.Clone(rights.rows) }

// RightsTable gives the table as the guide prints it, in Markdown, with a final line feed.
func RightsTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %-53s |", "OpenStack rights")
	for _, c := range rights.columns {
		fmt.Fprintf(&b, " %s: %s |", c.service, c.role)
	}
	// The guide's first line ends with a space, the others do not.
	b.WriteString(" \n| :" + strings.Repeat("-", 52) + " |" + strings.Repeat(":---:|", len(rights.columns)) + "\n")
	for _, row := range rights.rows {
		fmt.Fprintf(&b, "| %-53s |", row.Action)
		for _, c := range rights.columns {
			if row.Roles.Has(c.role) {
				b.WriteString("  x  |")
			} else {
				b.WriteString("     |")
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// CheapestRights gives the rights that grant role, the one with the least beside it (fewest *_manage and *_all roles, then
// fewest roles) first.
func CheapestRights(role rbac.Role) []Action {
	var rows []Right
	for _, row := range rights.rows {
		if row.Roles.Has(role) {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b Right) int {
		aStrong, aAll := weigh(a.Roles)
		bStrong, bAll := weigh(b.Roles)
		return cmp.Or(aStrong-bStrong, aAll-bAll)
	})
	var actions []Action
	for _, row := range rows {
		actions = append(actions, row.Action)
	}
	return actions
}

// weigh counts the roles that change things, and all roles.
func weigh(s rbac.Roles) (strong, all int) {
	for r := range s.All() {
		all++
		if name := r.String(); strings.HasSuffix(name, "_manage") || strings.HasSuffix(name, "_all") {
			strong++
		}
	}
	return strong, all
}

// GroupName is what the groups claim of an id_token calls a right on a project: <project id>:<last word of the right>.
func GroupName(project ProjectID, right Action) string {
	return string(project) + ":" + string(right[strings.LastIndexByte(string(right), ':')+1:])
}
