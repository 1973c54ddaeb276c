package iam_test

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/urn"
)

// The second evaluator: slow, and written from docs/access-model.md without a look at the first. It thinks of the unknown as
// a set of worlds: a condition may hold in some, fail in some, or both.

type worlds struct{ holds, fails bool }

func certain(b bool) worlds { return worlds{b, !b} }

var both = worlds{true, true}

func naive(set *iam.PolicySet, req iam.Request) iam.Decision {
	var d iam.Decision
	owner := set.Owner
	identity := "urn:v1:" + string(owner.Partition) + ":identity:"
	mine := regexp.MustCompile("^" + regexp.QuoteMeta(identity) + "(account|user|group|credential):" + regexp.QuoteMeta(owner.Name) + "(/.*)?$")
	resource := "urn:v1:" + string(owner.Partition) + ":resource:"
	switch {
	case owner == urn.Account{} || !mine.MatchString(string(req.Identity)):
		return d
	case req.Resource.Owner != owner || !strings.HasPrefix(string(req.Resource.URN), resource) || strings.HasSuffix(string(req.Resource.URN), "*"):
		return d
	case req.Action == "" || strings.Contains(string(req.Action), "*"):
		return d
	case string(req.Identity) == identity+"account:"+owner.Name:
		return iam.Decision{Allowed: true, Reasons: []iam.Reason{{Effect: iam.Allow, PolicyName: "ovh-default", Statement: "*"}}}
	}
	allowed, denied := false, false
	for _, p := range set.Policies {
		if p.Owner != owner || !slices.Contains(p.Identities, req.Identity) || !naiveCovers(set, p, req.Resource.URN) {
			continue
		}
		w := naiveApplies(p, req)
		blocks := map[urn.URN]iam.Permissions{"": p.Permissions}
		order := []urn.URN{""}
		for _, u := range p.PermissionsGroups {
			if perms, ok := naiveGroup(set, u); ok {
				blocks[u], order = perms, append(order, u)
			}
		}
		for _, g := range order {
			reason := func(e iam.Effect, a iam.Action) iam.Reason {
				return iam.Reason{Effect: e, PolicyID: p.ID, PolicyName: p.Name, Group: g, Statement: a}
			}
			var allows, excepts, denies []iam.Reason
			for _, a := range blocks[g].Allow {
				if naiveGlob(a, req.Action) {
					allows = append(allows, reason(iam.Allow, a))
				}
			}
			for _, a := range blocks[g].Except {
				if naiveGlob(a, req.Action) {
					excepts = append(excepts, reason(iam.Except, a))
				}
			}
			for _, a := range blocks[g].Deny {
				if naiveGlob(a, req.Action) {
					denies = append(denies, reason(iam.Deny, a))
				}
			}
			if !w.fails && len(allows) > 0 {
				d.Reasons = append(append(d.Reasons, allows...), excepts...)
				allowed = allowed || len(excepts) == 0
			}
			if w.holds {
				d.Reasons = append(d.Reasons, denies...)
				denied = denied || len(denies) > 0
			}
		}
	}
	d.Allowed = allowed && !denied
	return d
}

func naiveGlob(pattern, action iam.Action) bool {
	quoted := strings.ReplaceAll(regexp.QuoteMeta(string(pattern)), `\*`, ".*")
	return regexp.MustCompile("(?s)^" + quoted + "$").MatchString(string(action))
}

func naiveCovers(set *iam.PolicySet, p iam.Policy, u urn.URN) bool {
	list := slices.Clone(p.Resources)
	for _, r := range p.Resources {
		g, ok := set.ResourceGroups[r]
		if ok && g.Owner == set.Owner && strings.HasPrefix(string(r), "urn:v1:"+string(set.Owner.Partition)+":resourceGroup:") {
			list = append(list, g.Resources...)
		}
	}
	return slices.ContainsFunc(list, func(r urn.URN) bool {
		if n := len(r) - 1; n >= 0 && r[n] == '*' {
			return len(u) >= n && u[:n] == r[:n]
		}
		return r == u
	})
}

func naiveGroup(set *iam.PolicySet, u urn.URN) (iam.Permissions, bool) {
	space := "urn:v1:" + string(set.Owner.Partition) + ":permissionsGroup:"
	switch string(u) {
	case space + "ovh:globalAdmin":
		return iam.Permissions{Allow: []iam.Action{"*"}}, true
	case space + "ovh:globalReadOnly":
		return iam.Permissions{Allow: []iam.Action{"*get"}}, true
	case space + "ovh:globalReadWrite":
		return iam.BuiltInPermissionsGroups(set.Owner.Partition)[2].Permissions, true // its list is tested on its own
	}
	g, ok := set.PermissionsGroups[u]
	if !ok || g.Owner != set.Owner || !strings.HasPrefix(string(u), space+set.Owner.Name+":") {
		return iam.Permissions{}, false
	}
	return g.Permissions, true
}

func naiveApplies(p iam.Policy, req iam.Request) worlds {
	w := certain(true)
	if p.Condition != nil {
		w = naiveCondition(*p.Condition, 3, req)
	}
	switch {
	case p.ExpiredAt.IsZero():
	case req.Time.IsZero():
		w.fails = true
	case !req.Time.Before(p.ExpiredAt):
		w = certain(false)
	}
	return w
}

