package cli

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A sink keeps each write, or fails.
type sink struct {
	mu     sync.Mutex
	writes []string
	fails  bool
}

func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails {
		return 0, errors.New("no space left on device")
	}
	s.writes = append(s.writes, string(b))
	return len(b), nil
}

func (s *sink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.writes, "")
}

func TestRecordsAreWrittenTogetherAndSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &sink{}
		log, flush, err := newServerLogger(to, "text", "info")
		if err != nil {
			t.Fatal(err)
		}
		defer flush()
		log.Info("one")
		log.Info("two")
		if to.text() != "" {
			t.Errorf("written alone: %q", to.text())
		}
		time.Sleep(logDelay)
		synctest.Wait()
		if len(to.writes) != 1 || strings.Count(to.text(), "\n") != 2 {
			t.Errorf("%q", to.writes)
		}
		log.Info("three")
		log.With("a", 1).WithGroup("g").Warn("four")
		if got := to.text(); !strings.Contains(got, "three") || !strings.Contains(got, "four") {
			t.Errorf("a warning waits: %q", got)
		}
		log.Info("five")
		flush()
		if !strings.Contains(to.text(), "five") {
			t.Errorf("the last record is lost: %q", to.text())
		}
	})
}

func TestNoLineIsCutAndAFullDiskIsGotOver(t *testing.T) {
	to := &sink{fails: true}
	b := newLogBuffer(to)
	line := strings.Repeat("x", 1000) + "\n"
	_, _ = b.Write([]byte(line))
	b.flush()
	to.fails = false
	for range 200 {
		if n, err := b.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	b.flush()
	if len(to.text()) != 200*len(line) {
		t.Errorf("%d bytes were written", len(to.text()))
	}
	for _, w := range to.writes {
		if len(w)%len(line) != 0 {
			t.Errorf("a write of %d bytes cuts a line", len(w))
		}
	}
}
