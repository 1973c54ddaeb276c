package gateway

import "net/http"

const requestIDHeader = "X-Stackgate-Request-Id"

// An answer is the cloud's, with our request id beside the cloud's own. It stays transparent to http.ResponseController, and so to flushing
// and hijacking.
type answer struct {
	http.ResponseWriter
	id    []string
	watch *watch
	noted func(cloudID string) // nil, or called once, before anything of the answer is sent
	begun bool
}

// newAnswer sets the id at once, for connections that are taken over, and again when the answer begins: a header of the cloud's that has
// this name does not count, and what goes before the answer (status 1xx) takes all headers with it.
func newAnswer(w http.ResponseWriter, id string, watch *watch, noted func(cloudID string)) *answer {
	a := &answer{ResponseWriter: w, id: []string{id}, watch: watch, noted: noted}
	w.Header()[requestIDHeader] = a.id
	return a
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		a.begin()
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	a.begin()
	a.watch.moved.Add(1)
	return a.ResponseWriter.Write(b)
}

func (a *answer) begin() {
	if a.begun {
		return
	}
	a.begun = true
	a.watch.phase.Store(answering)
	h := a.Header()
	h[requestIDHeader] = a.id
	if a.noted != nil {
		a.noted(h.Get("X-Openstack-Request-Id"))
	}
}
