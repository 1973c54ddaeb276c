package gateway

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
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
	cancel context.CancelFunc
	w      http.ResponseWriter
	addr   netip.Addr
	since  time.Time
}

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
			if !r.server.stillAllowed(c) {
				r.cut(c)
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
		c.watch.cancel()
	}
	past := time.Unix(1, 0)
	rc := http.NewResponseController(c.watch.w)
	_ = rc.SetReadDeadline(past) // a writer without deadlines has no connection to cut
	_ = rc.SetWriteDeadline(past)
}

// stillAllowed asks again what authenticate and judge asked. Every error is a no.
func (s *Server) stillAllowed(c *call) bool {
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
