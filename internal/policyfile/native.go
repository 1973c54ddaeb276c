package policyfile

import (
	"fmt"
	"slices"
	"strings"
)

// A kind is what a check of oslo.policy asks for.
type kind uint8

const (
	condition  kind = iota // something of the target: whose it is, whether it is shared
	persona                // OpenStack's own role:member or role:reader
	privileged             // what no tenant has: administrators, managers, services
	mixed                  // a rule of several kinds
)

// kindOf says what one check asks for.
func (r *Release) kindOf(check string) (kind, error) {
	what, name, _ := strings.Cut(check, ":")
	switch what {
	case "role":
		if name == "member" || name == "reader" {
			return persona, nil
		}
		return privileged, nil
	case "is_admin", "is_admin_project":
		return privileged, nil
	case "rule":
		return r.kindOfRule(name)
	}
	return condition, nil
}

func (r *Release) kindOfRule(name string) (kind, error) {
	alts, err := r.Alternatives(name)
	if err != nil {
		return mixed, err
	}
	seen := map[kind]bool{}
	for _, a := range alts {
		k, role, err := r.kindOfAlternative(a)
		if err != nil {
			return mixed, err
		}
		if k == condition && len(a) == 0 || role != "" {
			k = mixed
		}
		seen[k] = true
	}
	switch {
	case len(seen) == 0 || len(seen) == 1 && seen[privileged]: // "!" is nobody: no tenant, either
		return privileged, nil
	case len(seen) == 1 && seen[condition]:
		return condition, nil
	}
	return mixed, nil
}

// kindOfAlternative says whether an alternative is for tenants or not, and which of OpenStack's own roles it asks for.
func (r *Release) kindOfAlternative(a alternative) (k kind, role string, err error) {
	for _, check := range a {
		one, err := r.kindOf(check)
		if err != nil {
			return mixed, "", err
		}
		switch one {
		case privileged:
			k = privileged
		case persona:
			role = strings.TrimPrefix(check, "role:")
		}
	}
	return k, role, nil
}

// Alternatives gives the alternatives of a rule's default. A rule that it refers to is put in place of its name where it asks for roles
// that we have to add to; so rule:shared and rule:admin_only stay, and rule:project_reader_or_admin does not.
func (r *Release) Alternatives(name string) ([]alternative, error) {
	rule := r.byName[name]
	if rule == nil { // as oslo.policy does
		rule = r.byName["default"]
	}
	if rule == nil {
		return nil, fmt.Errorf("rule %s is not registered, nor is there a default one", name)
	}
	alts, err := alternatives(rule.Check)
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", name, err)
	}
	var out []alternative
	for _, a := range alts {
		more, err := r.expand(a)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func (r *Release) expand(a alternative) ([]alternative, error) {
	out := []alternative{{}}
	for _, check := range a {
		k, err := r.kindOf(check)
		if err != nil {
			return nil, err
		}
		with := []alternative{{check}}
		if k == mixed {
			if with, err = r.Alternatives(strings.TrimPrefix(check, "rule:")); err != nil {
				return nil, err
			}
		}
		out = product(out, with)
	}
	return out, nil
}

// A tenantPart is the alternatives of a default that are for a project's own people: which of OpenStack's roles they ask for, "" for any, and
// what they ask of the target besides; no conditions at all is one empty alternative.
type tenantPart struct {
	role       string
	conditions []alternative
}

// split takes a rule's default apart: what is for administrators, managers and services, and what is for tenants.
func (r *Release) split(name string) (others []alternative, tenants []tenantPart, err error) {
	alts, err := r.Alternatives(name)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range alts {
		k, role, err := r.kindOfAlternative(a)
		if err != nil {
			return nil, nil, err
		}
		if k == privileged {
			others = append(others, a)
			continue
		}
		rest := slices.DeleteFunc(slices.Clone(a), func(c string) bool { return role != "" && c == "role:"+role })
		i := slices.IndexFunc(tenants, func(p tenantPart) bool { return p.role == role })
		if i < 0 {
			i = len(tenants)
			tenants = append(tenants, tenantPart{role: role})
		}
		tenants[i].conditions = append(tenants[i].conditions, rest)
	}
	return others, tenants, nil
}

// join writes alternatives as a check string of which every "or" is closed in.
func join(alts []alternative) string {
	var parts []string
	for _, a := range alts {
		s := strings.Join(a, " and ")
		if len(a) > 1 && len(alts) > 1 {
			s = "(" + s + ")"
		}
		parts = append(parts, s)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, " or ") + ")"
}
