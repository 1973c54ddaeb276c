package keystone

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/web"
)

// A refusal is an error that Identity v3 has a status and a text of its own for.
type refusal struct {
	status  int
	message string
	methods bool   // tell which methods there are
	bearer  string // what is wrong with the bearer token, for the challenge (RFC 6750 §3)
	decided string // for the event; default: the message
}

// Error gives the message.
func (e *refusal) Error() string { return e.message }

// The texts that clients and services know.
const (
	msgUnauthorized = "The request you have made requires authentication."
	msgForbidden    = "You are not authorized to perform the requested action"
	msgMalformed    = "The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error."
	msgNotAToken    = "Could not recognize Fernet token"
	msgDeadToken    = "Failed to validate token"
	msgInternal     = "An unexpected error prevented the server from fulfilling your request."
)

func unauthorized(why string) error {
	return &refusal{status: http.StatusUnauthorized, message: msgUnauthorized, decided: why}
}

func forbidden(why string) error {
	return &refusal{status: http.StatusForbidden, message: msgForbidden + ".", decided: why}
}

// policyRefusal is a 403 that names the rule of the request, as oslo.policy has it.
func policyRefusal(p params) error {
	message := msgForbidden + ": " + p.rule + "."
	return &refusal{status: http.StatusForbidden, message: message, decided: "not among what a service account may do here"}
}

func notFound(format string, args ...any) error {
	return &refusal{status: http.StatusNotFound, message: fmt.Sprintf(format, args...)}
}

// expecting is the 400 for something missing from the request.
func expecting(what, where string) error {
	return &refusal{status: http.StatusBadRequest, message: "Expecting to find " + what + " in " + where + ". " + msgMalformed}
}

func badBearer(why string) error {
	return &refusal{
		status: http.StatusUnauthorized, message: "The bearer token was refused: " + why + ". " + msgUnauthorized,
		bearer: why, decided: "bearer: " + why,
	}
}

// statuses is the one table from kinds to statuses.
var statuses = map[iam.Kind]int{
	iam.Invalid: http.StatusBadRequest, iam.Unauthenticated: http.StatusUnauthorized, iam.Denied: http.StatusForbidden,
	iam.NotFound: http.StatusNotFound, iam.Conflict: http.StatusConflict, iam.TooLarge: http.StatusRequestEntityTooLarge,
	iam.Unavailable: http.StatusServiceUnavailable,
}

// asRefusal finds what to tell the client. An error of no kind becomes a 500 without its text.
func asRefusal(err error) *refusal {
	if e, ok := errors.AsType[*refusal](err); ok {
		return e
	}
	if e, ok := web.AsError(err); ok {
		return &refusal{status: e.Status, message: e.Message}
	}
	kind := iam.KindOf(err)
	switch kind {
	case "":
		return &refusal{status: http.StatusInternalServerError, message: msgInternal, decided: "error"}
	case iam.Unauthenticated: // why is nobody's business but the log's
		return &refusal{status: http.StatusUnauthorized, message: msgUnauthorized, decided: err.Error()}
	case iam.Unavailable:
		return &refusal{status: http.StatusServiceUnavailable, message: "The identity service cannot answer just now. Try again in a moment."}
	}
	return &refusal{status: statuses[kind], message: publicMessage(err, kind)}
}

func publicMessage(err error, kind iam.Kind) string {
	if e, ok := errors.AsType[*iam.Error](err); ok {
		return e.Message
	}
	return "The request failed: " + string(kind) + "."
}

// commonHeaders sets what every answer carries.
func (s *Server) commonHeaders(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Vary", "X-Auth-Token")
	h.Set("X-Openstack-Request-Id", web.RequestID(r))
}

// writeError is the one place where an error becomes an answer.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := asRefusal(err)
	event := web.EventOf(r.Context())
	event.Decision = e.decided
	if event.Decision == "" {
		event.Decision = e.message
	}
	if e.status >= http.StatusInternalServerError {
		event.Err = err
	}
	switch {
	case e.status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	case e.bearer != "":
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token", error_description="JWT token could not be validated"`)
	case e.status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", s.challenge)
	}
	send(w, e.status, appendError(nil, e))
}

func appendError(b []byte, e *refusal) []byte {
	b = append(b, `{"error":{"code":`...)
	b = strconv.AppendInt(b, int64(e.status), 10)
	if e.methods {
		names, _ := json.Marshal(methodNames()) // strings do not fail
		b = append(append(append(b, `,"identity":{"methods":`...), names...), '}')
	}
	b = appendString(append(b, `,"message":`...), e.message)
	b = appendString(append(b, `,"title":`...), http.StatusText(e.status))
	return append(b, "}}\n"...)
}

// appendString appends s as a JSON string; what is not UTF-8 in it is replaced.
func appendString(b []byte, s string) []byte {
	b, err := jsontext.AppendQuote(b, s)
	if err != nil {
		b, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(s, "\uFFFD"))
	}
	return b
}

// send writes a JSON answer with its length: clients of HEAD want it too.
func send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is no error of ours
}

// writeNoRoute answers a path that does not exist, in HTML as the original's web framework does.
func writeNoRoute(w http.ResponseWriter) {
	const text = "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again."
	body := "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>" + html.EscapeString(text) + "</p>\n"
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte(body))
}

// writeWrongMethod answers a method that the path does not have.
func writeWrongMethod(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	send(w, http.StatusMethodNotAllowed, []byte(`{"message": "The method is not allowed for the requested URL."}`+"\n"))
}
