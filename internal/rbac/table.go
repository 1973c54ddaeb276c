package rbac

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed operations/*.txt
var files embed.FS

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
	ops     []*Operation            // in the order of the file; the first whose conditions hold
	actions map[string][]*Operation // by the body's only member, in the same order; nil if the route has none
	inBody  []*condition            // all conditions on the body that the operations have
}

// A File is one file of operations, in the language of operations/README.md.
type File struct{ Name, Text string }

// ReadFiles reads the *.txt files of a directory, in the order of their names.
func ReadFiles(dir string) ([]File, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, errors.Join(err, fmt.Errorf("operations: %s is not a directory", dir))
	}
	return readFiles(os.DirFS(dir), ".")
}

func readFiles(fsys fs.FS, dir string) ([]File, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, err
	}
	var list []File
	for _, e := range entries {
		if e.IsDir() || filepath.Ext(e.Name()) != ".txt" {
			continue
		}
		text, err := fs.ReadFile(fsys, filepath.ToSlash(filepath.Join(dir, e.Name())))
		if err != nil {
			return nil, err
		}
		list = append(list, File{e.Name(), string(text)})
	}
	return list, nil
}

// NewTable compiles our own files and then the operator's, which may add and narrow; see operations/README.md. An error names the file
// and line.
func NewTable(more ...File) (*Table, error) {
	own, err := readFiles(files, "operations")
	if err != nil {
		return nil, err
	}
	t := &Table{roots: map[Service]*node{}}
	for _, f := range own {
		if err := t.add(f, nil); err != nil {
			return nil, err
		}
	}
	x := &extension{}
	for _, f := range more {
		if err := t.add(f, x); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Operations lists every operation, in the order of the files.
func (t *Table) Operations() []*Operation { return slices.Clone(t.all) }

// add compiles one file. With x it is the operator's.
func (t *Table) add(f File, x *extension) error {
	p := parser{table: t, file: f.Name, prefixes: []string{""}, extension: x}
	for i, line := range strings.Split(f.Text, "\n") {
		p.number = i + 1
		if err := p.line(line); err != nil {
			return fmt.Errorf("%s:%d: %w", f.Name, i+1, err)
		}
	}
	return nil
}

// insert puts an operation below each of its prefixes.
func (t *Table) insert(op *Operation) error {
	op.setLetters()
	root := t.roots[op.Service]
	for _, path := range op.paths() {
		n := root
		for _, seg := range strings.Split(path, "/")[1:] {
			var err error
			if n, err = n.child(seg); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		if err := n.add(op); err != nil {
			return fmt.Errorf("%s %s: %w", op.Method, path, err)
		}
	}
	return nil
}

// paths gives the whole templates of the operation.
func (o *Operation) paths() []string {
	var out []string
	for _, prefix := range o.Prefixes {
		out = append(out, strings.TrimSuffix(prefix+o.Path, "/"))
	}
	return out
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
	project := seg[open:] == "{project}"
	if m := n.param; m != nil && (m.isProj != project || m.project != seg[:open]) {
		return nil, fmt.Errorf("%q: a project's place cannot be another parameter's", seg)
	}
	if n.param == nil {
		n.param = &node{isProj: project, project: seg[:open]}
	}
	n.param.rest = n.param.rest || strings.HasSuffix(seg, "...}")
	return n.param, nil
}

func (n *node) add(op *Operation) error {
	i := slices.IndexFunc(n.routes, func(r route) bool { return r.method == op.Method })
	if i < 0 {
		i = len(n.routes)
		n.routes = append(n.routes, route{method: op.Method})
	}
	r := &n.routes[i]
	for _, list := range [][]condition{op.when, op.refuse} {
		for j := range list {
			if list[j].onBody() {
				r.inBody = append(r.inBody, &list[j])
			}
		}
	}
	if op.Action == "" && r.actions != nil || op.Action != "" && len(r.ops) > 0 {
		return errors.New("a call has actions in its body or none")
	}
	if op.Action == "" {
		r.ops = append(r.ops, op)
		return inOrder(r.ops)
	}
	if r.actions == nil {
		r.actions = map[string][]*Operation{}
	}
	r.actions[op.Action] = append(r.actions[op.Action], op)
	return inOrder(r.actions[op.Action])
}

// inOrder wants a line without condition to be the last of its call.
func inOrder(ops []*Operation) error {
	if n := len(ops); n > 1 && len(ops[n-2].when) == 0 {
		return errors.New("a line without condition must be the last of its call, and only one")
	}
	return nil
}