func naiveCondition(c iam.Condition, levels int, req iam.Request) worlds {
	if levels == 0 {
		return both
	}
	var parts []worlds
	for _, child := range c.Conditions {
		parts = append(parts, naiveCondition(child, levels-1, req))
	}
	holds := func(w worlds) bool { return w.holds }
	fails := func(w worlds) bool { return w.fails }
	every := func(f func(worlds) bool) bool {
		return !slices.ContainsFunc(parts, func(w worlds) bool { return !f(w) })
	}
	switch c.Operator {
	case "MATCH":
		parts = nil
		for key, value := range c.Values {
			parts = append(parts, naiveMatch(key, value, req))
		}
		return worlds{every(holds), slices.ContainsFunc(parts, fails)}
	case "AND":
		return worlds{every(holds), slices.ContainsFunc(parts, fails)}
	case "OR":
		return worlds{slices.ContainsFunc(parts, holds), every(fails)}
	case "NOT":
		return worlds{every(fails), slices.ContainsFunc(parts, holds)}
	}
	return both
}

var keyForm = regexp.MustCompile(`^(?:(date(?:\(([^()]*)\))?\.(?:Date|Hour|WeekDay))|(resource\.Tag\(([^()]+)\))|(resource\.Name|resource\.Type|request\.IP))(?:\.([A-Za-z_]+))?$`)

func naiveMatch(key, value string, req iam.Request) worlds {
	m := keyForm.FindStringSubmatch(key)
	if m == nil {
		return both
	}
	op := strings.ToUpper(m[6])
	if op == "" {
		op = "EQ"
	}
	switch {
	case m[1] != "":
		return naiveDate(m[1], m[2], op, value, req.Time)
	case m[3] != "":
		if op == "IN" {
			return both
		}
		tag, ok := req.Resource.Tags[m[4]]
		w := naiveText(op, value, tag)
		if w != both && !ok {
			return certain(false)
		}
		return w
	case m[5] == "resource.Name":
		return naiveText(op, value, req.Resource.Name)
	case m[5] == "resource.Type":
		return naiveText(op, value, strings.Split(string(req.Resource.URN), ":")[4])
	}
	return naiveAddress(op, value, req.Address)
}

func naiveText(op, value, actual string) worlds {
	switch op {
	case "EQ":
		return certain(value == actual)
	case "IN":
		return certain(slices.Contains(strings.Split(value, ","), actual))
	case "STARTS_WITH":
		return certain(strings.HasPrefix(actual, value))
	case "ENDS_WITH":
		return certain(strings.HasSuffix(actual, value))
	}
	return both
}

func naiveAddress(op, value string, a netip.Addr) worlds {
	for _, v := range strings.Split(value, ",") {
		if op == "IN_RANGE" {
			v, _, _ = strings.Cut(v, "/")
		}
		if _, err := netip.ParseAddr(v); err != nil {
			return both
		}
	}
	if !a.IsValid() {
		return both
	}
	a = a.Unmap().WithZone("")
	switch op {
	case "EQ", "IN":
		return certain(slices.Contains(strings.Split(value, ","), a.String()))
	case "IN_RANGE":
		p, err := netip.ParsePrefix(value)
		if err != nil {
			return both
		}
		return certain(p.Contains(a))
	}
	return both
}

func naiveDate(what, zone, op, value string, now time.Time) worlds {
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" || now.IsZero() {
		return both
	}
	now = now.In(loc)
	days := []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	var actual int
	read := func(s string) int { return slices.Index(days, strings.ToLower(s)) }
	switch {
	case strings.HasSuffix(what, "Date"):
		day := func(t time.Time) int {
			return int(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix() / 86400)
		}
		actual, read = day(now), func(s string) int {
			t, err := time.Parse("2006-01-02", s)
			if err != nil {
				return -1
			}
			return day(t)
		}
	case strings.HasSuffix(what, "Hour"):
		actual, read = now.Hour(), func(s string) int {
			n, err := strconv.Atoi(s)
			if err != nil || n > 23 {
				return -1
			}
			return n
		}
	default:
		actual = slices.Index(days, strings.ToLower(now.Weekday().String()))
	}
	var wanted []int
	for _, v := range strings.Split(value, ",") {
		n := read(v)
		if n < 0 {
			return both
		}
		wanted = append(wanted, n)
	}
	if op == "IN" {
		return certain(slices.Contains(wanted, actual))
	}
	if len(wanted) > 1 {
		return both
	}
	switch op {
	case "EQ":
		return certain(actual == wanted[0])
	case "BEFORE", "LT":
		return certain(actual < wanted[0])
	case "AFTER", "GE":
		return certain(actual >= wanted[0])
	case "LE":
		return certain(actual <= wanted[0])
	case "GT":
		return certain(actual > wanted[0])
	}
	return both
}

// naiveRoles asks for each right by itself.
func naiveRoles(set *iam.PolicySet, req iam.Request) (rights []iam.Action, roles rbac.Roles) {
	for _, row := range iam.Rights() {
		req.Action = row.Action
		if naive(set, req).Allowed {
			rights = append(rights, row.Action)
			roles |= row.Roles
		}
	}
	return rights, roles
}
