package policyfile

import (
	"fmt"
	"slices"
	"strings"
)

// An alternative is checks of oslo.policy of which all must hold: "role:member", "project_id:%(project_id)s", "not rule:shared".
// A rule is alternatives of which one must hold; one without checks holds for everybody.
type alternative []string

// alternatives reads a check string, multiplied out. Rules that it refers to stay as they are.
func alternatives(text string) ([]alternative, error) {
	p := &checkParser{words: checkWords(text)}
	if len(p.words) == 0 {
		return []alternative{{}}, nil
	}
	out, err := p.or()
	if err == nil && p.next() != "" {
		err = fmt.Errorf("%q is left over", p.next())
	}
	if err != nil {
		return nil, fmt.Errorf("check %q: %w", text, err)
	}
	return out, nil
}

// checkWords splits a check string as oslo.policy does: at blanks, and parentheses stand for themselves at the ends of a word. Those of
// %(project_id)s are inside of one.
func checkWords(text string) (words []string) {
	for _, w := range strings.Fields(text) {
		for strings.HasPrefix(w, "(") {
			words, w = append(words, "("), w[1:]
		}
		bare := strings.TrimRight(w, ")")
		if bare != "" {
			words = append(words, bare)
		}
		for range len(w) - len(bare) {
			words = append(words, ")")
		}
	}
	return words
}

type checkParser struct {
	words []string
	at    int
}

func (p *checkParser) next() string {
	if p.at == len(p.words) {
		return ""
	}
	return p.words[p.at]
}

func (p *checkParser) take(word string) bool {
	if !strings.EqualFold(p.next(), word) {
		return false
	}
	p.at++
	return true
}

func (p *checkParser) or() ([]alternative, error) {
	out, err := p.and()
	for err == nil && p.take("or") {
		var more []alternative
		more, err = p.and()
		out = append(out, more...)
	}
	return out, err
}

func (p *checkParser) and() ([]alternative, error) {
	out, err := p.one()
	for err == nil && p.take("and") {
		var more []alternative
		more, err = p.one()
		out = product(out, more)
	}
	return out, err
}

// product gives the alternatives of "a and b".
func product(a, b []alternative) (out []alternative) {
	for _, x := range a {
		for _, y := range b {
			out = append(out, slices.Concat(x, y))
		}
	}
	return out
}

func (p *checkParser) one() ([]alternative, error) {
	if p.take("(") {
		out, err := p.or()
		if err == nil && !p.take(")") {
			err = fmt.Errorf("a parenthesis is not closed")
		}
		return out, err
	}
	not := p.take("not")
	w := p.next()
	p.at = min(p.at+1, len(p.words))
	switch {
	case w == "@" && !not:
		return []alternative{{}}, nil
	case w == "!" && !not:
		return nil, nil
	case !strings.Contains(w, ":"):
		return nil, fmt.Errorf("%q is no check", w)
	case not:
		w = "not " + w
	}
	return []alternative{{w}}, nil
}
