package keys_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/keys"
)

// A database keeps stored keys as the real one does: inserted once per use, saved together.
type database struct {
	mu   sync.Mutex
	rows []keys.Stored
	fail error
}

func (d *database) load(context.Context) ([]keys.Stored, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.rows), d.fail
}

func (d *database) insert(_ context.Context, k keys.Stored) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.ContainsFunc(d.rows, func(o keys.Stored) bool { return o.Use == k.Use }) {
		return false, d.fail
	}
	d.rows = append(d.rows, k)
	return true, d.fail
}

func (d *database) save(_ context.Context, ks []keys.Stored) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return d.fail
	}
	for _, k := range ks {
		i := slices.IndexFunc(d.rows, func(o keys.Stored) bool { return o.ID == k.ID })
		if i < 0 {
			d.rows = append(d.rows, k)
		} else {
			d.rows[i] = k
		}
	}
	return nil
}

type fixture struct {
	db     *database
	master []byte
	now    time.Time
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	master, err := keys.ParseMaster(keys.NewMaster())
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{&database{}, master, time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
}

func (f *fixture) config() keys.Config {
	return keys.Config{Master: f.master, Load: f.db.load, Insert: f.db.insert, Save: f.db.save, Now: func() time.Time { return f.now }}
}

func (f *fixture) ring(t testing.TB) *keys.Ring {
	t.Helper()
	r, err := keys.New(t.Context(), f.config())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustSeal(t testing.TB, r *keys.Ring, purpose, payload string) string {
	t.Helper()
	token, err := r.Seal(purpose, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func mustSign(t testing.TB, r *keys.Ring, claims string) string {
	t.Helper()
	token, err := r.SignJWT([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestKeysAreMadeOnceAndEncrypted(t *testing.T) {
	f := newFixture(t)
	a := f.ring(t)
	if len(f.db.rows) != len(keys.Uses()) {
		t.Fatalf("%d keys stored, want one per use", len(f.db.rows))
	}
	token := mustSeal(t, a, "p", "hello")
	b := f.ring(t)
	if len(f.db.rows) != len(keys.Uses()) {
		t.Fatal("the second start made keys again")
	}
	if got, err := b.Open(nil, "p", token); err != nil || string(got) != "hello" {
		t.Fatalf("Open in another process: %q, %v", got, err)
	}
	if _, err := b.VerifyJWT(mustSign(t, a, `{"a":1}`)); err != nil {
		t.Fatal(err)
	}
}

func TestServersThatStartAtOnceShareTheirKeys(t *testing.T) {
	f := newFixture(t)
	rings := make([]*keys.Ring, 8)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			var err error
			if rings[i], err = keys.New(t.Context(), f.config()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	token := mustSeal(t, rings[0], "p", "x")
	for _, r := range rings {
		if _, err := r.Open(nil, "p", token); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAWrongMasterKeyIsNamedAndWritesNothing(t *testing.T) {
	f := newFixture(t)
	f.ring(t)
	before := len(f.db.rows)
	other := newFixture(t)
	other.db = f.db
	_, err := keys.New(t.Context(), other.config())
	if !errors.Is(err, keys.ErrMaster) || !strings.Contains(err.Error(), "Start with the master key") {
		t.Fatalf("got %v", err)
	}
	if len(f.db.rows) != before {
		t.Fatal("something was stored under the wrong master key")
	}
}

func TestStoredKeysCannotBeSwappedOrDamaged(t *testing.T) {
	changes := map[string]func(rows []keys.Stored){
		"another id":                      func(rows []keys.Stored) { rows[0].ID = "0011223344556677" },
		"another use":                     func(rows []keys.Stored) { rows[1].Use = keys.Pepper },
		"another algorithm":               func(rows []keys.Stored) { rows[0].Algorithm = keys.RS256 },
		"the material of another key":     func(rows []keys.Stored) { rows[1].Sealed, rows[2].Sealed = rows[2].Sealed, rows[1].Sealed },
		"a flipped bit":                   func(rows []keys.Stored) { rows[0].Sealed[40] ^= 1 },
		"cut off":                         func(rows []keys.Stored) { rows[0].Sealed = rows[0].Sealed[:20] },
		"nothing at all":                  func(rows []keys.Stored) { rows[0].Sealed = nil },
		"a format of a later version":     func(rows []keys.Stored) { rows[0].Sealed[0] = 9 },
		"a use of a later version":        func(rows []keys.Stored) { rows[0].Use = "blind" },
		"retired, with nothing after it":  func(rows []keys.Stored) { rows[0].RetiredAt = rows[0].CreatedAt },
		"a sealing key with a long id":    func(rows []keys.Stored) { rows[1].ID += "00" },
		"a sealing key with a strange id": func(rows []keys.Stored) { rows[1].ID = "zzzzzzzz" },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.ring(t)
			for i := range f.db.rows {
				f.db.rows[i].Sealed = bytes.Clone(f.db.rows[i].Sealed)
			}
			change(f.db.rows)
			if r, err := keys.New(t.Context(), f.config()); err == nil || r != nil {
				t.Fatalf("accepted: %v", err)
			}
		})
	}
}

func TestParseMaster(t *testing.T) {
	good := keys.NewMaster()
	if k, err := keys.ParseMaster(append([]byte("  "), good...)); err != nil || len(k) != 32 {
		t.Fatalf("%d bytes, %v", len(k), err)
	}
	if bytes.Equal(good, keys.NewMaster()) {
		t.Fatal("the same master key twice")
	}
	for name, text := range map[string]string{
		"empty": "", "not base64": "!!!!", "too short": "AAAA", "twice": string(good[:44]) + string(good[:44]),
		"hexadecimal": strings.Repeat("0f", 32), "loose trailing bits": string(good[:42]) + "1=",
	} {
		k, err := keys.ParseMaster([]byte(text))
		if err == nil || k != nil {
			t.Errorf("%s: accepted", name)
		}
		if err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error shows the key", name)
		}
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	for name, change := range map[string]func(*keys.Config){
		"a short master key":    func(c *keys.Config) { c.Master = c.Master[:16] },
		"an unknown algorithm":  func(c *keys.Config) { c.Algorithm = "HS256" },
		"a database that fails": func(c *keys.Config) { c.Load = (&database{fail: errors.New("away")}).load },
	} {
		f := newFixture(t)
		c := f.config()
		change(&c)
		if _, err := keys.New(t.Context(), c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
