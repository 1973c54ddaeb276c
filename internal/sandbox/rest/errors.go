package rest

import (
	"errors"
	"fmt"
	"html"
	"net/http"

	"github.com/stackgate/stackgate/internal/web"
)

// An Error is an answer other than success: the status, the service's own name for what is wrong, and a sentence for the client.
type Error struct {
	Status  int
	Type    string // Neutron's exception name; "" lets the writer choose one by status
	Message string
	Detail  string
}

func (e *Error) Error() string { return e.Message }

// Errorf makes an Error.
func Errorf(status int, format string, args ...any) *Error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...)}
}

// TypedErrorf makes an Error with a type, for Neutron.
func TypedErrorf(status int, kind, format string, args ...any) *Error {
	return &Error{Status: status, Type: kind, Message: fmt.Sprintf(format, args...)}
}

// asError gives what may be shown of err; anything that is not meant for a client goes into the request's event.
func asError(r *http.Request, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*web.Error](err); ok {
		return Errorf(e.Status, "%s", e.Message)
	}
	web.EventOf(r.Context()).Err = err
	return Errorf(http.StatusInternalServerError, "Unexpected API Error.")
}

// NovaError writes err as Nova does: one object named after the kind of fault. Cinder's faults have the same shape.
func NovaError(w http.ResponseWriter, r *http.Request, err error) {
	e := asError(r, err)
	SetRequestID(w, r, "X-Compute-Request-Id")
	writeErrorBody(w, e.Status, map[string]any{faultName(e.Status): map[string]any{"code": e.Status, "message": e.Message}})
}

// CinderError writes err as Cinder does.
func CinderError(w http.ResponseWriter, r *http.Request, err error) {
	e := asError(r, err)
	SetRequestID(w, r, "X-Compute-Request-Id")
	writeErrorBody(w, e.Status, map[string]any{faultName(e.Status): map[string]any{"code": e.Status, "message": e.Message}})
}

func faultName(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "badRequest"
	case http.StatusUnauthorized:
		return "unauthorized"
	case http.StatusForbidden:
		return "forbidden"
	case http.StatusNotFound:
		return "itemNotFound"
	case http.StatusMethodNotAllowed:
		return "badMethod"
	case http.StatusConflict:
		return "conflictingRequest"
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return "overLimit"
	case http.StatusUnsupportedMediaType:
		return "badMediaType"
	case http.StatusNotImplemented:
		return "notImplemented"
	case http.StatusServiceUnavailable:
		return "serviceUnavailable"
	}
	return "computeFault"
}

// NeutronError writes err as Neutron does: type, message, detail.
func NeutronError(w http.ResponseWriter, r *http.Request, err error) {
	e := asError(r, err)
	SetRequestID(w, r)
	kind := e.Type
	if kind == "" {
		kind = neutronType(e.Status)
	}
	writeErrorBody(w, e.Status, map[string]any{"NeutronError": map[string]string{"type": kind, "message": e.Message, "detail": e.Detail}})
}

func neutronType(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "HTTPBadRequest"
	case http.StatusForbidden:
		return "PolicyNotAuthorized"
	case http.StatusNotFound:
		return "HTTPNotFound"
	case http.StatusMethodNotAllowed:
		return "HTTPMethodNotAllowed"
	case http.StatusConflict:
		return "HTTPConflict"
	}
	return "HTTPInternalServerError"
}

// GlanceError writes err as Glance does: a small HTML page with the status and the sentence.
func GlanceError(w http.ResponseWriter, r *http.Request, err error) {
	e := asError(r, err)
	SetRequestID(w, r)
	title := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	body := fmt.Sprintf("<html>\n <head>\n  <title>%[1]s</title>\n </head>\n <body>\n  <h1>%[1]s</h1>\n  %[2]s<br /><br />\n\n\n </body>\n</html>",
		title, html.EscapeString(e.Message))
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(e.Status)
	_, _ = w.Write([]byte(body)) // a client that went away is no error of ours
}

// JSONError writes err as {"message": …}, for services of a newer kind.
func JSONError(w http.ResponseWriter, r *http.Request, err error) {
	e := asError(r, err)
	SetRequestID(w, r)
	writeErrorBody(w, e.Status, map[string]any{"message": e.Message})
}

func writeErrorBody(w http.ResponseWriter, status int, body any) {
	_ = web.WriteJSON(w, status, body) // maps of strings and numbers always encode
}
