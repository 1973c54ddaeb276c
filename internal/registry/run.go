package registry

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/store"
)

// How often Run does what need not be done at once, and how long a process may have missed the change table before it must
// drop everything.
const (
	flushInterval = time.Minute
	pruneInterval = 10 * time.Minute
	changesKept   = time.Hour
	pollTimeout   = 5 * time.Second

	inlinePollTimeout = 2 * time.Second // of a poll that a request waits for
)

// Run keeps the cache exact (polls the change table), writes last-use times, decisions and audit checkpoints until ctx ends; then it writes them
// once more.
func (r *Registry) Run(ctx context.Context) error {
	r.running.Store(true)
	defer r.running.Store(false)
	var writing sync.WaitGroup
	writing.Go(func() { r.runDecisions(ctx) })
	defer writing.Wait()
	poll, flush, prune := time.NewTicker(r.pollInterval), time.NewTicker(flushInterval), time.NewTicker(pruneInterval)
	defer poll.Stop()
	defer flush.Stop()
	defer prune.Stop()
	for {
		select {
		case <-poll.C:
			r.try(ctx, "poll", r.poll)
		case <-flush.C:
			r.try(ctx, "flush", r.Flush)
		case <-r.usesFull:
			r.try(ctx, "flush", r.Flush)
		case <-prune.C:
			r.try(ctx, "prune", r.prune)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollTimeout)
			defer cancel()
			writing.Wait()
			return r.Flush(last)
		}
	}
}

// try does one round of work. Nobody can be told of a failure but the log; the next round tries again.
func (r *Registry) try(ctx context.Context, what string, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	was := r.away.Load()
	if err := do(ctx); err != nil && !errors.Is(ctx.Err(), context.Canceled) && !(was && what == "poll") {
		r.log.WarnContext(ctx, "registry: "+what+" failed", "error", err)
	}
}

// A use is the last one of a secret, still to be written.
type use struct {
	at    time.Time
	from  netip.Addr
	agent string
}

const (
	usesKept = 10000 // in memory; past it they are written without waiting for the minute
	maxAgent = 128   // characters
)

// used notes that a secret was used.
func (r *Registry) used(ctx context.Context, secretID string, now time.Time, u Use) {
	agent := strings.ToValidUTF8(strings.ReplaceAll(u.Agent, "\x00", ""), "")
	if runes := []rune(agent); len(runes) > maxAgent {
		agent = string(runes[:maxAgent])
	}
	r.usesMu.Lock()
	if len(r.uses) < 2*usesKept { // past that the database is not keeping up: a last use is forgotten rather than a login held up
		r.uses[secretID] = use{now, u.Address.Unmap().WithZone(""), agent}
	}
	full := len(r.uses) >= usesKept
	r.usesMu.Unlock()
	switch {
	case full && r.running.Load():
		select {
		case r.usesFull <- struct{}{}:
		default: // Run has been told already
		}
	case full:
		r.try(context.WithoutCancel(ctx), "flush", r.Flush)
	}
}

// Flush writes last-use times, decisions and an audit checkpoint. Run calls it every minute and at its end; so does who does not Run.
func (r *Registry) Flush(ctx context.Context) error {
	return errors.Join(r.flushUses(ctx), r.flushDecisions(ctx), r.Checkpoint(ctx))
}

func (r *Registry) flushUses(ctx context.Context) error {
	r.usesMu.Lock()
	uses := r.uses
	r.uses = map[string]use{}
	r.usesMu.Unlock()
	if len(uses) == 0 {
		return nil
	}
	_, err := r.store.Update(ctx, func(tx *store.Tx) error {
		for id, u := range uses {
			if err := tx.UseSecret(ctx, id, u.at, u.from, u.agent); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.restoreUses(uses)
	}
	return public(err)
}

// restoreUses puts back what could not be written, as far as there is room.
func (r *Registry) restoreUses(uses map[string]use) {
	r.usesMu.Lock()
	defer r.usesMu.Unlock()
	for id, u := range uses {
		if _, newer := r.uses[id]; !newer && len(r.uses) < usesKept-1 {
			r.uses[id] = u
		}
	}
}

// Checkpoint signs the end of the audit chain, if it has moved since the last checkpoint and there is a key to sign with.
func (r *Registry) Checkpoint(ctx context.Context) error {
	if r.auditKey == nil {
		return nil
	}
	due := false
	err := r.store.View(ctx, func(tx *store.Tx) (err error) {
		due, err = checkpointDue(ctx, tx)
		return err
	})
	if err != nil || !due {
		return public(err)
	}
	_, err = r.store.Update(ctx, func(tx *store.Tx) error {
		if due, err := checkpointDue(ctx, tx); err != nil || !due { // another replica may have been quicker
			return err
		}
		return tx.InsertCheckpoint(ctx, audit.Sign(r.auditKey, tx.Audit, tx.Now))
	})
	return public(err)
}

func checkpointDue(ctx context.Context, tx *store.Tx) (bool, error) {
	last, err := tx.LastCheckpoint(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	return last.Seq < tx.Audit.Seq, nil
}

// prune forgets old changes, old decisions and tokens that nobody can present any more.
func (r *Registry) prune(ctx context.Context) error {
	r.cache.forgetRevoked(r.now())
	_, err := r.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.PruneChanges(ctx, tx.Now.Add(-changesKept)); err != nil {
			return err
		}
		if err := r.pruneDecisions(ctx, tx); err != nil {
			return err
		}
		return tx.PruneRevokedTokens(ctx)
	})
	return public(err)
}
