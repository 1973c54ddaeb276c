package registry

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/store"
)

// fresh reports iam.Unavailable when memory cannot be trusted any more. Normally Run has polled a moment ago and there is nothing to do.
// Without Run, and as a last try before refusing, it polls itself.
func (r *Registry) fresh(ctx context.Context, now time.Time) error {
	trusted := r.pollInterval
	if r.running.Load() {
		trusted = max(r.maxStaleness, 5*r.pollInterval)
	}
	if r.within(&r.polled, now, trusted) && (r.maxStaleness > 0 || !r.away.Load()) {
		return nil
	}
	err := error(nil)
	if !r.away.Load() || !r.within(&r.attempted, now, r.pollInterval) {
		err = r.pollSoon(ctx)
	}
	if (err != nil || r.away.Load()) && !r.within(&r.polled, now, r.maxStaleness) {
		return &iam.Error{Kind: iam.Unavailable, Message: "The database cannot be reached. Try again later.", Err: err}
	}
	return nil
}

// within reports whether the time in t is no further from now than d. A clock that was set back makes it false.
func (r *Registry) within(t *atomic.Int64, now time.Time, d time.Duration) bool {
	age := now.UnixNano() - t.Load()
	return age >= 0 && d > 0 && age <= int64(d)
}

// pollSoon polls, or waits for the poll that is under way, so that a database that hangs is asked once and not once per request.
func (r *Registry) pollSoon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, inlinePollTimeout)
	defer cancel()
	before := r.polls.Load()
	r.pollMu.Lock()
	defer r.pollMu.Unlock()
	if r.polls.Load() != before {
		return nil // what came of it is in r.away and r.polled
	}
	return r.pollLocked(ctx)
}

// poll reads the changes that others made and drops what they name.
func (r *Registry) poll(ctx context.Context) error {
	r.pollMu.Lock()
	defer r.pollMu.Unlock()
	return r.pollLocked(ctx)
}

func (r *Registry) pollLocked(ctx context.Context) error {
	defer r.polls.Add(1)
	start := r.now().UnixNano()
	r.attempted.Store(start)
	keysChanged := false
	var revision int64
	err := r.store.View(ctx, func(tx *store.Tx) (err error) {
		revision = tx.Revision
		keysChanged, err = r.catchUp(ctx, tx)
		return err
	})
	if err == nil && keysChanged {
		err = r.ring.Reload(ctx)
	}
	r.away.Store(err != nil)
	if err != nil {
		return public(err)
	}
	r.seen = revision
	r.polled.Store(start)
	return nil
}

// catchUp applies the changes after r.seen. Where they have been forgotten it drops everything.
func (r *Registry) catchUp(ctx context.Context, tx *store.Tx) (keysChanged bool, err error) {
	if r.seen < 0 || r.seen < tx.Pruned || r.seen > tx.Revision {
		r.cache.dropAll()
		return r.seen >= 0, r.loadRevoked(ctx, tx)
	}
	for after, full := r.seen, true; full && after < tx.Revision; {
		changes, err := tx.Changes(ctx, after, changesPerRead)
		if err != nil {
			return false, err
		}
		if full = len(changes) == changesPerRead; full {
			// The last revision may continue in the next read.
			last := changes[len(changes)-1].Revision
			changes = slices.DeleteFunc(changes, func(c store.Change) bool { return c.Revision == last })
			if len(changes) == 0 {
				r.cache.dropAll()
				return true, r.loadRevoked(ctx, tx)
			}
		}
		if len(changes) > 0 {
			after = changes[len(changes)-1].Revision
		}
		r.cache.drop(changes)
		for _, c := range changes {
			keysChanged = keysChanged || c.Kind == store.KeysChanged
			if err := r.applyRevocation(ctx, tx, c); err != nil {
				return false, err
			}
		}
	}
	return keysChanged, nil
}

const changesPerRead = 5000

func (r *Registry) applyRevocation(ctx context.Context, tx *store.Tx, c store.Change) error {
	if c.Kind != store.TokenRevoked {
		return nil
	}
	token, err := tx.RevokedToken(ctx, c.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return nil // expired and forgotten meanwhile
	}
	if err == nil {
		r.cache.revoke(token.AuditID, token.Until)
	}
	return err
}

func (r *Registry) loadRevoked(ctx context.Context, tx *store.Tx) error {
	tokens, err := tx.RevokedTokens(ctx)
	for _, t := range tokens {
		r.cache.revoke(t.AuditID, t.Until)
	}
	return err
}
