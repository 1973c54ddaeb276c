package registry

import (
	"context"
	"strconv"
	"time"
)

// Pending counts the last uses that are not yet written.
func Pending(r *Registry) int {
	r.usesMu.Lock()
	defer r.usesMu.Unlock()
	return len(r.uses)
}

// UseMany notes the use of n secrets and reports the most that were pending on the way.
func UseMany(ctx context.Context, r *Registry, n int) (most int) {
	for i := range n {
		r.used(ctx, strconv.Itoa(i), time.Unix(0, 0), Use{})
		most = max(most, Pending(r))
	}
	return most
}

// UsesKept is how many last uses are kept before they are written early.
const UsesKept = usesKept

// Running reports whether Run runs.
func Running(r *Registry) bool { return r.running.Load() }

// CountMACs counts the MACs that r computes from now on.
func CountMACs(r *Registry) *int {
	n := new(int)
	mac, check := r.mac, r.checkMAC
	r.mac = func(secret string) (string, [32]byte) { *n++; return mac(secret) }
	r.checkMAC = func(secret, pepper string, sum []byte) bool { *n++; return check(secret, pepper, sum) }
	return n
}

// Forget empties the cache, so that the next answer comes from the database.
func Forget(r *Registry) { r.cache.dropAll() }

// Held counts the identities in the cache.
func Held(r *Registry) int { return r.cache.identities.len() }

// Prune does what Run does every ten minutes.
func Prune(ctx context.Context, r *Registry) error { return r.prune(ctx) }
