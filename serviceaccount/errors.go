package serviceaccount

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// The kinds of errors, for errors.Is.
var (
	ErrConfig          = errors.New("the configuration cannot be used")              // something is missing, contradictory or not readable
	ErrUnauthenticated = errors.New("the credentials are refused")                   // wrong, revoked, expired or disabled
	ErrNoAccess        = errors.New("no access to the project")                      // the credentials are good, and hold no role there
	ErrNotFound        = errors.New("the address or the identity provider is wrong") // 404: nothing of that name is there
	ErrRateLimited     = errors.New("too many logins")
	ErrUnavailable     = errors.New("the cloud cannot be reached") // network, TLS, time-out, 5xx
	ErrProtocol        = errors.New("the answer is not understood")
)

// A Step is one of the requests that make a login.
type Step string

// The four requests of an OpenID Connect login, in order; and the one request of the other logins.
const (
	StepDiscovery  Step = "discovery"  // GET the identity provider's metadata
	StepToken      Step = "token"      // POST to its token endpoint, with the secret
	StepFederation Step = "federation" // POST what came back to Keystone: an unscoped token
	StepScope      Step = "scope"      // POST /v3/auth/tokens: a token on the project
	StepLogin      Step = "login"      // POST /v3/auth/tokens with a password, an application credential or a token
)

// An Error is a request of a login that failed.
type Error struct {
	Kind      error // one of the kinds above
	Step      Step
	Method    string
	URL       string // without user, query and fragment
	Status    int    // 0: there was no answer
	Message   string // what the server said, or what is wrong with the answer
	RequestID string // for whoever runs the server
	Cause     error  // of a failed connection
}

// Error tells what was asked, and what came back.
func (e *Error) Error() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "log in (%s): %s %s", e.Step, e.Method, e.URL)
	switch {
	case e.Status != 0:
		_, _ = fmt.Fprintf(&b, " answered %d %s: %s", e.Status, http.StatusText(e.Status), e.Message)
	case e.Cause != nil:
		_, _ = fmt.Fprintf(&b, ": %v", e.Cause)
	default:
		b.WriteString(": " + e.Message)
	}
	if e.RequestID != "" {
		b.WriteString(" (request id " + e.RequestID + ")")
	}
	return b.String()
}

// Unwrap gives kind and cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// configError is wrong configuration, in a sentence.
func configError(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrConfig, fmt.Errorf(format, args...))
}

// kindOf says what a status means at a step. Keystone answers 401 when the account has no role on the project; and it answers 404, not
// 401, for a token that it does not know.
func kindOf(step Step, status int) error {
	switch {
	case status == http.StatusTooManyRequests:
		return ErrRateLimited
	case status >= 500:
		return ErrUnavailable
	case step == StepScope && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return ErrNoAccess
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return ErrUnauthenticated
	case step == StepToken && status == http.StatusBadRequest:
		return ErrUnauthenticated // RFC 6749 §5.2: invalid_grant and the like
	case status == http.StatusNotFound:
		return ErrNotFound
	}
	return ErrProtocol
}

// unreachable wraps a failed connection. The URL, which may have a user and a password in it, is cut out of the cause.
func (e *Error) unreachable(ctx context.Context, err error) *Error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer in time: %w", err)
	}
	e.Kind, e.Cause = ErrUnavailable, err
	return e
}
