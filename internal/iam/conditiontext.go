package iam

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on what the machine has installed
)

// An attributeForm is how a MATCH key names an attribute, and the operators that the attribute has.
type attributeForm struct {
	name      string
	attribute attribute
	operators []string
}

// attributeForms is a table and never changes. The form of a key is <object>.<attribute>[.<operator>], with date(<zone>) and
// resource.Tag(<key>) among them.
var attributeForms = []attributeForm{
	{"date.Date", attrDate, []string{"EQ", "BEFORE", "AFTER", "IN"}},
	{"date.Hour", attrHour, []string{"EQ", "BEFORE", "AFTER", "GE", "LE", "GT", "LT", "IN"}},
	{"date.WeekDay", attrWeekDay, []string{"EQ", "BEFORE", "AFTER", "GE", "LE", "GT", "LT", "IN"}},
	{"resource.Tag", attrTag, []string{"EQ", "STARTS_WITH", "ENDS_WITH"}},
	{"resource.Name", attrName, []string{"EQ", "IN", "STARTS_WITH", "ENDS_WITH"}},
	{"resource.Type", attrType, []string{"EQ", "IN", "STARTS_WITH", "ENDS_WITH"}},
	{"request.IP", attrIP, []string{"EQ", "IN", "IN_RANGE"}},
}

var comparisons = map[string]comparison{
	"EQ": in, "IN": in, "BEFORE": lt, "LT": lt, "LE": le, "GT": gt, "AFTER": ge, "GE": ge,
	"STARTS_WITH": startsWith, "ENDS_WITH": endsWith, "IN_RANGE": inRange,
}

const keyForms = "date(<zone>).Date, date(<zone>).Hour, date(<zone>).WeekDay, resource.Tag(<key>), resource.Name, resource.Type or request.IP, " +
	"and optionally a dot and an operator"

// parseTest reads one entry of a MATCH. On error the test is zero, which is unknown.
func parseTest(key, value string) (test, error) {
	form, argument, operator, err := parseKey(key)
	if err != nil {
		return test{}, err
	}
	t := test{attribute: form.attribute, compare: comparisons[operator]}
	values := []string{value}
	if operator == "IN" {
		values = strings.Split(value, ",")
	}
	switch form.attribute {
	case attrDate, attrHour, attrWeekDay:
		if t.zone, err = parseZone(argument); err == nil {
			t.numbers, err = parseAll(values, numberParser(form.attribute))
		}
		if err == nil {
			err = checkReachable(form.attribute, t.compare, t.numbers[0])
		}
	case attrTag:
		t.tag, t.texts = argument, values
		err = checkTag(argument, value)
	case attrName, attrType:
		t.texts, err = parseAll(values, parseText)
	case attrIP:
		t.ranges, err = parseAll(values, rangeParser(t.compare))
	}
	if err != nil {
		return test{}, err
	}
	return t, nil
}

// parseKey takes a key apart. The argument is what stands in parentheses; the operator is upper case, EQ if none is given.
func parseKey(key string) (form attributeForm, argument, operator string, err error) {
	base, hasArgument := key, false
	if before, rest, ok := strings.Cut(key, "("); ok {
		var after string
		argument, after, ok = strings.Cut(rest, ")")
		if !ok || before != "date" && before != "resource.Tag" {
			return attributeForm{}, "", "", fmt.Errorf("unknown key %q: expected %s", key, keyForms)
		}
		base, hasArgument = before+after, true
	}
	parts := strings.Split(base, ".")
	i := slices.IndexFunc(attributeForms, func(f attributeForm) bool {
		return len(parts) >= 2 && f.name == parts[0]+"."+parts[1]
	})
	if i < 0 || len(parts) > 3 || attributeForms[i].attribute == attrTag && !hasArgument {
		return attributeForm{}, "", "", fmt.Errorf("unknown key %q: expected %s", key, keyForms)
	}
	form, operator = attributeForms[i], "EQ"
	if len(parts) == 3 {
		operator = strings.ToUpper(parts[2])
	}
	if !slices.Contains(form.operators, operator) {
		return attributeForm{}, "", "", fmt.Errorf("unknown operator %q in key %q: %s has %s", parts[2], key, form.name,
			strings.Join(form.operators, ", "))
	}
	return form, argument, operator, nil
}

// parseZone reads an IANA zone; none is UTC. The machine's own zone has no name here.
func parseZone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, fmt.Errorf("unknown time zone %q: expected an IANA name like Europe/Paris", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q: expected an IANA name like Europe/Paris", name)
	}
	return zone, nil
}

func parseAll[T any](values []string, parse func(string) (T, error)) ([]T, error) {
	list := make([]T, 0, len(values))
	for _, v := range values {
		parsed, err := parse(v)
		if err != nil {
			return nil, err
		}
		list = append(list, parsed)
	}
	return list, nil
}

func numberParser(a attribute) func(string) (int, error) {
	switch a {
	case attrDate:
		return parseDate
	case attrHour:
		return parseHour
	}
	return parseWeekDay
}

func parseDate(s string) (int, error) {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a date: expected an existing day as YYYY-MM-DD", s)
	}
	return d.Year()*10000 + int(d.Month())*100 + d.Day(), nil
}

func parseHour(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 23 || len(s) > 2 || s[0] == '-' || s[0] == '+' {
		return 0, fmt.Errorf("%q is not an hour: expected 0 to 23", s)
	}
	return n, nil
}

func parseWeekDay(s string) (int, error) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(s, d.String()) {
			return mondayFirst(d), nil
		}
	}
	return 0, fmt.Errorf("%q is not a day of the week: expected monday to sunday", s)
}

// checkReachable refuses comparisons that nothing can satisfy, like an hour before 0.
func checkReachable(a attribute, c comparison, n int) error {
	last := map[attribute]int{attrHour: 23, attrWeekDay: 6}
	end, bounded := last[a]
	if bounded && (c == lt && n == 0 || c == gt && n == end) {
		return fmt.Errorf("this comparison can never hold: nothing is before the first or after the last")
	}
	return nil
}

func parseText(s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("an empty name or type matches nothing: write values separated by commas, without spaces")
	}
	return s, nil
}

func rangeParser(c comparison) func(string) (netip.Prefix, error) {
	if c == inRange {
		return parseRange
	}
	return parseAddress
}

func parseAddress(s string) (netip.Prefix, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is not an IP address: expected one like 192.0.2.7 or 2001:db8::7", s)
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func parseRange(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an address range: expected one like 192.0.2.0/24 or 2001:db8::/32", s)
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is an IPv4 range written as IPv6, which matches nothing: write it as IPv4", s)
	}
	return p.Masked(), nil
}
