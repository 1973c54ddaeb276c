package iam

import (
	"errors"
	"fmt"
)

// A Kind is what went wrong, coarsely and without any protocol in it. Kinds are errors, so errors.Is(err, iam.NotFound) works.
// Each face has one table from Kind to its status and code. An error without a Kind is internal: its text never
// leaves the process.
type Kind string

// The kinds.
const (
	Invalid         Kind = "invalid"         // the request cannot be understood or breaks a rule of its form
	Unauthenticated Kind = "unauthenticated" // nobody we know, or no longer
	Denied          Kind = "denied"          // known, but may not
	NotFound        Kind = "not found"
	Conflict        Kind = "conflict"    // contradicts what is stored
	TooLarge        Kind = "too large"   // over a documented bound
	Unavailable     Kind = "unavailable" // cannot be answered now; a later try may succeed
)

// Kinds lists every Kind, so that a face can prove its table complete.
func Kinds() []Kind {
	return []Kind{Invalid, Unauthenticated, Denied, NotFound, Conflict, TooLarge, Unavailable}
}

// Error makes a Kind usable with errors.Is.
func (k Kind) Error() string { return string(k) }

// An Error has a kind, a message that may be shown to whoever asked, and a cause that may not.
type Error struct {
	Kind    Kind
	Message string   // public; a sentence that says what to do; holds no secret
	Code    string   // public, optional: a stable specific code, e.g. INVALID_RESOURCE_URN
	Actions []Action // public, with Denied: the actions that IAM did not grant
	Err     error    // the cause, for the log only
}

// Error gives the full text, with the cause: for logs, not for clients.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Kind, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Kind, e.Message)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is e's Kind.
func (e *Error) Is(target error) bool { return target == error(e.Kind) }

// Errorf makes an Error of a kind; the formatted text is public. A %w argument becomes the cause, but its text is then public
// too: wrap only errors whose text may be shown.
func Errorf(kind Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), Err: errors.Unwrap(err)}
}

// KindOf gives the kind of err, or "" for an internal error and for nil.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	if k, ok := errors.AsType[Kind](err); ok {
		return k
	}
	return ""
}
