package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/registry"
)

// The headers of pagination in /v2.
const (
	headerSize   = "X-Pagination-Size"
	headerCursor = "X-Pagination-Cursor"
	headerNext   = "X-Pagination-Cursor-Next" // absent on the last page
)

// page reads the pagination headers.
func (q *query) page() (registry.Page, error) {
	p := registry.Page{After: q.request.Header.Get(headerCursor)}
	size := q.request.Header.Get(headerSize)
	if size == "" {
		return p, nil
	}
	n, err := strconv.Atoi(size)
	if err != nil || n < 1 {
		return p, iam.Errorf(iam.Invalid, "%s must be a whole number from 1; over 1000 is read as 1000.", headerSize)
	}
	p.Limit = n
	return p, nil
}

// next tells the client where the following page starts.
func (q *query) next(cursor string) {
	if cursor != "" {
		q.header.Set(headerNext, cursor)
	}
}

// all collects every page of a list, for the routes of /v1, which have no pages.
func all[T any](ctx context.Context, list func(ctx context.Context, p registry.Page) ([]T, string, error)) ([]T, error) {
	var out []T
	p := registry.Page{Limit: 1000}
	for {
		part, next, err := list(ctx, p)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
		if next == "" || next == p.After {
			return out, nil
		}
		p.After = next
	}
}

// one gives a parameter that may stand once.
func (q *query) one(name string) (string, error) {
	vs := q.params[name]
	if len(vs) > 1 {
		return "", iam.Errorf(iam.Invalid, "The query parameter %q may stand only once.", name)
	}
	if len(vs) == 0 {
		return "", nil
	}
	return vs[0], nil
}

// boolean gives a parameter that is true or false; nil if it is not there.
func (q *query) boolean(name string) (*bool, error) {
	v, err := q.one(name)
	if err != nil || v == "" {
		return nil, err
	}
	if v != "true" && v != "false" {
		return nil, iam.Errorf(iam.Invalid, "The query parameter %q is true or false.", name)
	}
	return new(v == "true"), nil
}

// details reports whether the answer should be expanded.
func (q *query) details() (bool, error) {
	b, err := q.boolean("details")
	return b != nil && *b, err
}

// age reads a length of time before now: a Go duration, or days as 90d.
func age(text string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		days, err := strconv.Atoi(n)
		if err == nil && days > 0 && days <= 36500 {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	return 0, iam.Errorf(iam.Invalid, "%q is no length of time; write days or hours, such as 90d or 12h.", cut(text))
}

// stamp gives a time as the wire wants it: nil where there is none.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

// moment reads a time that a client gave: zero where there is none. The year 1, which is Go's zero time, and years that JSON
// cannot write again are refused, so that no expiry becomes "never" and nothing is stored that cannot be shown.
func moment(member string, t *time.Time) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if y := t.UTC().Year(); y < 1970 || y > 9999 {
		return time.Time{}, iam.Errorf(iam.Invalid, "The member %s is a time between the years 1970 and 9999.", member)
	}
	return t.UTC(), nil
}
