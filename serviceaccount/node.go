package serviceaccount

import (
	"maps"
	"strings"
)

// A node is a value of clouds.yaml: a text, a list, or fields. Texts stay as they are written, so that a project id of digits
// does not become a number.
type node struct {
	text   string
	list   []node
	fields map[string]node
}

// UnmarshalYAML takes whatever is there. The library's errors would quote the values, secrets included, and are not passed on.
func (n *node) UnmarshalYAML(unmarshal func(any) error) error {
	var fields map[string]node
	if unmarshal(&fields) == nil && fields != nil {
		n.fields = fields
		return nil
	}
	if unmarshal(&n.list) == nil && n.list != nil {
		return nil
	}
	_ = unmarshal(&n.text)
	return nil
}

// normal writes every key with _, as openstacksdk does.
func (n node) normal() node {
	if n.fields == nil {
		return n
	}
	fields := map[string]node{}
	for _, k := range sortedKeys(n.fields) {
		fields[strings.ReplaceAll(k, "-", "_")] = n.fields[k].normal()
	}
	n.fields = fields
	return n
}

// under lays n over base: fields are merged, all else replaced.
func (n node) under(base node) node {
	if n.fields == nil || base.fields == nil {
		return n
	}
	out := node{fields: maps.Clone(base.fields)}
	for k, v := range n.fields {
		if b, ok := base.fields[k]; ok {
			v = v.under(b)
		}
		out.fields[k] = v
	}
	return out
}

// first gives the first of the names that has a text.
func (n node) first(names ...string) string {
	for _, name := range names {
		if s := n.fields[name].text; s != "" {
			return s
		}
	}
	return ""
}

// yes reads a truth as YAML 1.1 writes it.
func yes(s string) bool {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "y":
		return true
	}
	return false
}

// no reads an untruth; an absent value is none.
func no(s string) bool {
	switch strings.ToLower(s) {
	case "false", "no", "off", "n":
		return true
	}
	return false
}
