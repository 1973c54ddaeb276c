package rbac

import (
	"fmt"
	"slices"
	"strings"
)

// An extension is what the operator's files have said so far.
type extension struct{ said []*Operation }

// apply puts the operator's line into the table: a new call, a narrower one, or with override whatever it says.
func (x *extension) apply(t *Table, op *Operation) error {
	for _, o := range x.said {
		if o.sameCall(op) {
			return fmt.Errorf("%s %s: %s says something of this call already", op.Method, op.Path, o.Source)
		}
	}
	x.said = append(x.said, op)
	if reason := op.wide(); reason != "" && !op.override {
		return fmt.Errorf("%s %s: %s; if that is meant, end the line with override: true", op.Method, op.Path, reason)
	}
	if t.namesProject(op) && !op.override {
		return fmt.Errorf("%s %s: it names one project, whichever the token's is; if that is meant, end the line with override: true", op.Method, op.Path)
	}
	old := t.overlapping(op)
	if !op.override {
		if err := op.narrow(old); err != nil {
			return err
		}
	}
	return t.replace(op)
}

// wide says what a line does that adds more than a call.
func (o *Operation) wide() string {
	switch {
	case o.Access == Public || o.Anonymous:
		return "it makes the call public"
	case strings.Contains(o.Path, "...}") || strings.Contains(strings.Join(o.Prefixes, ""), "...}"):
		return "it catches all calls below its path"
	}
	return ""
}

func (o *Operation) sameCall(p *Operation) bool {
	return o.sameRoute(p) && o.Action == p.Action && slices.Equal(texts(o.when), texts(p.when))
}

// sameRoute reports whether two operations share a path, whatever its parameters are called.
func (o *Operation) sameRoute(p *Operation) bool {
	if o.Service != p.Service || o.Method != p.Method {
		return false
	}
	for _, a := range o.paths() {
		if slices.ContainsFunc(p.paths(), func(b string) bool { return shape(a) == shape(b) }) {
			return true
		}
	}
	return false
}

// shape gives a template without the names of its parameters.
func shape(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if open := strings.IndexByte(s, '{'); open >= 0 && s[open:] != "{project}" {
			segments[i] = s[:open] + "{}"
		}
	}
	return strings.Join(segments, "/")
}

// overlapping finds the operations that judged the line's calls before it: the one for the same call, else those on its path, or on
// the parameter in whose place it puts a word.
func (t *Table) overlapping(op *Operation) []*Operation {
	var found []*Operation
	for _, path := range op.paths() {
		n, _, _ := t.find(Target{service: op.Service, path: sample(path)}, sampleValue)
		if n == nil {
			continue
		}
		r := n.route(op.Method)
		if r == nil {
			continue
		}
		found = append(found, r.ops...)
		for action, ops := range r.actions {
			if op.Action == "" || op.Action == action { // without an action it would judge them all
				found = append(found, ops...)
			}
		}
	}
	if i := slices.IndexFunc(found, op.sameCall); i >= 0 {
		return found[i : i+1]
	}
	return found
}

// namesProject reports whether the line has a word in the place of a project that may be one's id, and so would go past the comparison
// with the token's.
func (t *Table) namesProject(op *Operation) bool {
	for _, path := range op.paths() {
		n := t.roots[op.Service]
		for _, seg := range strings.Split(path, "/")[1:] {
			if n == nil {
				break
			}
			if m := n.param; m != nil && m.isProj && mayBeProject(strings.TrimPrefix(seg, m.project)) {
				return true
			}
			if next := n.literals[seg]; next != nil || !strings.Contains(seg, "{") {
				n = next
			} else {
				n = n.param
			}
		}
	}
	return false
}

// mayBeProject goes by what the services' routers take for a project's id.
func mayBeProject(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdef-") == "" }

// sampleValue stands for any value of a parameter. No literal segment is that.
const sampleValue = "\x00"

// sample gives a path that the template matches.
func sample(template string) string {
	segments := strings.Split(template, "/")
	for i, s := range segments {
		if open := strings.IndexByte(s, '{'); open >= 0 {
			segments[i] = s[:open] + sampleValue
		}
	}
	return strings.Join(segments, "/")
}

// narrow wants the line to admit nobody whom an old one did not, and gives it what those refuse and take out.
func (o *Operation) narrow(old []*Operation) error {
	for _, p := range old {
		if o.admitsMore(p) {
			return fmt.Errorf("%s %s: it lets more roles do what %s says of %s; if that is meant, end the line with override: true",
				o.Method, o.Path, p.Source, p.Name())
		}
	}
	for _, p := range old {
		o.refuse = append(o.refuse, missing(o.refuse, p.refuse)...)
		o.drop = append(o.drop, missing(o.drop, p.drop)...)
	}
	return nil
}

// admitsMore compares whom two lines admit.
func (o *Operation) admitsMore(p *Operation) bool {
	if p.Access == Public {
		return false
	}
	if o.Access == AnyRole && p.Access != AnyRole {
		return true
	}
	return o.Needs()&^p.Needs() != 0
}

func missing(have, want []condition) []condition {
	var out []condition
	for _, c := range want {
		if !slices.ContainsFunc(have, func(h condition) bool { return h.word == c.word && h.text == c.text }) {
			out = append(out, c)
		}
	}
	return out
}

// replace puts the line in place of the one for the same call, else before all others of its route.
func (t *Table) replace(op *Operation) error {
	place := len(t.all)
	for i, o := range t.all {
		if o.sameCall(op) {
			if a, b := shapes(o), shapes(op); !slices.Equal(a, b) {
				return fmt.Errorf("%s %s: the call also goes by %s; write the line below the same prefixes as %s", op.Method, op.Path,
					strings.Join(a, " and "), o.Source)
			}
			t.all[i] = op
			return t.compile()
		}
		if place == len(t.all) && o.sameRoute(op) && o.Action == op.Action {
			place = i
		}
	}
	t.all = slices.Insert(t.all, place, op)
	return t.compile()
}

func shapes(o *Operation) []string {
	var out []string
	for _, p := range o.paths() {
		out = append(out, shape(p))
	}
	slices.Sort(out)
	return out
}

// compile makes the tree anew.
func (t *Table) compile() error {
	for s := range t.roots {
		t.roots[s] = &node{}
	}
	for _, op := range t.all {
		if err := t.insert(op); err != nil {
			return err
		}
	}
	return nil
}
