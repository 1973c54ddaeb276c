package oidc

import (
	"errors"
	"net/http"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/web"
)

// A failure is an error response of RFC 6749 §5.2. Its sentence never repeats what was sent, and keeps to the characters that
// error_description may have: ASCII without quotation marks and backslashes.
type failure struct {
	status int
	code   string
	title  string
}

func (f *failure) Error() string { return f.code + ": " + f.title }

var errNotFound = &failure{http.StatusNotFound, "not_found", "Nothing is at this address"}

// errClient is the one answer to an unknown client, a wrong, expired or missing secret, and a disabled account (threat O15).
var errClient = &failure{http.StatusUnauthorized, "invalid_client",
	"Invalid client credentials: unknown service account or wrong secret"}

func invalidRequest(title string) error {
	return &failure{http.StatusBadRequest, "invalid_request", title}
}

// failureOf is the table from kinds of errors to answers. What has no kind is internal.
func failureOf(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := web.AsError(err); ok {
		return &failure{e.Status, "invalid_request", e.Message}
	}
	switch iam.KindOf(err) {
	case iam.Unauthenticated:
		return errClient
	case iam.Invalid, iam.Conflict:
		return &failure{http.StatusBadRequest, "invalid_request", "The request cannot be understood"}
	case iam.Denied:
		return &failure{http.StatusForbidden, "access_denied", "This service account may not have a token"}
	case iam.NotFound:
		return errNotFound
	case iam.TooLarge:
		return &failure{http.StatusRequestEntityTooLarge, "invalid_request", "The request is too large"}
	case iam.Unavailable:
		return &failure{http.StatusServiceUnavailable, "temporarily_unavailable", "The service cannot answer now: try again in a moment"}
	}
	return &failure{http.StatusInternalServerError, "server_error", "Internal error: the server's log has the cause under this request id"}
}

// answer is RFC 6749's members for OAuth libraries and, because OpenStack clients read nothing in those, the list of the OpenStack
// API guidelines with the same sentence.
type answer struct {
	Error       string   `json:"error"`
	Description string   `json:"error_description"`
	Errors      []detail `json:"errors"`
}

type detail struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

func writeError(w http.ResponseWriter, r *http.Request, err error) {
	f, e := failureOf(err), web.EventOf(r.Context())
	e.Decision = f.code
	if f.status >= http.StatusInternalServerError {
		e.Err = err
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	if f.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Basic realm="stackgate"`)
	}
	if f.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	body := answer{f.code, f.title, []detail{{f.status, f.code, f.title, f.title}}}
	if err := web.WriteJSON(w, f.status, body); err != nil {
		e.Err = errors.Join(e.Err, err)
	}
}
