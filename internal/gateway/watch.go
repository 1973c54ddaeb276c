package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// running is every call under way. Each that lasts is judged again and again, and cut when what allowed it is gone. All share one timer,
// so that a call which is soon over costs next to nothing.
type running struct {
	server *Server
	mu     sync.Mutex // guards what follows, and the links and stopped of every watch
	first  *call
	timer  *time.Timer // runs while there is a first
}

// A watch is a call's place among those running.
type watch struct {
	prev, next *call
	stopped    bool

	ctx    context.Context // ends with the request
	cancel context.CancelCauseFunc
	w      http.ResponseWriter
	addr   netip.Addr
	since  time.Time

	answer  time.Duration // how long the answer may take to begin; 0: for ever
	idle    time.Duration // how long nothing may move while a body should; 0: for ever
	pause   time.Duration // the same of the client's body
	phase   atomic.Int32
	reading atomic.Bool   // from the client, which it may be waiting for
	moved   atomic.Uint64 // goes up whenever something moves
	seen    seen          // belongs to check
}

// seen is what check has seen last that was new.
type seen struct {
	at    time.Time
	phase int32
	moved uint64
}

// The phases of a call.
const (
	waiting   int32 = iota // for the answer to begin
	sending                // the client's body
	receiving              // the answer's header is here, and nothing of it has been sent on
	answering
	upgraded // a WebSocket may be silent
)

// errStalled is why a call is cancelled in which the cloud has stopped moving.
var errStalled = errors.New("nothing has moved for longer than the limit")

func (r *running) init(s *Server) {
	r.server = s
	r.timer = time.AfterFunc(time.Hour, r.check)
	r.timer.Stop()
}

func (r *running) add(c *call, w http.ResponseWriter, addr netip.Addr, ctx context.Context) {
	c.watch.ctx, c.watch.w, c.watch.addr, c.watch.since = ctx, w, addr, time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first == nil {
		r.timer.Reset(r.server.c.Recheck)
	} else {
		r.first.watch.prev = c
	}
	c.watch.next, r.first = r.first, c
}

// remove ends a call's watch. Its connection may then serve another request, which nothing of this one may cut.
func (r *running) remove(c *call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.watch.stopped = true
	if c.watch.prev != nil {
		c.watch.prev.watch.next = c.watch.next
	} else {
		r.first = c.watch.next
	}
	if c.watch.next != nil {
		c.watch.next.watch.prev = c.watch.prev
	}
	c.watch.prev, c.watch.next = nil, nil
}

// atOnce is how many calls are judged again at the same time: one may have to wait for the database.
const atOnce = 32

// check judges what has been running for long enough, without holding anybody up.
func (r *running) check() {
	var wg sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for _, c := range r.lasting(time.Now().Add(-r.server.c.Recheck)) {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			switch {
			case !r.server.stillAllowed(c):
				r.cut(c)
			case c.watch.stalled(time.Now()):
				r.giveUp(c)
			}
		})
	}
	wg.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first != nil {
		r.timer.Reset(r.server.c.Recheck)
	}
}

// lasting gives the calls that have been running since before then.
func (r *running) lasting(then time.Time) []*call {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*call
	for c := r.first; c != nil; c = c.watch.next {
		if !c.watch.since.After(then) {
			list = append(list, c)
		}
	}
	return list
}

// cut makes every further read and write of the client's connection fail, which ends what an in-process cloud or a proxy does, and cancels
// what would not notice: an upload, and a connection that was taken over.
func (r *running) cut(c *call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.watch.stopped {
		return
	}
	if c.watch.cancel != nil {
		c.watch.cancel(nil)
	}
	past := time.Unix(1, 0)
	rc := http.NewResponseController(c.watch.w)
	_ = rc.SetReadDeadline(past) // a writer without deadlines has no connection to cut
	_ = rc.SetWriteDeadline(past)
}

// giveUp ends a call that stands still. Where it is the cloud that does not go on, and the client has nothing of an answer yet, it gets one.
func (r *running) giveUp(c *call) {
	phase := c.watch.phase.Load()
	if phase == answering || phase == sending && c.watch.reading.Load() {
		r.cut(c)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !c.watch.stopped {
		c.watch.cancel(errStalled)
	}
}

// stalled reports whether nothing has moved for too long in a phase in which something should.
func (w *watch) stalled(now time.Time) bool {
	is := seen{w.seen.at, w.phase.Load(), w.moved.Load()}
	if is != w.seen || is.at.IsZero() {
		is.at = now
		w.seen = is
		return false
	}
	limit := w.idle
	switch is.phase {
	case waiting:
		limit = w.answer
	case sending:
		limit = w.pause
	case upgraded:
		return false
	}
	return limit > 0 && now.Sub(is.at) >= limit
}

// stillAllowed asks again what authenticate and judge asked. Every error is a no.
func (s *Server) stillAllowed(c *call) bool {
	if c.open {
		return c.decision.Project == "" || s.c.KnownProject(c.decision.Project)
	}
	b, err := c.bearer, error(nil)
	if s.c.Still != nil {
		err = s.c.Still(c.watch.ctx, b)
	} else {
		b, err = s.c.Open(c.watch.ctx, c.token)
	}
	if err != nil {
		return false
	}
	roles, err := s.c.Roles(c.watch.ctx, b, c.watch.addr)
	return err == nil && c.decision.Allows(roles)
}
