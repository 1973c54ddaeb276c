package gateway

import (
	"net/http"
	"strconv"
)

const requestIDHeader = "X-Stackgate-Request-Id"

// An answer is the cloud's, with our request id beside the cloud's own. It stays transparent to http.ResponseController, and so to flushing
// and hijacking.
//
// It sends what it has of an answer of known length, once that may be all for a while: not the head of what will come in one piece, nor the
// end, which the server sends by itself. A ReverseProxy that is told to do this starts a timer for each answer and sends every head alone. It
// does it unasked where the length is not known.
type answer struct {
	http.ResponseWriter
	id    []string
	watch *watch
	noted func(cloudID string) // nil, or called once, before anything of the answer is sent
	begun bool
	left  int64 // of an answer of known length, what is still to come
}

// init sets the id at once, for connections that are taken over, and again when the answer begins: a header of the cloud's that has
// this name does not count, and what goes before the answer (status 1xx) takes all headers with it.
func (a *answer) init(w http.ResponseWriter, id []string, watch *watch, noted func(cloudID string)) {
	a.ResponseWriter, a.id, a.watch, a.noted = w, id, watch, noted
	w.Header()[requestIDHeader] = id
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		a.begin()
	}
	a.ResponseWriter.WriteHeader(status)
	if a.left > bufferSize {
		a.flush()
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.begin()
	a.watch.moved.Add(1)
	n, err := a.ResponseWriter.Write(b)
	if a.left > 0 && err == nil {
		if a.left -= int64(n); a.left > 0 {
			a.flush()
		}
	}
	return n, err
}

// flush sends what there is. What stands in its way stands in the way of the next Write, which says so.
func (a *answer) flush() { _ = http.NewResponseController(a.ResponseWriter).Flush() }

func (a *answer) begin() {
	if a.begun {
		return
	}
	a.begun = true
	a.watch.phase.Store(answering)
	h := a.Header()
	h[requestIDHeader] = a.id
	a.left, _ = strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if a.noted != nil {
		a.noted(h.Get("X-Openstack-Request-Id"))
	}
}
