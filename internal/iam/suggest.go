package iam

import (
	"fmt"
	"math"
	"strings"

	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/urn"
)

// didYouMean gives "; did you mean …?" with the known word nearest to s, or lists the words if none is near and they are few, or "".
func didYouMean(s string, known []string) string {
	if best, d := nearest(s, known); d <= max(2, len(s)/3) {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	if len(known) <= 3 {
		return ": expected " + strings.Join(known, " or ")
	}
	return ""
}

// nearest gives the known word with the least distance from s, the first of several. A long s is far from everything.
func nearest(s string, known []string) (best string, least int) {
	least = math.MaxInt
	if len(s) > MaxActionLength {
		return "", least
	}
	for _, k := range known {
		if d := distance(s, k); d < least {
			best, least = k, d
		}
	}
	return best, least
}

// suggestAction says what an action that does not exist was probably meant to be. A role's name, and a right's without its beginning, are
// the usual slips; mere nearness would point from compute_read to computeOperator.
func suggestAction(a Action) string {
	_, last, ok := cutLast(string(a), ":")
	if !ok {
		last = string(a)
	}
	if role, ok := rbac.ParseRole(last); ok {
		return fmt.Sprintf("; %s is a role, and the right that gives it with the least beside it is %q", role, CheapestRights(role)[0])
	}
	var known []string
	for _, r := range references {
		if a != "" && strings.HasSuffix(string(r.Action), ":"+string(a)) {
			return fmt.Sprintf("; did you mean %q?", r.Action)
		}
		known = append(known, string(r.Action))
	}
	return didYouMean(string(a), known)
}

// suggestGlob corrects a slip in what stands before a glob's final star. It stays close: a shorter glob would allow more than was meant.
func suggestGlob(a Action) string {
	before, after, _ := strings.Cut(string(a), "*")
	if before == "" || after != "" {
		return ""
	}
	var beginnings []string
	for _, r := range references {
		for i, c := range string(r.Action) {
			if c == ':' || c == '/' {
				beginnings = append(beginnings, string(r.Action[:i+1]))
			}
		}
	}
	if best, d := nearest(before, beginnings); d <= 2 {
		return fmt.Sprintf("; did you mean %q?", best+"*")
	}
	return ""
}

// suggestResource says what a malformed resource was probably meant to be.
func suggestResource(owner urn.Account, s string) string {
	all := urn.URN("urn:v1:" + string(owner.Partition) + ":resource:*")
	switch {
	case s == "*":
		return fmt.Sprintf("; did you mean %q?", all)
	case ProjectID(s).Valid():
		return fmt.Sprintf("; did you mean %q?", urn.Project(owner.Partition, s))
	}
	if before, name, ok := cutLast(s, ":"); ok && name != "" && len(name) <= MaxNameLength {
		for _, typ := range ResourceTypes() {
			want := "urn:v1:" + string(owner.Partition) + ":resource:" + typ
			if u, err := urn.ParseResource(want + ":" + name); err == nil && distance(before, want) <= 3 {
				return fmt.Sprintf("; did you mean %q?", u)
			}
		}
	}
	return ""
}

// distance is how many bytes must be inserted, removed or replaced to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
