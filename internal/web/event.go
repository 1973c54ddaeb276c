package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"
)

// An Event is the one record of one request: filled in as it is served, logged once at its end. It holds no secret, no token
// and no query string. A request is served by one goroutine, which owns its Event.
type Event struct {
	RequestID string
	Start     time.Time
	Method    string
	Path      string // raw, without the query: signatures and tokens travel there
	Address   netip.Addr
	Agent     string
	Caller    string // URN of the identity, once known
	Operation string // what was asked, as the face names it
	Decision  string // granted, or why not
	Status    int
	Bytes     int64
	Err       error // internal cause; never shown to the client
	attrs     []slog.Attr
}

// Add puts further attributes into the record.
func (e *Event) Add(attrs ...slog.Attr) { e.attrs = append(e.attrs, attrs...) }

type eventKey struct{}

// WithEvent gives a context in which EventOf gives e, for what is judged without having come in.
func WithEvent(ctx context.Context, e *Event) context.Context {
	return context.WithValue(ctx, eventKey{}, e)
}

// EventOf gives the request's Event. Outside of a Pipeline it gives a throw-away one, so that callers need no check.
func EventOf(ctx context.Context) *Event {
	if e, ok := ctx.Value(eventKey{}).(*Event); ok {
		return e
	}
	return &Event{}
}

// RequestID gives the request's id: req- and a random UUID.
func RequestID(r *http.Request) string { return EventOf(r.Context()).RequestID }

// ClientAddr gives the address of whoever presents the request: the peer, or, through trusted proxies, the rightmost hop that is
// not one of them. Invalid if it cannot be known.
func ClientAddr(r *http.Request) netip.Addr { return EventOf(r.Context()).Address }

func (e *Event) log(l *slog.Logger, now time.Time) {
	level := slog.LevelInfo
	if e.Err != nil {
		level = slog.LevelError
	}
	if !l.Enabled(context.Background(), level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 16),
		slog.String("request_id", e.RequestID), slog.String("method", e.Method), slog.String("path", e.Path),
		slog.Int("status", e.Status), slog.Int64("bytes", e.Bytes), slog.Duration("latency", now.Sub(e.Start)),
		slog.String("address", e.Address.String()), slog.String("agent", e.Agent))
	for _, a := range [...]struct{ k, v string }{{"caller", e.Caller}, {"operation", e.Operation}, {"decision", e.Decision}} {
		if a.v != "" {
			attrs = append(attrs, slog.String(a.k, a.v))
		}
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	rec := slog.NewRecord(now, level, "request", 0) // without its place in the code, which is the same for all and costs much
	rec.AddAttrs(append(attrs, e.attrs...)...)
	_ = l.Handler().Handle(context.Background(), rec) // as slog itself does: there is nowhere to tell of it
}
