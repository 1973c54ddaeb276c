package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ReadBody reads at most limit bytes; more is a 413 Error, a broken body a 400 one. After either the connection ends with the
// answer, which otherwise would wait for the rest of the body.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		w.Header().Set("Connection", "close")
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &Error{http.StatusRequestEntityTooLarge, fmt.Sprintf("The request body is larger than %d bytes.", limit)}
	}
	if err != nil {
		return nil, &Error{http.StatusBadRequest, "The request body could not be read to its end."}
	}
	return b, nil
}

// Strictness is how Decode treats members that dst does not have.
type Strictness bool

// Unknown members are refused by our own APIs and ignored where Keystone ignores them.
const (
	RefuseUnknown Strictness = true
	IgnoreUnknown Strictness = false
)

// LimitBody says how long the body may take to arrive from now on; 0: as long as it likes. A handler that streams it lifts the Pipeline's limit,
// and sees for itself that it moves.
func LimitBody(w http.ResponseWriter, wait time.Duration) {
	var end time.Time
	if wait != 0 {
		end = time.Now().Add(wait)
	}
	_ = http.NewResponseController(w).SetReadDeadline(end) // a writer without deadlines has no connection that could stall
}

// Decode parses one JSON value strictly: duplicate members, invalid UTF-8, trailing data and other than exact member names
// are a 400 Error whose text says where.
func Decode(data []byte, dst any, unknown Strictness) error {
	err := json.Unmarshal(data, dst, json.RejectUnknownMembers(bool(unknown)))
	if err == nil {
		return nil
	}
	return &Error{http.StatusBadRequest, "The request body is not the JSON expected: " + describe(data, err) + "."}
}

func describe(data []byte, err error) string {
	if len(bytes.TrimSpace(data)) == 0 {
		return "it is empty"
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		if errors.Is(err, json.ErrUnknownName) {
			return fmt.Sprintf("unknown member %q", string(e.JSONPointer))
		}
		want := "another type"
		if e.GoType != nil {
			want = typeName(e.GoType)
		}
		if e.JSONPointer == "" {
			return "it must be " + want
		}
		return fmt.Sprintf("member %q must be %s", string(e.JSONPointer), want)
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		e, _ := errors.AsType[*jsontext.SyntacticError](err)
		return fmt.Sprintf("member %q appears twice", string(e.JSONPointer))
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf("syntax error at byte %d", e.ByteOffset)
	}
	return "it cannot be read"
}

func typeName(t reflect.Type) string {
	if t == reflect.TypeFor[time.Time]() {
		return "a time such as 2026-01-31T12:00:00Z"
	}
	switch t.Kind().String() {
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	case "slice", "array":
		return "an array"
	case "struct", "map":
		return "an object"
	case "float32", "float64":
		return "a number"
	}
	return "a whole number"
}

// WriteJSON writes v with a status. A nil v writes null, as OVHcloud's API does for empty answers.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v, json.Deterministic(true), json.FormatNilSliceAsNull(false))
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that went away is no error of ours
	return nil
}
