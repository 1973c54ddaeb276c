package policyfile

import (
	"embed"
	"fmt"
	"github.com/go-json-experiment/json"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/rbac"
)

//go:embed rules/*.jsonl
var ruleFiles embed.FS

// A Release is what one release of one service registers with oslo.policy. The facts are in rules/, as testdata/documented.py
// prints them.
type Release struct {
	Service rbac.Service
	Program string // nova, cinder, glance, neutron
	Name    string // zed, 2026.1
	Rules   []Rule // in the order of their names
	byName  map[string]*Rule
}

// A Rule is one policy rule that a service registers.
type Rule struct {
	Name       string   `json:"rule"`
	Check      string   `json:"check"` // its default
	Scope      []string `json:"scope"`
	Operations []string `json:"operations"` // the calls that its documentation names: "GET /servers", "POST /servers/{id}/action (reboot)"
}

// Releases lists the names of the releases that we know the rules of, the newest last.
func Releases() []string { return []string{"zed", "2026.1"} }

// Programs lists the services that have policy files.
func Programs() []string { return []string{"nova", "cinder", "glance", "neutron"} }

func serviceOf(program string) rbac.Service {
	switch program {
	case "nova":
		return rbac.Compute
	case "cinder":
		return rbac.Volume
	case "glance":
		return rbac.Image
	}
	return rbac.Network
}

// LoadRelease reads the rules of a release.
func LoadRelease(program, name string) (*Release, error) {
	if !slices.Contains(Programs(), program) {
		return nil, fmt.Errorf("unknown service %q: there is %s", program, strings.Join(Programs(), ", "))
	}
	if !slices.Contains(Releases(), name) {
		return nil, fmt.Errorf("unknown release %q: there is %s", name, strings.Join(Releases(), ", "))
	}
	text, err := ruleFiles.ReadFile("rules/" + program + "-" + name + ".jsonl")
	if err != nil {
		return nil, fmt.Errorf("rules of %s %s: %w", program, name, err)
	}
	r := &Release{Service: serviceOf(program), Program: program, Name: name}
	return r, r.read(string(text))
}

func (r *Release) read(text string) error {
	for line := range strings.Lines(text) {
		var rule Rule
		if err := json.Unmarshal([]byte(line), &rule); err != nil {
			return fmt.Errorf("rules of %s %s: %w", r.Program, r.Name, err)
		}
		r.Rules = append(r.Rules, rule)
	}
	r.byName = map[string]*Rule{}
	for i := range r.Rules {
		r.byName[r.Rules[i].Name] = &r.Rules[i]
	}
	return nil
}
