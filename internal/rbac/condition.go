package rbac

import (
	"fmt"
	"net/textproto"
	"strings"
)

// A condition is one test on a request, written as in the data files: see operations/README.md.
type condition struct {
	word  string   // as it is written
	text  string   // as it is shown in a refusal: server.host, all_tenants, X-Copy-From-Account
	place place    // where to look
	name  string   // of the parameter or header
	glob  bool     // name is only how the header's begins
	path  []string // of the member in the body; "*" is any, a final * a prefix
	op    string   // in a patch: only where this is done to the member
	test  test
	value string
	null  bool   // of a member: null is as if it were not there
	why   string // of a named refusal: what is said of it
}

type place uint8

const (
	inBody place = iota
	inQuery
	inHeader
	inPatch   // a JSON patch (RFC 6902) that touches path[0]
	inSegment // the path's last segment
)

type test uint8

const (
	present test = iota
	equals       // the text value; for value "true" everything that is not a spelling of false
	contains
	foreignProject // anything but the token's project
	foreignAccount // anything but AUTH_ and the token's project
	otherSegment   // anything but the last segment of the path
)

// A subject is what conditions compare with.
type subject struct{ project, segment string }

// parseCondition reads a condition without its leading mark. One word may stand for several: a[s].b is a.b, as.*.b and as.*.a.b.
func parseCondition(word string) ([]condition, error) {
	c := condition{word: word}
	rest := word
	switch {
	case strings.HasPrefix(rest, "?"):
		c.place, rest = inQuery, rest[1:]
	case strings.HasPrefix(rest, "@"):
		c.place, rest = inHeader, rest[1:]
	case strings.HasPrefix(word, "patch:/"):
		c.place, rest = inPatch, word[len("patch:/"):]
	case strings.HasPrefix(word, "patch("):
		ok := false
		if c.op, rest, ok = strings.Cut(word[len("patch("):], "):/"); !ok || c.op == "" {
			return nil, fmt.Errorf("condition %q: want patch(op):/member", word)
		}
		c.place = inPatch
	case strings.HasPrefix(word, "/"):
		c.place = inSegment
	default:
		rest, c.null = strings.CutSuffix(word, "?")
	}
	if i := strings.IndexAny(rest, "=~!"); i >= 0 {
		switch op := rest[i]; {
		case op == '=':
			c.test, c.value = equals, rest[i+1:]
		case op == '~':
			c.test, c.value = contains, rest[i+1:]
		case rest[i+1:] == "project":
			c.test = foreignProject
		case rest[i+1:] == "account":
			c.test = foreignAccount
		case rest[i+1:] == "segment":
			c.test = otherSegment
		default:
			return nil, fmt.Errorf("condition %q: only !project, !account and !segment are known", word)
		}
		if c.test <= contains && c.value == "" {
			return nil, fmt.Errorf("condition %q has no value", word)
		}
		rest = rest[:i]
	}
	if rest == "" || rest == "*" || c.place == inSegment && rest != "/" {
		return nil, fmt.Errorf("condition %q names nothing", word)
	}
	return c.named(rest), nil
}

func (c condition) named(name string) []condition {
	switch c.place {
	case inQuery:
		c.name, c.text = name, name
		return []condition{c}
	case inSegment:
		c.text = "the path"
		return []condition{c}
	case inHeader:
		c.name, c.glob = strings.CutSuffix(name, "*")
		c.name, c.text = textproto.CanonicalMIMEHeaderKey(c.name), textproto.CanonicalMIMEHeaderKey(name)
		return []condition{c}
	}
	if one, field, ok := strings.Cut(name, "[s]."); ok {
		return c.inBulk(one, field)
	}
	c.path, c.text = strings.Split(name, "."), name
	for strings.HasPrefix(c.text, "*.") { // wherever it stands, this is what it is called
		c.text = c.text[2:]
	}
	return []condition{c}
}

