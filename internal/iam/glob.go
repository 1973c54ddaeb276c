package iam

import "strings"

// A glob is an action with stars, each standing for any run of bytes, also none. The zero value matches the empty string only.
type glob struct {
	first, last string   // before the first star, after the last
	middle      []string // between stars, without empty ones
	star        bool
}

func compileGlob(pattern Action) glob {
	parts := strings.Split(string(pattern), "*")
	g := glob{first: parts[0]}
	if len(parts) == 1 {
		return g
	}
	g.star = true
	g.last = parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		if p != "" {
			g.middle = append(g.middle, p)
		}
	}
	return g
}

// match takes time linear in the length of the action: each middle part is looked for once, as far left as possible, and what
// lies before it is never looked at again.
func (g glob) match(action Action) bool {
	s := string(action)
	if !g.star {
		return s == g.first
	}
	if len(s) < len(g.first)+len(g.last) || !strings.HasPrefix(s, g.first) || !strings.HasSuffix(s, g.last) {
		return false
	}
	s = s[len(g.first) : len(s)-len(g.last)]
	for _, part := range g.middle {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

// Matches reports whether an action, or a glob of actions, covers a single action.
func (a Action) Matches(action Action) bool { return compileGlob(a).match(action) }

// IsGlob reports whether a has a star.
func (a Action) IsGlob() bool { return strings.Contains(string(a), "*") }
