package rbac

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep a body may be nested; the deepest real one has about eight levels.
const maxDepth = 32

// maxMembers is how many members an object may have: what is remembered to find those that stand there twice is many times as long as
// they are. The largest real ones, a bulk request's metadata, have some hundred.
const maxMembers = 4096

// A walker reads a JSON body once, strictly: a duplicate member, invalid UTF-8 or anything behind the value ends it. On its way it
// notes which conditions hold. Walkers are used again and again, so that reading a body allocates next to nothing.
type walker struct {
	dec     *jsontext.Decoder
	in      bytes.Reader
	conds   []*condition // those to test
	subject subject

	names   []byte // the member names that lead to where we are, one after the other; list elements have none
	ends    []int  // where each name ends
	value   []byte // the scalar just read, as text
	hits    []*condition
	first   []byte // the name of the first member of the outermost object
	members int    // how many members that has
	patch   patchElement
}

// A patchElement is what is known of one element of a JSON patch (RFC 6902).
type patchElement struct {
	touched []touched
	op      string
	value   string
	from    bool // it moves or copies, so that its value is not known
}

// A touched condition is one whose member an element points at, by a member of this name.
type touched struct {
	c  *condition
	by string
}

var walkers = sync.Pool{New: func() any { return &walker{dec: jsontext.NewDecoder(bytes.NewReader(nil))} }}

var (
	errDeep   = errors.New("the body is nested too deeply")
	errWide   = errors.New("an object in the body has too many members")
	errBehind = errors.New("the body goes on after its JSON value")
)

// notText stands for a value that has no text: a list, an object, null. It is no project's id and no spelling of false.
const notText = "\x00"

// walk reads body and tests conds, which must be on bodies. The walker is to be freed. No body at all is no fault: the service says
// whether it wants one.
func walk(body []byte, conds []*condition, s subject) (w *walker, reason string) {
	w = walkers.Get().(*walker)
	w.conds, w.subject = conds, s
	w.in.Reset(body)
	w.dec.Reset(&w.in)
	if len(bytes.TrimSpace(body)) == 0 {
		return w, ""
	}
	err := w.read()
	if err == nil {
		if _, end := w.dec.ReadToken(); end != io.EOF {
			err = errBehind
		}
	}
	switch {
	case err == nil:
		return w, ""
	case errors.Is(err, errDeep), errors.Is(err, errWide), errors.Is(err, errBehind):
		return w, err.Error()
	case errors.Is(err, jsontext.ErrDuplicateName):
		return w, "a member of the body stands there twice"
	}
	return w, "the body is not valid JSON"
}

// free gives the walker back. What it read is not kept.
func (w *walker) free() {
	w.in.Reset(nil)
	w.conds, w.subject, w.members = nil, subject{}, 0
	w.names, w.ends, w.value, w.first, w.hits = w.names[:0], w.ends[:0], w.value[:0], w.first[:0], w.hits[:0]
	w.patch = patchElement{touched: w.patch.touched[:0]}
	if cap(w.names)+cap(w.value) < 1<<16 { // an outsized one is left to the collector
		walkers.Put(w)
	}
}

func (w *walker) hit(c *condition) bool {
	for _, h := range w.hits {
		if h == c {
			return true
		}
	}
	return false
}

// read reads the value that comes next.
func (w *walker) read() error {
	switch kind := w.dec.PeekKind(); kind {
	case '{', '[':
		if _, err := w.dec.ReadToken(); err != nil {
			return err
		}
		if w.dec.StackDepth() > maxDepth {
			return errDeep
		}
		w.value = append(w.value[:0], notText...)
		w.seen(kind)
		if kind == '{' {
			return w.object()
		}
		return w.array()
	default:
		if err := w.scalar(); err != nil {
			return err
		}
		w.seen(kind)
		return nil
	}
}

// scalar reads a value without members and keeps its text.
func (w *walker) scalar() error {
	raw, err := w.dec.ReadValue()
	if err != nil {
		return err
	}
	switch raw.Kind() {
	case '"':
		w.value, err = jsontext.AppendUnquote(w.value[:0], raw)
	case 'n':
		w.value = append(w.value[:0], notText...)
	default:
		w.value = append(w.value[:0], raw...)
	}
	return err
}

