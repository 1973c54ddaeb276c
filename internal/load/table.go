package load

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Row is one line of the table: a result and, if there is one, its bare counterpart.
type Row struct {
	Result
	Bare *Result
}

// Print writes rows as a Markdown table with aligned columns, to read on a terminal or to put into a document.
func Print(w io.Writer, rows []Row) error {
	lines := [][]string{{"what", "at once", "flows/s", "p50", "p99", "errors", "budget", "bare", "of bare"}}
	for _, r := range rows {
		bare, ratio := "", ""
		if r.Bare != nil && r.Bare.Rate() > 0 {
			bare, ratio = grouped(r.Bare.Rate())+"/s", strconv.FormatFloat(r.Rate()/r.Bare.Rate(), 'f', 2, 64)+" ×"
		}
		lines = append(lines, []string{
			r.Name, strconv.Itoa(r.Concurrency), grouped(r.Rate()), short(r.P50), short(r.P99), strconv.Itoa(r.Errors), r.Budget, bare, ratio,
		})
	}
	var b strings.Builder
	writeTable(&b, lines)
	for _, r := range rows {
		if r.FirstError != "" {
			fmt.Fprintf(&b, "\n%s: the first of %d errors: %s\n", r.Name, r.Errors, r.FirstError)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// A Figure is something measured that is no rate.
type Figure struct{ Name, Value, Budget string }

// PrintFigures writes figures as a Markdown table.
func PrintFigures(w io.Writer, figures []Figure) error {
	lines := [][]string{{"what", "measured", "budget"}}
	for _, f := range figures {
		lines = append(lines, []string{f.Name, f.Value, f.Budget})
	}
	var b strings.Builder
	writeTable(&b, lines)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeTable writes lines, the first of which is the heading, with aligned columns.
func writeTable(b *strings.Builder, lines [][]string) {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, line := range lines {
		for i, cell := range line {
			b.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
		}
		b.WriteString("|\n")
		if n == 0 {
			for _, width := range widths {
				b.WriteString("|" + strings.Repeat("-", width+2))
			}
			b.WriteString("|\n")
		}
	}
}

// grouped writes a rate as 15 700.
func grouped(rate float64) string {
	s := strconv.FormatFloat(rate, 'f', 0, 64)
	if rate < 10 {
		return strconv.FormatFloat(rate, 'f', 1, 64)
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + " s"
	case d >= time.Millisecond:
		return strconv.FormatFloat(float64(d)/1e6, 'f', 1, 64) + " ms"
	}
	return strconv.FormatFloat(float64(d)/1e3, 'f', 0, 64) + " µs"
}
