package policyfile

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/rbac"
)

// wrongDocumentation is the calls that a rule's documentation names though no service answers them; each with what is there instead.
var wrongDocumentation = map[string]string{
	"cinder POST /snapshots/{snapshot_id}/action (update_snapshot_status)": "the action is os-update_snapshot_status",
	"cinder PUT /volumes":                            "/volumes/{id}",
	"cinder PUT /types":                              "/types/{id}",
	"cinder DELETE /types":                           "/types/{id}",
	"cinder PUT /default-types":                      "/default-types/{project}",
	"cinder GET /os-quota-sets/{project_id}/default": "/os-quota-sets/{project}/defaults",
	"glance POST /v2/metadefs/namespaces/{namespace_name}/resource_types/{name}": "it is a DELETE",
	"neutron GET /quota":                        "/quotas",
	"neutron GET /quota/{id}":                   "/quotas/{project}",
	"neutron PUT /quota/{id}":                   "/quotas/{project}",
	"neutron DELETE /quota/{id}":                "/quotas/{project}",
	"neutron POST /agents/{id}":                 "/agents",
	"neutron DELETE /ports/{port_id}/bindings/": "/ports/{id}/bindings/{host}",
}

// TestEveryDocumentedCallHasALine holds the table against what the services' own rules say that they are for, of both releases.
func TestEveryDocumentedCallHasALine(t *testing.T) {
	used := map[string]bool{}
	eachRelease(t, func(t *testing.T, b *Book) {
		for _, rule := range b.Rules {
			for _, documented := range rule.Operations {
				found := len(readCall(documented).operations(b.Service, b.Table)) > 0
				key := b.Program + " " + documented
				if !found && wrongDocumentation[key] == "" {
					t.Errorf("no line for %s (rule %s)", documented, rule.Name)
				}
				used[key] = used[key] || !found
			}
		}
	})
	for key := range wrongDocumentation {
		if !used[key] {
			t.Errorf("the exception for %q is not needed", key)
		}
	}
}

// TestTheRulesAreThoseOfThePackages compares the data with what Debian's packages register.
func TestTheRulesAreThoseOfThePackages(t *testing.T) {
	for _, program := range Programs() {
		t.Run(program, func(t *testing.T) {
			got := strings.Split(run(t, python, "", "documented.py", program), "\n")
			want, err := os.ReadFile("rules/" + program + "-zed.jsonl")
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, strings.Split(string(want), "\n")) {
				t.Errorf("rules/%s-zed.jsonl is not what the packages register: %s testdata/documented.py %s", program, python, program)
			}
		})
	}
}

// TestEveryRuleIsSettled wants, of every rule that a tenant could have, a line that names it or calls beside whose rule it is asked.
func TestEveryRuleIsSettled(t *testing.T) {
	eachRelease(t, func(t *testing.T, b *Book) {
		for _, rule := range b.Rules {
			if _, tenants, err := b.split(rule.Name); err != nil || len(tenants) > 0 && b.Grant(rule.Name) == nil && len(rule.Operations) > 0 {
				t.Errorf("%s: no line names the rule or a call that it is for (%v)", rule.Name, err)
			}
		}
	})
}

// TestWhatIsTheAdministratorsIsRefused holds the table's fields against Neutron's attribute rules: what the release gives to
// administrators and services alone, the lines of the call must refuse.
func TestWhatIsTheAdministratorsIsRefused(t *testing.T) {
	table := newTable(t)
	for _, name := range Releases() {
		b := newBook(t, table, "neutron", name)
		for _, rule := range b.Rules {
			_, tenants, err := b.split(rule.Name)
			if err != nil || len(tenants) > 0 || !strings.Contains(rule.Name, ":") {
				continue
			}
			for _, documented := range rule.Operations {
				for _, op := range readCall(documented).operations(b.Service, b.Table) {
					if op.Method != "GET" && op.Method != "DELETE" && op.Needs() != 0 && !refusesAttribute(op, rule.Name) {
						t.Errorf("%s: %s %s is for %v but does not refuse what %s is about", name, op.Method, op.Path, op.Roles, rule.Name)
					}
				}
			}
		}
	}
}

// TestWiderThanTheDefault names the rules that a default gives to administrators only and the table to tenants: what they are about is no
// project's, and newer releases have it so.
func TestWiderThanTheDefault(t *testing.T) {
	want := map[string]bool{"neutron zed get_availability_zone": true, "neutron zed get_rule_type": true}
	eachRelease(t, func(t *testing.T, b *Book) {
		for _, rule := range b.Rules {
			_, tenants, err := b.split(rule.Name)
			wider := err == nil && len(tenants) == 0 && len(b.who(rule.Name)) > 0
			if name := b.Program + " " + b.Name + " " + rule.Name; wider != want[name] {
				t.Errorf("%s is wider than the default: %t, want %t", name, wider, want[name])
			}
		}
	})
}

// TestRulesOfTheTableExist wants every rule that a line names to be registered by one of the releases: a misspelt one would be lost here.
func TestRulesOfTheTableExist(t *testing.T) {
	table, found := newTable(t), map[string]bool{}
	for _, program := range Programs() {
		for _, name := range Releases() {
			b := newBook(t, table, program, name)
			for _, op := range b.Table {
				found[op.Source] = found[op.Source] || op.Service == b.Service && b.Rule(op) != ""
			}
		}
	}
	for _, op := range table.Operations() {
		other := op.Service == rbac.ObjectStore || op.Service == rbac.AITraining // they have no rules, the names are ours
		if !other && op.Rule != "" && !found[op.Source] {
			t.Errorf("%s: no release has the rule %s", op.Source, op.Rule)
		}
	}
}

// TestRuleLinesAreRules wants every rule of novacalls.txt and inner.txt to be one of some release, and one that tenants may have.
func TestRuleLinesAreRules(t *testing.T) {
	known := map[string]bool{}
	var lines []ruleLine
	eachRelease(t, func(t *testing.T, b *Book) {
		lines = slices.Concat(b.inner, b.nova)
		for _, rule := range b.Rules {
			_, tenants, err := b.split(rule.Name)
			known[b.Program+" "+rule.Name] = known[b.Program+" "+rule.Name] || err == nil && len(tenants) > 0
		}
	})
	for _, l := range lines {
		if !known[l.program+" "+l.rule] {
			t.Errorf("%s has no rule %s for tenants", l.program, l.rule)
		}
	}
}

// TestNotesAreOnRules wants every line of notes.txt to be about a rule that exists, with a sentence.
func TestNotesAreOnRules(t *testing.T) {
	for sc := bufio.NewScanner(strings.NewReader(notes)); sc.Scan(); {
		words := strings.Fields(sc.Text())
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		r, err := LoadRelease(words[0], "2026.1")
		if err != nil {
			t.Fatal(err)
		}
		if words[1] != "*" && r.byName[words[1]] == nil || len(words) < 5 {
			t.Errorf("notes.txt: %s", sc.Text())
		}
	}
}
