package keys_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/keys"
)

// A product is something made with a key, and the question whether a ring believes it.
type product struct {
	use  keys.Use
	make func(t testing.TB, r *keys.Ring) (believed func(r *keys.Ring) bool)
}

var products = []product{
	{keys.Seal, func(t testing.TB, r *keys.Ring) func(*keys.Ring) bool {
		token := mustSeal(t, r, "p", "payload")
		return func(r *keys.Ring) bool { _, err := r.Open(nil, "p", token); return err == nil }
	}},
	{keys.Sign, func(t testing.TB, r *keys.Ring) func(*keys.Ring) bool {
		token := mustSign(t, r, `{"iss":"x"}`)
		return func(r *keys.Ring) bool { _, err := r.VerifyJWT(token); return err == nil }
	}},
	{keys.Pepper, func(_ testing.TB, r *keys.Ring) func(*keys.Ring) bool {
		pepper, mac := r.MAC("secret")
		return func(r *keys.Ring) bool { return r.CheckMAC("secret", pepper, mac[:]) }
	}},
}

func rotate(t *testing.T, r *keys.Ring, use keys.Use, emergency bool) keys.Info {
	t.Helper()
	info, err := r.Rotate(t.Context(), use, emergency)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestRotationOverlaps(t *testing.T) {
	longest := map[keys.Use]time.Duration{keys.Seal: 72 * time.Hour, keys.Sign: 10 * time.Minute, keys.Pepper: 10 * 365 * 24 * time.Hour}
	for _, p := range products {
		t.Run(string(p.use), func(t *testing.T) {
			f := newFixture(t)
			r := f.ring(t)
			rotate(t, r, p.use, false)
			replica := f.ring(t) // reloaded once, within the lead

			f.now = f.now.Add(15*time.Minute - time.Second)
			last := p.make(t, r) // with the old key, at the last moment
			f.now = f.now.Add(time.Second)
			first := p.make(t, r) // with the new key, at the first
			if !first(replica) || !last(replica) || !last(r) {
				t.Fatal("a replica does not know the new key at its first use, or no longer the old one")
			}
			f.now = f.now.Add(longest[p.use])
			if !last(r) || !last(replica) {
				t.Fatal("the old key is gone while its products can still be presented")
			}
			if p.use == keys.Pepper {
				return
			}
			f.now = f.now.Add(time.Hour)
			if last(r) || last(replica) {
				t.Fatal("the old key is believed for ever")
			}
			if !first(r) || !first(replica) {
				t.Fatal("the new key went with the old one")
			}
		})
	}
}

func TestAnEmergencyRetiresOldKeysAtOnce(t *testing.T) {
	for _, p := range products {
		t.Run(string(p.use), func(t *testing.T) {
			f := newFixture(t)
			r, replica := f.ring(t), f.ring(t)
			rotate(t, r, p.use, false) // a pending key may be just as compromised
			old := p.make(t, r)
			f.now = f.now.Add(time.Minute)
			made := rotate(t, r, p.use, true)
			if old(r) {
				t.Fatal("what the compromised key made is still believed")
			}
			if err := replica.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if old(replica) || !p.make(t, r)(replica) {
				t.Fatal("a replica that reloaded does not follow")
			}
			for _, k := range r.Keys() {
				if k.Use == p.use && k.ID != made.ID && k.RetiredAt.After(f.now) {
					t.Errorf("key %s is not retired", k.ID)
				}
			}
			f.now = f.now.Add(1000 * time.Hour)
			if !p.make(t, r)(replica) {
				t.Fatal("the pending key of before became active after all")
			}
		})
	}
}

func TestTheNewKeyIsPublishedBeforeItsFirstUse(t *testing.T) {
	f := newFixture(t)
	r := f.ring(t)
	before := string(r.JWKS())
	made := rotate(t, r, keys.Sign, false)
	if !strings.Contains(string(r.JWKS()), made.ID) {
		t.Fatal("not published at once")
	}
	if strings.Contains(mustSignHead(t, r), made.ID) {
		t.Fatal("used at once")
	}
	f.now = made.ActiveAt
	if !strings.Contains(mustSignHead(t, r), made.ID) {
		t.Fatal("not used when active")
	}
	f.now = f.now.Add(2 * time.Hour)
	after := string(r.JWKS())
	if strings.Count(after, `"kid"`) != 1 || after == before {
		t.Fatalf("the old key is still published: %s", after)
	}
	if strings.Contains(after, `"d"`) {
		t.Fatal("a private key is published")
	}
}

func TestTwoRotationsInARowKeepEverythingReadable(t *testing.T) {
	f := newFixture(t)
	r, other := f.ring(t), f.ring(t)
	believed := products[0].make(t, r)
	rotate(t, r, keys.Seal, false)
	rotate(t, other, keys.Seal, false) // another process, which has not reloaded
	if len(other.Keys()) != 5 {
		t.Fatalf("%d keys", len(other.Keys()))
	}
	f.now = f.now.Add(20 * time.Minute)
	if !believed(other) || !products[0].make(t, other)(f.ring(t)) {
		t.Fatal("lost a key")
	}
}

func TestAFailedRotationChangesNothing(t *testing.T) {
	f := newFixture(t)
	r := f.ring(t)
	believed := products[0].make(t, r)
	f.db.fail = errors.New("disk full")
	if _, err := r.Rotate(t.Context(), keys.Seal, true); err == nil {
		t.Fatal("no error")
	}
	if r.Reload(t.Context()) == nil {
		t.Fatal("no error")
	}
	if !believed(r) || len(r.Keys()) != 3 {
		t.Fatal("the keys in memory changed")
	}
	f.db.fail = nil
	if _, err := r.Rotate(t.Context(), "blind", false); err == nil || len(f.db.rows) != 3 {
		t.Fatal("an unknown use was rotated")
	}
}

func TestAClockThatGoesBackFindsItsKeys(t *testing.T) {
	f := newFixture(t)
	r := f.ring(t)
	f.now = f.now.Add(-48 * time.Hour)
	if !products[0].make(t, r)(r) || !products[1].make(t, f.ring(t))(r) {
		t.Fatal("no key on a machine whose clock is behind")
	}
}

func TestChangingTheAlgorithmRotates(t *testing.T) {
	f := newFixture(t)
	es := f.ring(t)
	old := products[1].make(t, es)
	c := f.config()
	c.Algorithm = keys.RS256
	for range 2 { // a second start must not rotate again
		rs, err := keys.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if len(rs.Keys()) != 4 || !strings.Contains(mustSignHead(t, rs), keys.ES256) {
			t.Fatal("no overlap")
		}
	}
	f.now = f.now.Add(16 * time.Minute)
	rs, err := keys.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(mustSignHead(t, rs), keys.RS256) || !old(rs) || !products[1].make(t, rs)(rs) {
		t.Fatal("not RS256 after the overlap, or the old token is gone")
	}
	f.ring(t)
	if len(f.db.rows) != 5 {
		t.Fatal("going back does not make a new ES256 key")
	}
}
