// Package keys keeps keys: signing keys with rotation and a JSON Web Key Set, the key that seals tokens, the pepper for secrets.
//
// The keys of all uses live in the database, encrypted under a master key that is not in it. A Ring holds them in memory:
//
//	ring, err := keys.New(ctx, keys.Config{Master: master, Load: store.Keys, Insert: store.InsertKey, Save: store.SaveKeys})
//	token, err := ring.Seal("identity-token", payload)
//
// A key is known to every replica before it is first used (ActiveAt), is used until a newer one is active, and is believed until
// RetiredAt. Rotate arranges these times; Reload learns what another process arranged.
package keys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Stored key is a key as the database holds it: encrypted under the master key.
type Stored struct {
	ID        string // unique; shows up as kid or in the sealed token
	Use       Use
	Algorithm string // ES256, RS256, XC20P, HS256
	Sealed    []byte // the key, encrypted under the master key with ID, Use and Algorithm as associated data
	CreatedAt time.Time
	ActiveAt  time.Time // when it is first used to make something; known to every replica before
	RetiredAt time.Time // zero: not retired. After it nothing made with the key is accepted
}

// A Use is what a key is for.
type Use string

// The uses.
const (
	Sign   Use = "sign"   // id_tokens
	Seal   Use = "seal"   // tokens
	Pepper Use = "pepper" // secrets
)

// Uses lists every use.
func Uses() []Use { return []Use{Sign, Seal, Pepper} }

// Config configures a Ring.
type Config struct {
	Master    []byte                                            // 32 bytes
	Load      func(ctx context.Context) ([]Stored, error)       // every stored key
	Insert    func(ctx context.Context, k Stored) (bool, error) // insert if no key of that use is there yet (first start), reports whether it did
	Save      func(ctx context.Context, ks []Stored) error      // insert or update, in one transaction (rotation)
	Algorithm string                                            // of id_tokens: ES256 (default) or RS256
	Now       func() time.Time

	// Lead is how long before its first use a new key is published, so that every replica has reloaded and relying parties
	// have fetched it. 0 is 15 minutes.
	Lead time.Duration
}

// A Ring holds the keys in memory. Safe for concurrent use.
type Ring struct {
	c    Config
	mu   sync.Mutex           // orders writers of view, so that an older load never replaces a newer one
	view atomic.Pointer[view] // never nil after New
}

// New loads the keys and makes those that are missing. A master key that does not fit the stored keys is an error that says so.
func New(ctx context.Context, c Config) (*Ring, error) {
	c.Algorithm = cmp.Or(c.Algorithm, ES256)
	c.Lead = cmp.Or(c.Lead, 15*time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	if len(c.Master) != masterSize {
		return nil, fmt.Errorf("the master key has %d bytes instead of %d", len(c.Master), masterSize)
	}
	if c.Algorithm != ES256 && c.Algorithm != RS256 {
		return nil, fmt.Errorf("id_tokens cannot be signed with %q: choose %s or %s", c.Algorithm, ES256, RS256)
	}
	r := &Ring{c: c}
	if err := r.createMissing(ctx); err != nil {
		return nil, err
	}
	return r, r.followAlgorithm(ctx)
}

// createMissing makes the first key of each use. Of several servers that start at once on one database, one wins.
func (r *Ring) createMissing(ctx context.Context) error {
	stored, err := r.c.Load(ctx)
	if err != nil {
		return fmt.Errorf("load keys: %w", err)
	}
	keys, err := r.unwrapAll(stored) // before anything is written with what may be the wrong master key
	if err != nil {
		return err
	}
	for _, use := range Uses() {
		if slices.ContainsFunc(keys, func(k *key) bool { return k.Use == use }) {
			continue
		}
		now := r.now()
		s, err := r.generate(use, now, now)
		if err != nil {
			return err
		}
		if _, err := r.c.Insert(ctx, s); err != nil {
			return fmt.Errorf("store the first %s key: %w", use, err)
		}
	}
	return r.Reload(ctx)
}

// followAlgorithm rotates the signing key when the configuration asks for another algorithm than the stored key has.
func (r *Ring) followAlgorithm(ctx context.Context) error {
	for _, k := range r.view.Load().all {
		if k.Use == Sign && k.Algorithm == r.c.Algorithm && k.RetiredAt.IsZero() {
			return nil
		}
	}
	_, err := r.Rotate(ctx, Sign, false)
	return err
}

// Reload reads the stored keys again, for rotations done by another process. On an error the keys held so far stay in use. Call
// it at least three times within Lead.
func (r *Ring) Reload(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reload(ctx)
}

func (r *Ring) reload(ctx context.Context) error {
	stored, err := r.c.Load(ctx)
	if err != nil {
		return fmt.Errorf("load keys: %w", err)
	}
	keys, err := r.unwrapAll(stored)
	if err != nil {
		return err
	}
	v := newView(keys, r.now())
	if v.sign == nil || v.seal == nil || v.pepper == nil {
		return errors.New("the database lacks a key that is not retired: run `stackgate keys rotate`")
	}
	r.view.Store(v)
	return nil
}

// now has whole seconds, as the database keeps them.
func (r *Ring) now() time.Time { return r.c.Now().UTC().Truncate(time.Second) }

// current gives the view for this moment, made anew when a key has become active or retired since the last one was made.
func (r *Ring) current() *view {
	v, now := r.view.Load(), r.c.Now()
	if !now.Before(v.from) && (v.until.IsZero() || now.Before(v.until)) {
		return v
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := newView(r.view.Load().all, now.UTC().Truncate(time.Second))
	r.view.Store(next)
	return next
}

// A view is what the keys mean between two moments. Immutable.
type view struct {
	all         []*key // of the database, retired ones too
	from, until time.Time

	sign, seal, pepper *key   // what things are made with now; nil only if every key of the use is retired
	accepted           []*key // not retired
	jwks               []byte
}

func newView(all []*key, now time.Time) *view {
	v := &view{all: all, from: now}
	for _, k := range all {
		for _, t := range []time.Time{k.ActiveAt, k.RetiredAt} {
			if t.After(now) && (v.until.IsZero() || t.Before(v.until)) {
				v.until = t
			}
		}
		if k.RetiredAt.IsZero() || k.RetiredAt.After(now) {
			v.accepted = append(v.accepted, k)
		}
	}
	v.sign, v.seal, v.pepper = v.choose(Sign, now), v.choose(Seal, now), v.choose(Pepper, now)
	v.jwks = v.joinJWKS()
	return v
}

// choose gives the key that was activated last. If none is active, as on a machine whose clock is behind, the one that will be first.
func (v *view) choose(use Use, now time.Time) *key {
	var active, pending *key
	for _, k := range v.accepted {
		switch {
		case k.Use != use:
		case k.ActiveAt.After(now):
			if pending == nil || later(pending, k) {
				pending = k
			}
		case active == nil || later(k, active):
			active = k
		}
	}
	if active == nil {
		return pending
	}
	return active
}

// later orders keys by activation, then by id, so that all replicas agree.
func later(a, b *key) bool {
	return cmp.Or(a.ActiveAt.Compare(b.ActiveAt), cmp.Compare(a.ID, b.ID)) > 0
}

// find gives an accepted key of a use by its id, or nil.
func (v *view) find(use Use, id string) *key {
	for _, k := range v.accepted {
		if k.Use == use && k.ID == id {
			return k
		}
	}
	return nil
}