// inBulk makes the conditions on a member of the one resource, and of each in a list, where Neutron takes it bare or wrapped by its name again.
func (c condition) inBulk(one, field string) []condition {
	list := plural(one)
	conditions := make([]condition, 0, 3)
	for _, name := range [...]string{one + ".", list + ".*.", list + ".*." + one + "."} {
		c.path, c.text = strings.Split(name+field, "."), strings.ReplaceAll(name, "*.", "")+field
		conditions = append(conditions, c)
	}
	return conditions
}

// plural gives the name of the list that a bulk request has in the place of one.
func plural(one string) string {
	if stem, ok := strings.CutSuffix(one, "y"); ok {
		return stem + "ies"
	}
	return one + "s"
}

func (c condition) onBody() bool { return c.place == inBody || c.place == inPatch }

// holds tests a text value.
func (c *condition) holds(value string, s subject) bool {
	switch c.test {
	case equals:
		if c.value == "true" {
			return !falsehood(value)
		}
		return value == c.value
	case contains:
		return strings.Contains(value, c.value)
	case foreignProject:
		return s.project == "" || value != s.project
	case foreignAccount:
		account, ok := strings.CutPrefix(value, "AUTH_")
		return s.project == "" || !ok || account != s.project
	case otherSegment:
		return value != s.segment
	}
	return true
}

// falsehood reports whether OpenStack's services read value as false (oslo.utils.strutils).
func falsehood(value string) bool {
	if len(value) > 5 {
		return false
	}
	for _, f := range [...]string{"0", "false", "f", "off", "n", "no"} {
		if strings.EqualFold(value, f) {
			return true
		}
	}
	return false
}

// inQuery tests the parameters of a raw query. A parameter given several times is tested every time.
func (c *condition) inQuery(query string, s subject) bool {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if escapedEqual(name, c.name) && c.holds(decoded(value), s) {
			return true
		}
	}
	return false
}

// inHeader tests every value of a header, or of all whose names begin alike.
func (c *condition) inHeader(header map[string][]string, s subject) bool {
	if !c.glob {
		return c.inValues(header[c.name], s)
	}
	for name, values := range header {
		if strings.HasPrefix(name, c.name) && c.inValues(values, s) {
			return true
		}
	}
	return false
}

func (c *condition) inValues(values []string, s subject) bool {
	for _, v := range values {
		v = decoded(strings.TrimSpace(v))
		if c.test == contains && containsFold(v, c.value) || c.test != contains && c.holds(v, s) {
			return true
		}
	}
	return false
}

// containsFold reports whether s holds sub, which is in lower case, in any case of letters.
func containsFold(s, sub string) bool {
	for i := 0; i+len(sub) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sub)], sub) {
			return true
		}
	}
	return false
}

// matches reports whether a member's path is one that the condition names.
func (c *condition) matches(path []string) bool {
	if len(c.path) != len(path) {
		return false
	}
	for i, p := range c.path {
		prefix, glob := strings.CutSuffix(p, "*")
		if glob && !strings.HasPrefix(path[i], prefix) || !glob && p != path[i] {
			return false
		}
	}
	return true
}

// escapedEqual reports whether a raw query name decodes to want.
func escapedEqual(raw, want string) bool {
	j := 0
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' {
			var ok bool
			if c, ok = unescape(raw, i); !ok {
				return false
			}
			i += 2
		} else if c == '+' {
			c = ' '
		}
		if j == len(want) || want[j] != c {
			return false
		}
		j++
	}
	return j == len(want)
}

// decoded undoes percent-encoding; without any it allocates nothing.
func decoded(raw string) string {
	if strings.IndexByte(raw, '%') < 0 && strings.IndexByte(raw, '+') < 0 {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' {
			if d, ok := unescape(raw, i); ok {
				c = d
				i += 2
			}
		} else if c == '+' {
			c = ' '
		}
		out = append(out, c)
	}
	return string(out)
}

// without takes every parameter that the conditions name out of a raw query.
func without(query string, drop []condition, s subject) (string, bool) {
	found := false
	for i := range drop {
		found = found || drop[i].inQuery(query, s)
	}
	if !found {
		return query, false
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		dropped := false
		for i := range drop {
			dropped = dropped || drop[i].inQuery(pair, s)
		}
		if !dropped {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&"), true
}
