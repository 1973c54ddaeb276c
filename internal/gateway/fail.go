package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/stackgate/stackgate/internal/web"
)

// Why a call that was allowed is not answered by its service.
var (
	errBusy    = errors.New("as many calls are under way to this service as may be")
	errRefused = errors.New("the service does not accept the gateway's own credential")
)

// A wayError is why there is no Way.
type wayError struct{ error }

func (e *wayError) Unwrap() error { return e.error }

// retryAfter is what a client is told to wait for, in seconds. What ends sooner is not worth a storm of attempts.
const retryAfter = "5"

// fail answers when the service did not.
func (p *Proxy) fail(w http.ResponseWriter, r *http.Request, err error) {
	if cause := context.Cause(r.Context()); errors.Is(cause, errStalled) {
		err = cause
	} else if errors.Is(err, context.Canceled) {
		panic(http.ErrAbortHandler) // the client went away, or was cut off
	}
	answer := failure(err)
	if answer.status >= http.StatusInternalServerError {
		web.EventOf(r.Context()).Err = fmt.Errorf("forward: %w", err)
		w.Header().Set("Retry-After", retryAfter)
	}
	writeProblem(w, r, p.c.Service, answer, idsOf(r, p.c.Service, p.c.Now().Unix()))
}

// failure is the table from what goes wrong behind the gateway to what its client is told. A 401 of the service is about our credential: the
// client would log in again for ever if it were told.
func failure(err error) *problem {
	if _, ok := errors.AsType[clientError](err); ok {
		return badRequest("the request body could not be read to its end")
	}
	if e, ok := errors.AsType[NotServed](err); ok {
		return &problem{status: http.StatusForbidden, message: e.Message} // not 404, which tells tools that what they look after is gone
	}
	if _, ok := errors.AsType[*wayError](err); ok {
		return &problem{status: http.StatusServiceUnavailable, message: "The gateway has no access to the cloud behind it now. Its operator sees why in its log."}
	}
	if errors.Is(err, errRefused) {
		return &problem{status: http.StatusServiceUnavailable,
			message: "The cloud does not accept the gateway's own credential now; yours is valid. The operator of the gateway sees why in its log."}
	}
	if errors.Is(err, errBusy) {
		return &problem{status: http.StatusServiceUnavailable, message: "Too many calls to this service are under way. Try again."}
	}
	if e, ok := errors.AsType[net.Error](err); errors.Is(err, errStalled) || ok && e.Timeout() {
		return &problem{status: http.StatusGatewayTimeout}
	}
	return &problem{status: http.StatusBadGateway}
}
