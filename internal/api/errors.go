package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/web"
)

// An Error is the body of every refusal.
type Error struct {
	Class   string            `json:"class"` // Client::<HttpReason>[::<SPECIFIC>]
	Message string            `json:"message"`
	Details map[string]string `json:"details,omitempty"`
}

// notGranted is OVHcloud's sentence for a missing IAM action; programs look for it.
const notGranted = "User not granted for this request"

// The members of Details of a refusal by policy. Several actions are joined by commas.
const (
	byAuthentication = "unauthorizedActionsByAuthentication"
	byIAM            = "unauthorizedActionsByIAM"
	because          = "reason" // ours: our own sentence, which also names the resource
)

// A row ties a kind to how the API says it.
type row struct {
	kind   iam.Kind // "" where HTTP itself refuses
	status int
	class  string
}

// answers lists every answer that is not a success. The client reads it the other way round.
func answers() []row {
	return []row{
		{iam.Invalid, http.StatusBadRequest, "Client::BadRequest"},
		{iam.Unauthenticated, http.StatusUnauthorized, "Client::Unauthorized"},
		{iam.Denied, http.StatusForbidden, "Client::Forbidden"},
		{iam.NotFound, http.StatusNotFound, "Client::NotFound"},
		{iam.Conflict, http.StatusConflict, "Client::Conflict"},
		{iam.TooLarge, http.StatusRequestEntityTooLarge, "Client::RequestEntityTooLarge"},
		{iam.Unavailable, http.StatusServiceUnavailable, "Server::ServiceUnavailable"},
		{"", http.StatusMethodNotAllowed, "Client::MethodNotAllowed"},
		{"", http.StatusInternalServerError, "Server::InternalServerError"},
	}
}

func rowOf(kind iam.Kind, status int) row {
	for _, r := range answers() {
		if kind != "" && r.kind == kind || kind == "" && r.status == status {
			return r
		}
	}
	return row{"", http.StatusInternalServerError, "Server::InternalServerError"}
}

// writeError is the one place where the API refuses. What has no kind is internal: its text goes to the event only.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	event := web.EventOf(r.Context())
	refusal := row{}
	body := Error{Message: "Something went wrong on our side; the request id finds it in our log."}
	if e, ok := web.AsError(err); ok {
		refusal = rowOf("", e.Status)
		body.Message = e.Message
	} else {
		refusal = rowOf(iam.KindOf(err), http.StatusInternalServerError)
		body = bodyOf(err, refusal, body)
	}
	if refusal.status >= 500 {
		event.Err = err
	}
	if refusal.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="management"`)
	}
	if refusal.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	event.Decision = refusal.class
	if body.Class == "" {
		body.Class = refusal.class
	}
	if err := web.WriteJSON(w, refusal.status, body); err != nil {
		event.Err = err
	}
}

// bodyOf says a domain error; otherwise it keeps the given body.
func bodyOf(err error, refusal row, otherwise Error) Error {
	if refusal.kind == "" {
		return otherwise
	}
	e := domainError(err)
	body := Error{Class: refusal.class, Message: e.Message}
	if e.Code != "" {
		body.Class += "::" + e.Code
	}
	if e.Kind == iam.Denied && len(e.Actions) > 0 {
		body.Message = notGranted
		body.Details = map[string]string{byAuthentication: "", byIAM: joinActions(e.Actions), because: e.Message}
	}
	return body
}

func joinActions(actions []iam.Action) string {
	names := make([]string, len(actions))
	for i, a := range actions {
		names[i] = string(a)
	}
	return strings.Join(names, ",")
}

// domainError finds the *iam.Error in err; a bare Kind becomes one with its name as the message.
func domainError(err error) *iam.Error {
	if e, ok := errors.AsType[*iam.Error](err); ok {
		return e
	}
	return &iam.Error{Kind: iam.KindOf(err), Message: string(iam.KindOf(err))}
}
