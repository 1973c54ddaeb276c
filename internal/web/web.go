// Package web is the life of one HTTP request: limits, request id, event, panic, error path.
//
// A Pipeline wraps the whole server once. A face (a protocol) writes its endpoints as Func, which return errors, and hands
// them with its one ErrorWriter to Handler:
//
//	mux.Handle("POST /v3/auth/tokens", web.Handler(f.createToken, writeError))
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A Func serves a request or returns an error and has then written nothing.
type Func func(w http.ResponseWriter, r *http.Request) error

// An ErrorWriter writes an error in the shape of its protocol. It decides the status from the error's kind, and puts causes
// that must not be shown into the request's Event.
type ErrorWriter func(w http.ResponseWriter, r *http.Request, err error)

// Handler joins a Func and the error path of its protocol.
func Handler(f Func, writeError ErrorWriter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			writeError(w, r, err)
		}
	})
}

// Config configures a Pipeline.
type Config struct {
	Logger         *slog.Logger   // one record per request; nil: slog.Default
	TrustedProxies []netip.Prefix // peers whose X-Forwarded-For is believed
	BodyWait       time.Duration  // how long a request's body may take to arrive; 0: DefaultBodyWait
	Now            func() time.Time
	OnEvent        func(*Event) // optional: metrics
}

// DefaultBodyWait is long enough for what is read whole, which is small.
const DefaultBodyWait = 30 * time.Second

// A Pipeline wraps handlers with what every request needs.
type Pipeline struct{ c Config }

// New makes a Pipeline.
func New(c Config) *Pipeline {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.BodyWait == 0 {
		c.BodyWait = DefaultBodyWait
	}
	return &Pipeline{c}
}

// Wrap gives h an Event and a request id, gives the body so long to arrive, whether h reads it or net/http throws it away, answers 500 without details when it panics, and logs the Event once.
// http.ErrAbortHandler passes through, as the standard library wants it.
func (p *Pipeline) Wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := &eventContext{Context: r.Context(), event: Event{
			RequestID: "req-" + uuid.NewString(), Start: p.c.Now(), Method: r.Method, Path: rawPath(r), Agent: cut(r.UserAgent(), 128),
			Address: clientAddr(r, p.c.TrustedProxies),
		}}
		e.recorder = recorder{ResponseWriter: w, event: &e.event}
		defer p.finish(&e.recorder, &e.event)
		if r.ContentLength != 0 {
			LimitBody(w, p.c.BodyWait)
		}
		h.ServeHTTP(&e.recorder, r.WithContext(e))
	})
}

// An eventContext is the context of a request, and in one piece what goes with it.
type eventContext struct {
	context.Context
	event    Event
	recorder recorder
}

// Value gives the Event, for EventOf.
func (c *eventContext) Value(key any) any {
	if key == (eventKey{}) {
		return &c.event
	}
	return c.Context.Value(key)
}

func (p *Pipeline) finish(rec *recorder, e *Event) {
	v := recover()
	if v != nil && v != http.ErrAbortHandler {
		e.Err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		if e.Status == 0 {
			http.Error(rec, "Internal Server Error", http.StatusInternalServerError)
		}
	}
	if e.Status == 0 {
		e.Status = http.StatusOK
	}
	if p.c.OnEvent != nil {
		p.c.OnEvent(e)
	}
	e.log(p.c.Logger, p.c.Now())
	if v == http.ErrAbortHandler {
		panic(v)
	}
}

// recorder notes status and size. It stays transparent to http.ResponseController, and so to flushing and hijacking.
type recorder struct {
	http.ResponseWriter
	event *Event
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		r.event.Status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.event.Status == 0 {
		r.event.Status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.event.Bytes += int64(n)
	return n, err
}

// clientAddr walks X-Forwarded-For from the right for as long as the hops are trusted proxies.
func clientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	addr = addr.Unmap().WithZone("")
	if !contains(trusted, addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && contains(trusted, addr); i-- {
		hop := strings.TrimSpace(hops[i])
		if hop == "" {
			break
		}
		next, err := netip.ParseAddr(hop)
		if err != nil {
			return netip.Addr{} // a trusted proxy says something we cannot read: unknown, not guessed
		}
		addr = next.Unmap().WithZone("")
	}
	return addr
}

func contains(ps []netip.Prefix, a netip.Addr) bool {
	for _, p := range ps {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func rawPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return cut(path, 512)
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// An Error is a request that HTTP itself, not a face's rules, refuses: too large, unreadable, malformed JSON.
type Error struct {
	Status  int
	Message string // public
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// AsError finds an Error in err.
func AsError(err error) (*Error, bool) { return errors.AsType[*Error](err) }
