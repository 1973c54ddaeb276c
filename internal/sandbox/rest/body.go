package rest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stackgate/stackgate/internal/web"
)

// maxBody is the largest JSON body any of the services takes; the largest real one carries 64 KiB of user data.
const maxBody = 1 << 20

// Read decodes the JSON body into dst. Members that dst lacks are ignored, as a service that is older than its client would
// refuse too much; anything else that is wrong is a 400 Error.
func Read(w http.ResponseWriter, r *Request, dst any) error {
	b, err := web.ReadBody(w, r.Request, maxBody)
	if err != nil {
		return err
	}
	return web.Decode(b, dst, web.IgnoreUnknown)
}

// WriteJSON writes v with a status.
func WriteJSON(w http.ResponseWriter, r *Request, status int, v any) error {
	SetRequestID(w, r.Request)
	return web.WriteJSON(w, status, v)
}

// NoContent answers with a status and no body.
func NoContent(w http.ResponseWriter, r *Request, status int) error {
	SetRequestID(w, r.Request)
	w.WriteHeader(status)
	return nil
}

// An Int is a whole number that clients also send as a string.
type Int int

// UnmarshalJSONFrom reads a number or a string that holds one.
func (i *Int) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(strings.Trim(string(v), `"`))
	*i = Int(n)
	return err
}

// A Bool is a truth value that clients also send as one of the strings that OpenStack understands.
type Bool bool

// UnmarshalJSONFrom reads a boolean or one of the strings that mean one.
func (b *Bool) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	t, err := ParseBool(strings.Trim(string(v), `"`))
	*b = Bool(t)
	return err
}

// ParseBool reads a truth value as oslo's strict strutils.bool_from_string does; anything else is a 400 Error.
func ParseBool(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "1", "t", "true", "on", "y", "yes":
		return true, nil
	case "0", "f", "false", "off", "n", "no":
		return false, nil
	}
	return false, Errorf(http.StatusBadRequest, "Unrecognized value '%s', acceptable values are: '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'", s)
}

// A Page is one page of a list.
type Page[T any] struct {
	Items []T
	More  bool // there are items after it
}

// Paginate cuts a sorted list by the query's limit and marker: the page starts after the item whose id is marker and has at most
// min(limit, most) items; most 0 means no bound. Limits that are no whole number ≥ 0 and unknown markers are a 400 Error.
// A limit of 0 means none, as in Neutron and Nova.
func Paginate[T any](items []T, q url.Values, most int, id func(T) string) (Page[T], error) {
	limit, err := Limit(q, most)
	if err != nil {
		return Page[T]{}, err
	}
	if marker := q.Get("marker"); marker != "" {
		at := slices.IndexFunc(items, func(t T) bool { return id(t) == marker })
		if at < 0 {
			return Page[T]{}, Errorf(http.StatusBadRequest, "marker [%s] not found", marker)
		}
		items = items[at+1:]
	}
	if limit == 0 || limit >= len(items) {
		return Page[T]{Items: items}, nil
	}
	return Page[T]{items[:limit], true}, nil
}

// Limit reads the query's limit, bounded by most; 0 means no limit.
func Limit(q url.Values, most int) (int, error) {
	s := q.Get("limit")
	if s == "" {
		return most, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, Errorf(http.StatusBadRequest, "limit param must be an integer")
	}
	if n < 0 {
		return 0, Errorf(http.StatusBadRequest, "limit param must be positive")
	}
	if most > 0 && (n == 0 || n > most) {
		return most, nil
	}
	return n, nil
}

// NextURL gives the link to the page after the one that ends with lastID: the same query with marker replaced.
func NextURL(base string, q url.Values, lastID string) string {
	next := url.Values{}
	for k, v := range q {
		next[k] = v
	}
	next.Set("marker", lastID)
	return base + "?" + next.Encode()
}
