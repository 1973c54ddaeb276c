package iam

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
