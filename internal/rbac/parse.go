package rbac

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A parser reads one data file. Its fields are what directives set for the lines that follow.
type parser struct {
	table     *Table
	file      string
	number    int // of the line
	service   Service
	family    string
	prefixes  []string
	always    []string
	with      []string
	refusals  map[string]condition // by name
	extension *extension           // nil: the file is our own
}

func (p *parser) line(line string) error {
	if family, ok := strings.CutPrefix(line, "# ----"); ok {
		family, _, _ = strings.Cut(family, ". ")
		p.family = strings.TrimRight(strings.TrimSpace(family), ".")
	}
	line, _, _ = strings.Cut(line, "#")
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil
	}
	switch words[0] {
	case "service":
		return p.setService(words[1:])
	case "prefix":
		return p.setPrefixes(words[1:])
	case "always":
		p.always = words[1:]
		return nil
	case "with":
		p.with = words[1:]
		return nil
	case "refusal":
		return p.nameRefusal(words[1:])
	}
	if len(words) < 4 || words[1][0] != '/' {
		return errors.New("want METHOD /path [condition] !refusal rule roles; see operations/README.md")
	}
	if p.service == "" {
		return errors.New(`a file begins with its service: "service compute"`)
	}
	for method := range strings.SplitSeq(words[0], ",") {
		if err := p.operation(method, words[1], words[2:]); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) setService(words []string) error {
	if len(words) == 1 {
		p.service, _ = ParseService(words[0])
	}
	if p.service == "" {
		var known []string
		for _, s := range Services() {
			known = append(known, s.CatalogType())
		}
		return fmt.Errorf("service %q: want one of %s", strings.Join(words, " "), strings.Join(known, ", "))
	}
	if p.table.roots[p.service] == nil {
		p.table.roots[p.service] = &node{}
	}
	return nil
}

func (p *parser) setPrefixes(words []string) error {
	p.prefixes = nil
	for _, w := range words {
		if w[0] != '/' {
			return fmt.Errorf("prefix %q: want a path", w)
		}
		p.prefixes = append(p.prefixes, strings.TrimSuffix(w, "/"))
	}
	if p.prefixes == nil {
		p.prefixes = []string{""}
	}
	return nil
}

// nameRefusal reads the name of a refusal, its condition, and the words that tell of it.
func (p *parser) nameRefusal(words []string) error {
	if len(words) < 3 {
		return errors.New("want refusal NAME condition and a sentence")
	}
	cs, err := parseCondition(words[1])
	if err != nil {
		return err
	}
	if len(cs) != 1 || p.refusals[words[0]].word != "" {
		return fmt.Errorf("refusal %q: want a name for one condition", words[0])
	}
	if p.refusals == nil {
		p.refusals = map[string]condition{}
	}
	c := cs[0]
	c.why = strings.Join(words[2:], " ")
	p.refusals[words[0]] = c
	return nil
}

func (p *parser) operation(method, path string, words []string) error {
	if strings.ToUpper(method) != method || method == "" {
		return fmt.Errorf("method %q: want capitals", method)
	}
	op := &Operation{Service: p.service, Family: p.family, Method: method, Path: path, Prefixes: p.prefixes,
		Source: fmt.Sprintf("%s:%d", p.file, p.number)}
	if n := len(words); n >= 2 && words[n-2] == "override:" && words[n-1] == "true" {
		op.override, words = true, words[:n-2]
	}
	who := 0
	for _, w := range slices.Concat(words, p.always, p.with) {
		if c, named := p.refusals[strings.TrimPrefix(w, "!")]; named && w[0] == '!' {
			op.refuse = append(op.refuse, c)
		} else if err := op.word(w, &who); err != nil {
			return err
		}
	}
	if err := op.finish(who); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if p.extension != nil {
		return p.extension.apply(p.table, op)
	}
	if op.override {
		return errors.New("override: true is for the operator's files")
	}
	p.table.all = append(p.table.all, op)
	return p.table.insert(op)
}

// finish checks the whole line. Conditions on bodies that a directive brought are not meant for calls without one.
func (op *Operation) finish(who int) error {
	if who == 0 {
		return errors.New("a line needs a rule and then who may")
	}
	op.readRule()
	if who > 1 || op.Access != ByRole && op.Roles != 0 {
		return errors.New("any, public and nobody stand alone, roles beside roles")
	}
	if op.Method != "GET" && op.Method != "DELETE" {
		return nil
	}
	op.refuse = slices.DeleteFunc(op.refuse, condition.onBody)
	if slices.ContainsFunc(op.when, condition.onBody) || op.Action != "" {
		return errors.New("a call without body cannot be told by it")
	}
	return nil
}

// word reads one word of a line. Who counts how often it was said who may, all roles together being once.
func (op *Operation) word(w string, who *int) error {
	switch {
	case strings.HasPrefix(w, "[") && strings.HasSuffix(w, "]"):
		return op.distinguish(w[1 : len(w)-1])
	case strings.HasPrefix(w, "!"):
		return appendCondition(&op.refuse, w[1:])
	case strings.HasPrefix(w, "-?"):
		return appendCondition(&op.drop, w[1:])
	case op.Rule == "":
		op.Rule = w
		return nil
	}
	return op.admit(w, who)
}

func (op *Operation) distinguish(w string) error {
	if w == "" {
		return errors.New("[] tells nothing apart")
	}
	if member, ok := strings.CutPrefix(w, "."); ok {
		return appendCondition(&op.when, member)
	}
	if w[0] == '?' || w[0] == '@' {
		return appendCondition(&op.when, w)
	}
	if op.Action != "" {
		return errors.New("a call has one action")
	}
	op.Action = w
	return nil
}

func appendCondition(list *[]condition, w string) error {
	cs, err := parseCondition(w)
	*list = append(*list, cs...)
	return err
}

// readRule takes the word for the rule apart: new|old, ~shared, or - for none.
func (op *Operation) readRule() {
	rule, shared := strings.CutPrefix(op.Rule, "~")
	names := strings.Split(rule, "|")
	op.Rule, op.OldRules, op.SharedRule = names[0], names[1:], shared
	if op.Rule == "-" {
		op.Rule = ""
	}
}

// admit reads who may.
func (op *Operation) admit(w string, who *int) error {
	access := map[string]Access{"nobody": Nobody, "any": AnyRole, "public": Public}
	switch a, ok := access[w]; {
	case ok:
		op.Access = a
		*who++
	case w == "anonymous":
		op.Anonymous = true
	default:
		r, ok := ParseRole(w)
		if !ok {
			return fmt.Errorf("unknown role %q", w)
		}
		if op.Roles == 0 {
			op.Access = ByRole
			*who++
		}
		op.Roles |= RolesOf(r)
	}
	return nil
}
