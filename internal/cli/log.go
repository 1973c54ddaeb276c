package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

func newLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log_level must be debug, info, warn or error, not %q", level)
	}
	o := &slog.HandlerOptions{Level: l}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	}
	return nil, fmt.Errorf("log_format must be json or text, not %q", format)
}

// newServerLogger is newLogger for what serves many requests a second: records of requests are written together, at the latest after
// logDelay. A warning or an error is written at once, with all before it. flush writes what is left.
func newServerLogger(w io.Writer, format, level string) (log *slog.Logger, flush func(), err error) {
	b := newLogBuffer(w)
	log, err = newLogger(b, format, level)
	if err != nil {
		return nil, nil, err
	}
	return slog.New(promptHandler{log.Handler(), b}), b.flush, nil
}

// A promptHandler does not leave a record in the buffer that somebody may be waiting for.
type promptHandler struct {
	slog.Handler
	buffer *logBuffer
}

func (h promptHandler) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		h.buffer.flush()
	}
	return err
}

func (h promptHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return promptHandler{h.Handler.WithAttrs(attrs), h.buffer}
}

func (h promptHandler) WithGroup(name string) slog.Handler {
	return promptHandler{h.Handler.WithGroup(name), h.buffer}
}

// logDelay is how late a record may be written, and logBuffered how many bytes are written at once.
const (
	logDelay    = 100 * time.Millisecond
	logBuffered = 64 << 10
)

// A logBuffer joins lines to fewer, larger writes, and cuts none: a system call for each line costs a small request several percent.
type logBuffer struct {
	mu      sync.Mutex
	to      io.Writer
	w       *bufio.Writer // to it
	timer   *time.Timer
	waiting bool // the timer runs
}

func newLogBuffer(w io.Writer) *logBuffer {
	b := &logBuffer{to: w, w: bufio.NewWriterSize(w, logBuffered)}
	b.timer = time.AfterFunc(time.Hour, b.flush)
	b.timer.Stop()
	return b
}

// Write takes one line.
func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.w.Available() < len(line) {
		b.empty()
	}
	if !b.waiting {
		b.waiting = true
		b.timer.Reset(logDelay)
	}
	return b.w.Write(line)
}

func (b *logBuffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = false
	b.timer.Stop()
	b.empty()
}

// empty writes what there is. A bufio.Writer stays broken after an error, but a full disk may have room again: what was lost is lost, as it is
// where nothing is buffered, and later lines are tried again.
func (b *logBuffer) empty() {
	if b.w.Flush() != nil {
		b.w.Reset(b.to)
	}
}
