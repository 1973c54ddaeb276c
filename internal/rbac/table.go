package rbac

import (
	"embed"
	"fmt"
	"net/textproto"
	"slices"
	"strings"
)

//go:embed operations/*.txt
var files embed.FS

// fileOf says which file holds a service's operations.
func fileOf(s Service) string {
	switch s {
	case Compute:
		return "nova"
	case Volume:
		return "cinder"
	case Image:
		return "glance"
	case Network:
		return "neutron"
	case ObjectStore:
		return "swift"
	}
	return "aitraining"
}

// A Table is all operations, ready to match. It is immutable.
type Table struct {
	roots map[Service]*node
	all   []*Operation
}

// A node is one segment of the paths. A literal segment beats a parameter, and there is no way back: what the literal branch does
// not have is unknown.
type node struct {
	literals map[string]*node
	param    *node
	project  string // with param: the text before the project's id, if the parameter is one
	isProj   bool
	rest     bool // the node also takes everything below it
	routes   []route
}

// A route is the operations of one method on one path.
type route struct {
	method  string
	ops     []*Operation          // in the order of the file; the first whose conditions hold
	actions map[string]*Operation // by the body's only member; nil if the route has none
}

// NewTable compiles the data files. An error names the file and line.
func NewTable() (*Table, error) {
	t := &Table{roots: map[Service]*node{}}
	for _, s := range Services() {
		name := "operations/" + fileOf(s) + ".txt"
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("operations of %s: %w", s, err)
		}
		if err := t.add(s, string(text)); err != nil {
			return nil, fmt.Errorf("%s:%w", name, err)
		}
	}
	return t, nil
}

// Operations lists every operation, in the order of the files.
func (t *Table) Operations() []*Operation { return slices.Clone(t.all) }

// add compiles one file.
func (t *Table) add(s Service, text string) error {
	p := parser{service: s, prefixes: []string{""}, root: &node{}}
	for i, line := range strings.Split(text, "\n") {
		if err := p.line(line); err != nil {
			return fmt.Errorf("%d: %w", i+1, err)
		}
	}
	t.roots[s] = p.root
	t.all = append(t.all, p.ops...)
	return nil
}

// A parser reads one data file. Its fields are what directives set for the lines that follow.
type parser struct {
	service  Service
	prefixes []string
	with     []string
	root     *node
	ops      []*Operation
}

func (p *parser) line(line string) error {
	line, _, _ = strings.Cut(line, "#")
	words := strings.Fields(line)
	switch {
	case len(words) == 0:
		return nil
	case words[0] == "prefix":
		p.prefixes = nil
		for _, w := range words[1:] {
			p.prefixes = append(p.prefixes, strings.TrimSuffix(w, "/"))
		}
		return nil
	case words[0] == "with":
		p.with = words[1:]
		return nil
	case len(words) < 4:
		return fmt.Errorf("want METHOD /path [condition] !refusal rule roles")
	}
	for method := range strings.SplitSeq(words[0], ",") {
		op, err := p.operation(method, words[1], words[2:])
		if err != nil {
			return err
		}
		if err := p.insert(op); err != nil {
			return err
		}
		p.ops = append(p.ops, op)
	}
	return nil
}

func (p *parser) operation(method, path string, words []string) (*Operation, error) {
	op := &Operation{Service: p.service, Method: method, Path: path}
	words = append(slices.Clone(words), p.with...)
	for _, w := range words {
		if err := p.word(op, w); err != nil {
			return nil, err
		}
	}
	if op.Rule == "" || op.Access == Nobody && op.Roles != 0 {
		return nil, fmt.Errorf("%s %s: a line needs a rule and then roles", method, path)
	}
	if method == "GET" || method == "DELETE" { // a directive's conditions on bodies are not meant for calls without one
		op.refuse = slices.DeleteFunc(op.refuse, condition.onBody)
	}
	op.body = slices.ContainsFunc(op.refuse, condition.onBody)
	return op, nil
}

func (p *parser) word(op *Operation, w string) error {
	list := &op.refuse
	switch {
	case strings.HasPrefix(w, "[") && strings.HasSuffix(w, "]"):
		w = w[1 : len(w)-1]
		if !strings.HasPrefix(w, "?") && !strings.HasPrefix(w, "@") {
			op.Action = w
			return nil
		}
		list = &op.when
	case strings.HasPrefix(w, "!"):
		w = w[1:]
	case strings.HasPrefix(w, "-?"):
		w, list = w[1:], &op.drop
	case op.Rule == "":
		op.Rule = w
		return nil
	default:
		return op.admit(w)
	}
	cs, err := parseCondition(w)
	for i := range cs {
		if cs[i].place == inHeader {
			cs[i].name = textproto.CanonicalMIMEHeaderKey(cs[i].name)
		}
	}
	*list = append(*list, cs...)
	return err
}

// admit reads who may.
func (op *Operation) admit(w string) error {
	switch w {
	case "nobody":
		op.Access = Nobody
	case "any":
		op.Access = AnyRole
	case "public":
		op.Access = Public
	case "anonymous":
		op.Anonymous = true
	default:
		r, ok := ParseRole(w)
		if !ok {
			return fmt.Errorf("unknown role %q", w)
		}
		op.Roles |= RolesOf(r)
		if op.Access == Nobody {
			op.Access = ByRole
		}
	}
	return nil
}

func (p *parser) insert(op *Operation) error {
	for _, prefix := range p.prefixes {
		n := p.root
		full := strings.TrimSuffix(prefix+op.Path, "/")
		for _, seg := range strings.Split(full, "/")[1:] {
			var err error
			if n, err = n.child(seg); err != nil {
				return fmt.Errorf("%s: %w", full, err)
			}
		}
		if err := n.add(op); err != nil {
			return fmt.Errorf("%s %s: %w", op.Method, full, err)
		}
	}
	return nil
}

// child gives the node of a template segment: text, {name}, {project}, AUTH_{project}, or {name...} at the end.
func (n *node) child(seg string) (*node, error) {
	open := strings.IndexByte(seg, '{')
	if open < 0 {
		if n.literals == nil {
			n.literals = map[string]*node{}
		}
		if n.literals[seg] == nil {
			n.literals[seg] = &node{}
		}
		return n.literals[seg], nil
	}
	if n.param == nil {
		n.param = &node{}
	}
	m := n.param
	m.rest = m.rest || strings.HasSuffix(seg, "...}")
	project := seg[open:] == "{project}"
	if m.isProj && !project || len(m.routes) > 0 && project && !m.isProj {
		return nil, fmt.Errorf("%q: a project's place cannot be another parameter's", seg)
	}
	m.isProj, m.project = project, seg[:open]
	return m, nil
}

func (n *node) add(op *Operation) error {
	i := slices.IndexFunc(n.routes, func(r route) bool { return r.method == op.Method })
	if i < 0 {
		i = len(n.routes)
		n.routes = append(n.routes, route{method: op.Method})
	}
	r := &n.routes[i]
	if op.Action == "" {
		if len(r.ops) > 0 && len(r.ops[len(r.ops)-1].when) == 0 {
			return fmt.Errorf("a line without condition must be the last of its call")
		}
		r.ops = append(r.ops, op)
		return nil
	}
	if r.actions == nil {
		r.actions = map[string]*Operation{}
	}
	if r.actions[op.Action] != nil {
		return fmt.Errorf("action %s stands twice", op.Action)
	}
	r.actions[op.Action] = op
	return nil
}
