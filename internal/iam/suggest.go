package iam

import (
	"fmt"
	"strings"

	"github.com/stackgate/stackgate/internal/urn"
)

// didYouMean gives "; did you mean …?" with the known word nearest to s, or lists the words if none is near and they are few, or "".
func didYouMean(s string, known []string) string {
	if len(s) > MaxActionLength {
		return ""
	}
	best, least := "", len(s)+1
	for _, k := range known {
		if d := distance(s, k); d < least {
			best, least = k, d
		}
	}
	if least <= max(2, len(s)/3) {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	if len(known) <= 3 {
		return ": expected " + strings.Join(known, " or ")
	}
	return ""
}

// suggestGlob compares a glob's text before its first star with the beginnings, up to a colon, of what is known.
func suggestGlob(glob string, known []string) string {
	before, after, _ := strings.Cut(glob, "*")
	var beginnings []string
	for _, k := range known {
		for i := range len(k) {
			if k[i] == ':' {
				beginnings = append(beginnings, k[:i+1])
			}
		}
	}
	if before == "" || after != "" {
		return ""
	}
	hint := didYouMean(before, beginnings)
	return strings.Replace(hint, `"?`, `*"?`, 1)
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
