package iam

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A Condition is a tree of tests on date, request and resource. See docs/access-model.md.
type Condition struct {
	Operator   Operator
	Values     map[string]string // of MATCH: all must hold
	Conditions []Condition       // of AND, OR, NOT
}

// An Operator joins conditions.
type Operator string

// The operators.
const (
	And   Operator = "AND"
	Or    Operator = "OR"
	Not   Operator = "NOT"
	Match Operator = "MATCH"
)

// truth is three-valued: a test of what is not known (an address, mostly) is neither true nor false.
type truth int8

const (
	no      truth = -1
	unknown truth = 0
	yes     truth = 1
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// facts are what conditions can ask about.
type facts struct {
	resource *Resource
	now      time.Time  // zero: unknown
	addr     netip.Addr // invalid: unknown; else unmapped and without zone
}

// A predicate is a condition prepared for the hot path. The zero value is unknown.
type predicate struct {
	op       Operator
	tests    []test
	children []predicate
}

// compileCondition never fails: what cannot be understood, which validation keeps out of the store, is unknown for ever.
func compileCondition(c *Condition, depth int) predicate {
	if depth > MaxConditionDepth {
		return predicate{}
	}
	p := predicate{op: c.Operator}
	if c.Operator == Match {
		for key, value := range c.Values {
			t, _ := parseTest(key, value)
			p.tests = append(p.tests, t)
		}
		return p
	}
	for i := range c.Conditions {
		p.children = append(p.children, compileCondition(&c.Conditions[i], depth+1))
	}
	return p
}

// volatile reports whether the answer may change with time or address.
func (p *predicate) volatile() bool {
	return slices.ContainsFunc(p.tests, func(t test) bool { return t.attribute.volatile() }) ||
		slices.ContainsFunc(p.children, func(c predicate) bool { return c.volatile() })
}

func (p *predicate) eval(f *facts) truth {
	switch p.op {
	case Match:
		all := yes
		for i := range p.tests {
			all = min(all, p.tests[i].eval(f))
		}
		return all
	case And:
		all := yes
		for i := range p.children {
			all = min(all, p.children[i].eval(f))
		}
		return all
	case Or:
		return p.any(f)
	case Not: // none of them
		return -p.any(f)
	}
	return unknown
}

func (p *predicate) any(f *facts) truth {
	some := no
	for i := range p.children {
		some = max(some, p.children[i].eval(f))
	}
	return some
}

// An attribute is what a test looks at.
type attribute uint8

const (
	attrNone attribute = iota
	attrDate
	attrHour
	attrWeekDay
	attrTag
	attrName
	attrType
	attrIP
)

func (a attribute) volatile() bool {
	return a == attrDate || a == attrHour || a == attrWeekDay || a == attrIP
}

// A comparison is an operator of a test. BEFORE and AFTER are written as lt and ge, EQ as in with one value.
type comparison uint8

const (
	in comparison = iota
	lt
	le
	gt
	ge
	startsWith
	endsWith
	inRange
)

// A test is one entry of a MATCH. The zero value is unknown.
type test struct {
	attribute attribute
	compare   comparison
	tag       string         // of attrTag: its key
	zone      *time.Location // of dates
	numbers   []int          // of dates: year*10000+month*100+day, hour, or day of the week from Monday, 0
	texts     []string       // of tags, names, types
	ranges    []netip.Prefix // of addresses
}

func (t *test) eval(f *facts) truth {
	switch t.attribute {
	case attrDate, attrHour, attrWeekDay:
		if f.now.IsZero() {
			return unknown
		}
		return truthOf(t.holdsNumber(t.number(f.now.In(t.zone))))
	case attrTag:
		value, ok := f.resource.Tags[t.tag]
		return truthOf(ok && t.holdsText(value))
	case attrName:
		return truthOf(t.holdsText(f.resource.Name))
	case attrType:
		return truthOf(t.holdsText(f.resource.URN.Type()))
	case attrIP:
		if !f.addr.IsValid() {
			return unknown
		}
		return truthOf(slices.ContainsFunc(t.ranges, func(r netip.Prefix) bool { return r.Contains(f.addr) }))
	}
	return unknown
}

func (t *test) number(now time.Time) int {
	switch t.attribute {
	case attrDate:
		year, month, day := now.Date()
		return year*10000 + int(month)*100 + day
	case attrHour:
		return now.Hour()
	}
	return mondayFirst(now.Weekday())
}

func mondayFirst(d time.Weekday) int { return (int(d) + 6) % 7 }

func (t *test) holdsNumber(n int) bool {
	switch t.compare {
	case lt:
		return n < t.numbers[0]
	case le:
		return n <= t.numbers[0]
	case gt:
		return n > t.numbers[0]
	case ge:
		return n >= t.numbers[0]
	}
	return slices.Contains(t.numbers, n)
}

func (t *test) holdsText(s string) bool {
	switch t.compare {
	case startsWith:
		return strings.HasPrefix(s, t.texts[0])
	case endsWith:
		return strings.HasSuffix(s, t.texts[0])
	}
	return slices.Contains(t.texts, s)
}
