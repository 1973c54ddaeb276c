package cli

import (
	"strings"
	"testing"
	"time"
)

// TestMadeNamesFit: the name that is made for a policy of many rights is one that the server takes.
func TestMadeNamesFit(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if got, want := madeName([]string{"EU.1", "computeOperator"}, now), "EU.1-computeOperator-20260102T030405"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := madeName([]string{strings.Repeat("x", 200)}, now); len(got) != 128 || !strings.HasSuffix(got, "x-20260102T030405") {
		t.Errorf("%d characters: %s", len(got), got)
	}
}