func (w *walker) object() error {
	for n := 0; w.dec.PeekKind() == '"'; n++ {
		if n == maxMembers {
			return errWide
		}
		raw, err := w.dec.ReadValue()
		if err != nil {
			return err
		}
		start := len(w.names)
		if w.names, err = jsontext.AppendUnquote(w.names, raw); err != nil {
			return err
		}
		if len(w.ends) == 0 {
			if w.members++; w.members == 1 {
				w.first = append(w.first[:0], w.names...)
			}
		}
		if err := w.below(start); err != nil {
			return err
		}
	}
	_, err := w.dec.ReadToken()
	return err
}

func (w *walker) array() error {
	for {
		if k := w.dec.PeekKind(); k == ']' || k == 0 {
			_, err := w.dec.ReadToken()
			return err
		}
		if err := w.below(len(w.names)); err != nil {
			return err
		}
		if len(w.ends) == 0 {
			w.endPatch()
		}
	}
}

// below reads a member or element; the names up to start lead to what holds it.
func (w *walker) below(start int) error {
	w.ends = append(w.ends, len(w.names))
	err := w.read()
	w.ends, w.names = w.ends[:len(w.ends)-1], w.names[:start]
	return err
}

// name gives the i-th name on the way to where we are.
func (w *walker) name(i int) []byte {
	start := 0
	if i > 0 {
		start = w.ends[i-1]
	}
	return w.names[start:w.ends[i]]
}

// seen tests the conditions on the value that was read or starts here.
func (w *walker) seen(kind jsontext.Kind) {
	if len(w.ends) == 2 && len(w.name(0)) == 0 {
		w.seenPatch(kind)
	}
	for _, c := range w.conds {
		if c.place == inBody && len(c.path) == len(w.ends) && w.at(c.path) && !(c.null && kind == 'n') && c.holds(string(w.value), w.subject) {
			w.hits = append(w.hits, c)
		}
	}
}

func (w *walker) at(path []string) bool {
	for i, p := range path {
		name := w.name(i)
		if n := len(p) - 1; n >= 0 && p[n] == '*' {
			if len(name) < n || string(name[:n]) != p[:n] {
				return false
			}
		} else if string(name) != p {
			return false
		}
	}
	return true
}

// seenPatch notes a member of an element of a JSON patch. Whatever member holds the pointer counts: Glance's first patch format had
// it under the operation's name.
func (w *walker) seenPatch(kind jsontext.Kind) {
	name := string(w.name(1))
	switch name {
	case "value":
		w.patch.value = string(w.value)
		return
	case "op":
		w.patch.op = string(w.value)
		return
	case "from":
		w.patch.from = true
	}
	if kind != '"' {
		return
	}
	for _, c := range w.conds {
		if c.place == inPatch && pointsAt(string(w.value), c.path[0]) {
			w.patch.touched = append(w.patch.touched, touched{c, name})
		}
	}
}

// endPatch tests the conditions on patches at the end of an element.
func (w *walker) endPatch() {
	value := w.patch.value
	if value == "" {
		value = notText
	}
	for _, t := range w.patch.touched {
		if t.c.does(w.patch.op, t.by) && (w.patch.from || t.c.holds(value, w.subject)) {
			w.hits = append(w.hits, t.c)
		}
	}
	w.patch = patchElement{touched: w.patch.touched[:0]}
}

// does reports whether an element of a patch does to the member what the condition speaks of. What it does stands in its op, or, in the
// first patch format, is the name of the member that has the pointer.
func (c *condition) does(op, by string) bool {
	if op == "" || by != "path" {
		op = by
	}
	return c.op == "" || op == c.op || op != "add" && op != "replace" && op != "remove" // what nobody knows may be anything
}

// pointsAt reports whether a JSON pointer (RFC 6901) leads to member or below it. Glance takes white space off both ends of a name.
func pointsAt(pointer, member string) bool {
	if !strings.HasPrefix(pointer, "/") {
		return false
	}
	first, _, _ := strings.Cut(strings.TrimLeft(pointer, "/"), "/")
	first = strings.ReplaceAll(strings.ReplaceAll(first, "~1", "/"), "~0", "~")
	return strings.TrimFunc(first, isPythonSpace) == member
}

// isPythonSpace reports whether Python's str.strip takes r off: it counts the four separators of ASCII, which Go does not.
func isPythonSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
