package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gophercloud/gophercloud/v2"
)

// wire speaks Identity v3 as an administrator. gophercloud has no calls for most of federation, so all are made here.
type wire struct{ client *gophercloud.ServiceClient }

type domain struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Enabled     bool   `json:"enabled"`
}

type role struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DomainID    string `json:"domain_id"`
	Description string `json:"description"`
}

type group struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

type project struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
}

type identityProvider struct {
	ID          string   `json:"id"`
	Description string   `json:"description"`
	DomainID    string   `json:"domain_id"`
	Enabled     bool     `json:"enabled"`
	RemoteIDs   []string `json:"remote_ids"`
}

type mapping struct {
	ID    string `json:"id"`
	Rules any    `json:"rules"`
}

type protocol struct {
	ID        string  `json:"id"`
	Mapping   string  `json:"mapping_id"`
	Attribute *string `json:"remote_id_attribute"`
}

type inference struct {
	Prior   role   `json:"prior_role"`
	Implies []role `json:"implies"`
}

type assignment struct {
	Role  reference `json:"role"`
	Group reference `json:"group"` // empty: it is a user's
}

type reference struct {
	ID string `json:"id"`
}

// A body is what all of them come and go in: one member that names the kind.
type body map[string]jsontext.Value

// address joins a path of the Identity API.
func (w wire) address(path []string) string {
	escaped := make([]string, len(path))
	for i, p := range path {
		escaped[i] = url.PathEscape(p)
	}
	return w.client.ServiceURL(escaped...)
}

// read gets what is at a path into out, under its member name; found is false for 404.
func read[T any](ctx context.Context, w wire, member string, query url.Values, path ...string) (out T, found bool, err error) {
	target := w.address(path)
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	answer, err := w.do(ctx, http.MethodGet, target, nil)
	if gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		return out, false, nil
	}
	if err != nil {
		return out, false, explain(http.MethodGet, target, err)
	}
	if string(answer["truncated"]) == "true" {
		return out, false, fmt.Errorf("the Keystone cuts its lists short (list_limit in keystone.conf): nothing can be compared with a part of %s", path[len(path)-1])
	}
	return out, true, answer.member(member, &out)
}

// send makes a change. in and out are under the same member name; each may be nil.
func (w wire) send(ctx context.Context, method, member string, in, out any, path ...string) error {
	target := w.address(path)
	var question any
	if in != nil {
		question = map[string]any{member: in}
	}
	answer, err := w.do(ctx, method, target, question)
	if err != nil {
		return explain(method, target, err)
	}
	if out == nil {
		return nil
	}
	return answer.member(member, out)
}

func (b body) member(name string, out any) error {
	if err := json.Unmarshal(b[name], out); err != nil {
		return fmt.Errorf("the Keystone's answer has no %s that can be read: %w", name, err)
	}
	return nil
}

// do makes one request. An answer without a body is an empty one.
func (w wire) do(ctx context.Context, method, target string, in any) (answer body, err error) {
	opts := &gophercloud.RequestOpts{OkCodes: []int{200, 201, 204}, KeepResponseBody: true}
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		opts.RawBody, opts.MoreHeaders = bytes.NewReader(text), map[string]string{"Content-Type": "application/json"}
	}
	resp, err := w.client.Request(ctx, method, target, opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode == http.StatusNoContent {
		return nil, nil
	}
	return answer, json.UnmarshalRead(resp.Body, &answer)
}

// explain gives Keystone's own words instead of its whole answer.
func explain(method, target string, err error) error {
	var refused gophercloud.ErrUnexpectedResponseCode
	if !errors.As(err, &refused) {
		return fmt.Errorf("%s %s: %w", method, target, err)
	}
	var said struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	text := http.StatusText(refused.Actual)
	if json.Unmarshal(refused.Body, &said) == nil && said.Error.Message != "" {
		text = strings.Join(strings.Fields(said.Error.Message), " ")
	}
	switch refused.Actual {
	case http.StatusForbidden:
		text += " The login of --cloud must be an administrator's."
	case http.StatusConflict:
		text += " Something changed since the plan was made: run it again."
	}
	return fmt.Errorf("%s %s: %d %s", method, target, refused.Actual, text)
}
