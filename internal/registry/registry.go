// Package registry is the one door to the data: the caller is checked, the change made and the audit record written in one
// transaction. It keeps the cache of compiled policies.
//
// Every method that a person or program can ask for takes an iam.Caller and judges it inside the transaction that reads or changes,
// with the same evaluator that judges OpenStack calls. What belongs to another account is iam.NotFound; what the caller may not do is
// iam.Denied, with the action that is missing, and leaves an audit record.
//
// Logging in and using tokens (Authenticate, Check, Roles) is answered from memory. The cache is exact: see cache.go.
//
//	reg, err := registry.New(ctx, registry.Config{Store: st, Ring: ring})
//	go reg.Run(ctx)
//	roles, err := reg.Roles(ctx, "EU.0f0f0f0f0f0f0f0f", project, addr)
package registry

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stackgate/stackgate/internal/audit"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/store"
)

// Config configures a Registry.
type Config struct {
	Store    *store.Store
	Ring     *keys.Ring         // for the secrets' peppers; reloaded when another process changes keys
	AuditKey ed25519.PrivateKey // signs checkpoints of the audit chain; kept outside the database. nil: no checkpoints
	Now      func() time.Time   // nil: time.Now

	CacheSize    int           // identities kept compiled; 0: 10000
	MaxStaleness time.Duration // how long to answer from memory while the database is away; 0: 5m, negative: not at all
	PollInterval time.Duration // how often Run looks for changes by others; 0: 200ms
	Logger       *slog.Logger  // nil: discarded

	DecisionsAge   time.Duration // how long decisions can be looked up; 0: 24h
	DecisionsCount int           // of how many of an account; 0: 10000, negative: none are kept
}

// The defaults of Config.
const (
	defaultCacheSize    = 10000
	defaultMaxStaleness = 5 * time.Minute
	defaultPollInterval = 200 * time.Millisecond
)

// A Registry is safe for concurrent use.
type Registry struct {
	store    *store.Store
	ring     *keys.Ring
	auditKey ed25519.PrivateKey
	now      func() time.Time
	log      *slog.Logger

	mac      func(secret string) (pepper string, mac [32]byte) // the ring's
	checkMAC func(secret, pepper string, mac []byte) bool      // the ring's

	maxStaleness, pollInterval time.Duration

	cache    *cache
	refusals *refusals

	pollMu    sync.Mutex   // held while polling; guards seen
	seen      int64        // the revision up to which the cache knows all changes
	polled    atomic.Int64 // when the last poll that succeeded began, in nanoseconds
	polls     atomic.Int64 // how many have ended
	attempted atomic.Int64 // when the last poll began
	away      atomic.Bool  // the last poll failed
	running   atomic.Bool

	usesMu sync.Mutex
	uses   map[string]use // by secret id, not yet written

	decisionsAge   time.Duration
	decisionsCount int
	pending        audit.Pending

	decisionsMu      sync.Mutex // held while writing decisions; guards decisionsWritten
	decisionsWritten int        // since they were last pruned

	usesFull chan struct{} // tells Run that uses has reached usesKept; holds one
}

// New opens a registry over a store. Without Run it is exact for its own changes and looks for those of others before it answers, at most
// once per PollInterval.
func New(ctx context.Context, c Config) (*Registry, error) {
	if c.Store == nil || c.Ring == nil {
		return nil, errors.New("registry: Store and Ring are needed")
	}
	r := &Registry{store: c.Store, ring: c.Ring, mac: c.Ring.MAC, checkMAC: c.Ring.CheckMAC, auditKey: c.AuditKey, now: c.Now, log: c.Logger,
		maxStaleness: c.MaxStaleness, pollInterval: c.PollInterval, refusals: newRefusals(), uses: map[string]use{}, usesFull: make(chan struct{}, 1)}
	if r.now == nil {
		r.now = time.Now
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.maxStaleness == 0 {
		r.maxStaleness = defaultMaxStaleness
	}
	r.maxStaleness = max(r.maxStaleness, 0)
	if r.pollInterval <= 0 {
		r.pollInterval = defaultPollInterval
	}
	if c.CacheSize <= 0 {
		c.CacheSize = defaultCacheSize
	}
	if r.decisionsAge = c.DecisionsAge; r.decisionsAge <= 0 {
		r.decisionsAge = defaultDecisionsAge
	}
	if r.decisionsCount = c.DecisionsCount; r.decisionsCount == 0 {
		r.decisionsCount = defaultDecisionsCount
	}
	r.cache = newCache(c.CacheSize)
	r.seen = -1 // the first poll reads everything that must be in memory
	if err := r.poll(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// A Page asks for a part of a list. Limit 0 is the default (100); over 1000 is cut to 1000.
type Page struct {
	After string // the cursor: the id of the last item seen, "" for the start
	Limit int
}

func (p Page) limit() int {
	if p.Limit <= 0 {
		return 100
	}
	return min(p.Limit, 1000)
}

// cut takes one item more than the limit back off a list, and gives the cursor if there was one.
func cut[T any](list []T, limit int, id func(*T) string) ([]T, string) {
	if len(list) <= limit {
		return list, ""
	}
	return list[:limit], id(&list[limit-1])
}

// public gives a failure of the store a kind. Errors that have one pass.
func public(err error) error {
	switch {
	case err == nil || iam.KindOf(err) != "":
		return err
	case errors.Is(err, store.ErrAway):
		return &iam.Error{Kind: iam.Unavailable, Message: "The database cannot be reached. Try again later.", Err: err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &iam.Error{Kind: iam.Unavailable, Message: "The request took too long. Try again later.", Err: err}
	}
	return err
}

// missing turns a row that is not there into a public error that names it; other errors pass.
func missing(err error, what, id string) error {
	if errors.Is(err, store.ErrNotFound) {
		return notFound(what, id)
	}
	return err
}

func notFound(what, id string) error { return iam.Errorf(iam.NotFound, "There is no %s %q.", what, id) }

// taken turns a broken uniqueness into a public error; other errors pass.
func taken(err error, what, name string) error {
	if errors.Is(err, store.ErrExists) {
		return iam.Errorf(iam.Conflict, "There is already a %s %q.", what, name)
	}
	return err
}
