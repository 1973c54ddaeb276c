package rbac

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep a body may be nested; the deepest real one has about eight levels.
const maxDepth = 32

// A walker reads a JSON body once, strictly: a duplicate member, invalid UTF-8 or anything behind the value ends it.
type walker struct {
	dec     *jsontext.Decoder
	op      *Operation // nil: only the outline is wanted
	subject subject
	path    []string
	hit     *condition
	top     []string // names of the outermost members
	patch   [][]patchMember
}

// A patchMember is one text member of an element of a JSON patch.
type patchMember struct{ name, value string }

var (
	errDeep   = errors.New("the body is nested too deeply")
	errBehind = errors.New("the body goes on after its JSON value")
)

func walk(body []byte, op *Operation, s subject) (*walker, string) {
	w := &walker{dec: jsontext.NewDecoder(bytes.NewReader(body)), op: op, subject: s}
	err := w.value()
	if err == nil {
		if _, end := w.dec.ReadToken(); end == nil || end.Error() != "EOF" {
			err = errBehind
		}
	}
	switch {
	case err == nil:
		return w, ""
	case errors.Is(err, errDeep), errors.Is(err, errBehind):
		return nil, err.Error()
	case errors.Is(err, jsontext.ErrDuplicateName):
		return nil, "a member of the body stands there twice"
	}
	return nil, "the body is not valid JSON"
}

// onlyMember gives the name of the one member of the body's object.
func onlyMember(body []byte) (name, reason string) {
	w, reason := walk(body, nil, subject{})
	if reason != "" {
		return "", reason
	}
	if len(w.top) != 1 {
		return "", "the body must be an object with exactly one member, the action"
	}
	return w.top[0], ""
}

// inspect gives the first condition on the body that holds.
func (o *Operation) inspect(body []byte, s subject) (*condition, string) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, "" // no body, no fields; the service says whether it wants one
	}
	w, reason := walk(body, o, s)
	if reason != "" {
		return nil, reason
	}
	if w.hit == nil {
		w.hit = o.inspectPatch(w.patch, s)
	}
	return w.hit, ""
}

func (w *walker) value() error {
	tok, err := w.dec.ReadToken()
	if err != nil {
		return err
	}
	if w.dec.StackDepth() > maxDepth {
		return errDeep
	}
	w.seen(tok)
	switch tok.Kind() {
	case '{':
		return w.object()
	case '[':
		return w.array()
	}
	return nil
}

func (w *walker) object() error {
	for w.dec.PeekKind() == '"' {
		tok, err := w.dec.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		if len(w.path) == 0 {
			w.top = append(w.top, name)
		}
		w.path = append(w.path, name)
		if err := w.value(); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
	_, err := w.dec.ReadToken()
	return err
}

func (w *walker) array() error {
	for i := 0; ; i++ {
		if k := w.dec.PeekKind(); k == ']' || k == 0 {
			_, err := w.dec.ReadToken()
			return err
		}
		if len(w.path) == 0 {
			w.patch = append(w.patch, nil)
		}
		w.path = append(w.path, strconv.Itoa(i))
		if err := w.value(); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
}

// seen tests the conditions against the value that starts here.
func (w *walker) seen(tok jsontext.Token) {
	if len(w.path) == 2 && len(w.patch) > 0 && tok.Kind() == '"' {
		last := len(w.patch) - 1
		w.patch[last] = append(w.patch[last], patchMember{w.path[1], tok.String()})
	}
	if w.op == nil || w.hit != nil {
		return
	}
	for i := range w.op.refuse {
		c := &w.op.refuse[i]
		if c.place == inBody && pathMatches(c.path, w.path) && c.holds(text(tok), w.subject) {
			w.hit = c
			return
		}
	}
}

// text gives a scalar as its text. A list or object where a scalar belongs has none, so that it is no project's id and no
// spelling of false.
func text(tok jsontext.Token) string {
	switch tok.Kind() {
	case '"', '0', 't', 'f':
		return tok.String()
	}
	return "\x00"
}

func pathMatches(pattern, path []string) bool {
	if len(pattern) != len(path) {
		return false
	}
	for i, p := range pattern {
		prefix, glob := strings.CutSuffix(p, "*")
		if glob && !strings.HasPrefix(path[i], prefix) || !glob && p != path[i] {
			return false
		}
	}
	return true
}

// inspectPatch looks for elements of a JSON patch that touch a member which a condition names. Whatever member of an element
// holds the pointer counts: Glance's first patch format had it under the operation's name.
func (o *Operation) inspectPatch(patch [][]patchMember, s subject) *condition {
	for i := range o.refuse {
		c := &o.refuse[i]
		if c.place != inPatch {
			continue
		}
		for _, element := range patch {
			if c.touches(element, s) {
				return c
			}
		}
	}
	return nil
}

func (c *condition) touches(element []patchMember, s subject) bool {
	touched, value := false, "\x00"
	for _, m := range element {
		if m.name == "value" {
			value = m.value
		} else {
			touched = touched || pointsAt(m.value, c.path[0])
		}
	}
	return touched && c.holds(value, s)
}

// pointsAt reports whether a JSON pointer (RFC 6901) leads to member or below it.
func pointsAt(pointer, member string) bool {
	if !strings.HasPrefix(pointer, "/") {
		return false
	}
	first, _, _ := strings.Cut(strings.TrimLeft(pointer, "/"), "/")
	return strings.ReplaceAll(strings.ReplaceAll(first, "~1", "/"), "~0", "~") == member
}
