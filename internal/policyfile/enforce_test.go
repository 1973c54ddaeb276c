package policyfile

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/rbac"
)

// A caller is one set of roles on a project, with or without a service's token beside the person's.
type caller struct {
	Roles   []string `json:"roles"`
	Service bool     `json:"service"`
	Ours    bool     `json:"ours"`
}

// The callers of the test: first each of our roles alone, then the same with a service's token, then those who have none of ours.
const (
	nobody = iota
	reader
	member
	administrator
	serviceAlone
	numOthers
)

func callers() (list []caller) {
	for _, service := range []bool{false, true} {
		for r := range rbac.AllRoles.All() {
			list = append(list, caller{[]string{r.String()}, service, true})
		}
	}
	others := [numOthers]caller{
		nobody: {Roles: []string{}}, reader: {Roles: []string{"reader"}}, member: {Roles: []string{"member", "reader"}},
		administrator: {Roles: []string{"admin", "manager", "member", "reader"}}, serviceAlone: {Roles: []string{}, Service: true},
	}
	return append(list, others[:]...)
}

// An answer is what oslo.policy says of one rule: per target a digit for each caller, with the file, and without it for the others.
type answer struct {
	Rule    string            `json:"rule"`
	Default map[string]string `json:"default"`
	File    map[string]string `json:"file"`
}

// passes reports whether the i-th of the others, who stand at the end, passes.
func passes(digits string, i int) bool { return digits[len(digits)-numOthers+i] == '1' }

// TestOsloPolicyAgreesWithTheTable loads each file into Debian's oslo.policy, with the services' own rules registered, and asks for every
// rule, role and target. It does the same for 2026.1 if OPENSTACK_2026_1_PYTHON names a Python that has that release's packages.
func TestOsloPolicyAgreesWithTheTable(t *testing.T) {
	table := newTable(t)
	pythons := map[string]string{"zed": python, "2026.1": os.Getenv("OPENSTACK_2026_1_PYTHON")}
	for _, program := range Programs() {
		for release, python := range pythons {
			if python == "" {
				continue
			}
			t.Run(program+" "+release, func(t *testing.T) {
				t.Parallel()
				newBook(t, table, program, release).enforce(t, python)
			})
		}
	}
}

func (b *Book) enforce(t *testing.T, python string) {
	stdin, err := json.Marshal(callers())
	if err != nil {
		t.Fatal(err)
	}
	rules := 0
	for line := range strings.Lines(run(t, python, string(stdin), "enforce.py", b.Program, written(t, b))) {
		var a answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		rules++
		for target := range a.File {
			b.compare(t, a, target)
		}
	}
	if want := len(b.Rules) + len(b.Unregistered()); rules != want {
		t.Errorf("%d rules were asked for, there are %d", rules, want)
	}
}

// TestEveryFileIsRead has oslo.policy read all files, of both releases, and finds in each rules that the release registers or asks for.
func TestEveryFileIsRead(t *testing.T) {
	eachRelease(t, func(t *testing.T, b *Book) {
		names := strings.Fields(run(t, python, "", "parse.py", written(t, b)))
		for _, name := range names {
			if b.byName[name] == nil && !slices.Contains(b.Unregistered(), name) {
				t.Errorf("%s is not registered", name)
			}
		}
		if want := strings.Count(printed(t, b), "\n\""); len(names) != want || want == 0 {
			t.Errorf("oslo.policy finds %d rules, the file has %d", len(names), want)
		}
	})
}

// compare holds the answers about one target against the table. A role passes if the table lets it do all of the rule's lines, or it
// makes Nova call and Nova's token is there, and the target is one that the release lets a project's people reach.
func (b *Book) compare(t *testing.T, a answer, target string) {
	t.Helper()
	if r := b.byName[a.Rule]; b.grants[a.Rule] == nil && r != nil && len(r.Operations) == 0 {
		return // other rules are made of it
	}
	file, reach := a.File[target], b.reaches(a, target)
	for r := range rbac.AllRoles.All() {
		alone := b.expected(a.Rule).Has(r) && reach
		if got := file[r] == '1'; got != alone {
			t.Errorf("%s on %s: %v passes: %t, want %t", a.Rule, target, r, got, alone)
		}
		withNova := alone || b.expectedOfNova(a.Rule).Has(r) && reach
		if got := file[16+r] == '1'; got != withNova {
			t.Errorf("%s on %s: %v with a service's token passes: %t, want %t", a.Rule, target, r, got, withNova)
		}
	}
	if passes(file, nobody) || passes(file, serviceAlone) {
		t.Errorf("%s on %s: passes without any role", a.Rule, target)
	}
	for _, i := range []int{member, reader} {
		if got, want := passes(file, i), passes(a.Default[target], i); got != want && !b.open(a) {
			t.Errorf("%s on %s: OpenStack's own roles pass: %t, without the file %t", a.Rule, target, got, want)
		}
	}
	if passes(a.Default[target], administrator) && !passes(file, administrator) {
		t.Errorf("%s on %s: an administrator does not pass any more", a.Rule, target)
	}
}

// open reports whether a rule's default lets in anybody of the project, which no file of ours does.
func (b *Book) open(a answer) bool { return passes(a.Default["own"], nobody) }

// reaches reports whether the release lets a project's people reach a target at all, by letting a member. Where it lets no member of the
// project, what the rule is about is no project's: see TestWiderThanTheDefault.
func (b *Book) reaches(a answer, target string) bool {
	return passes(a.Default[target], member) || !passes(a.Default["own"], member)
}

// expected works out anew, from the table alone, who has a rule.
func (b *Book) expected(rule string) (roles rbac.Roles) {
	named := false
	for _, op := range b.Table {
		if op.Service != b.Service || op.SharedRule || b.Rule(op) != rule {
			continue
		}
		if !named {
			named, roles = true, rbac.AllRoles
		}
		roles &= op.Needs()
	}
	for _, l := range b.inner {
		if l.program == b.Program && l.rule == rule {
			return l.roles
		}
	}
	if g := b.grants[rule]; named || g == nil || g.Kept {
		return roles
	}
	for _, documented := range b.byName[rule].Operations {
		for _, op := range readCall(documented).operations(b.Service, b.Table) {
			roles |= op.Needs()
		}
	}
	return roles
}

// expectedOfNova is the roles that make Nova ask for a rule.
func (b *Book) expectedOfNova(rule string) rbac.Roles {
	if g := b.grants[rule]; g != nil && !g.Kept {
		return g.Nova
	}
	return 0
}
