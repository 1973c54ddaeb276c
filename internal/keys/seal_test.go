package keys_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/keys"
)

func TestSealedTokensAreShortAndPlain(t *testing.T) {
	r := newFixture(t).ring(t)
	for _, n := range []int{0, 1, 63, 140, keys.MaxPayload} {
		payload := bytes.Repeat([]byte{0xa5}, n)
		token, err := r.Seal("identity-token", payload)
		if err != nil {
			t.Fatal(err)
		}
		if len(token) > 255 || strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("%d bytes make %q", n, token)
		}
		got, err := r.Open([]byte("before"), "identity-token", token)
		if err != nil || string(got) != "before"+string(payload) {
			t.Errorf("%d bytes: %q, %v", n, got, err)
		}
	}
	if _, err := r.Seal("p", make([]byte, keys.MaxPayload+1)); err == nil {
		t.Error("a payload that is too long was sealed")
	}
	if _, err := r.Seal(strings.Repeat("p", 49), nil); err == nil {
		t.Error("a purpose that is too long was sealed")
	}
}

// TestO5_EveryAlteredTokenIsRefused flips each bit, takes each prefix, extends, and changes purpose and key.
func TestO5_EveryAlteredTokenIsRefused(t *testing.T) {
	r := newFixture(t).ring(t)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	refused := func(what, purpose, token string) {
		t.Helper()
		if got, err := r.Open(nil, purpose, token); !errors.Is(err, keys.ErrToken) || got != nil {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	for _, payload := range []string{"", "a", "ab", "a payload of some length"} { // every length of a final base64 group
		token := mustSeal(t, r, "p", payload)
		for i := range len(token) {
			refused("truncated", "p", token[:i])
			for _, c := range alphabet + "=\n\r .+/\x00é" {
				if altered := token[:i] + string(c) + token[i+1:]; altered != token {
					refused("a character changed", "p", altered)
				}
				refused("a character inserted", "p", token[:i]+string(c)+token[i:])
			}
		}
		for _, end := range []string{"A", "AA", "AAAA", "=", "==", "\n", "\r\n", " ", "."} {
			refused("extended", "p", token+end)
		}
		for _, purpose := range []string{"", "P", "pp", "p\x00", "identity-token", strings.Repeat("p", 100)} {
			refused("another purpose", purpose, token)
		}
	}
	token := mustSeal(t, newFixture(t).ring(t), "p", "x")
	refused("another ring's", "p", token)
	refused("huge", "p", strings.Repeat("A", 1<<20))
}

func TestOpeningDoesNotAllocate(t *testing.T) {
	r := newFixture(t).ring(t)
	token := mustSeal(t, r, "identity-token", strings.Repeat("x", 90))
	dst := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(200, func() { _, _ = r.Open(dst, "identity-token", token) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzOpen(f *testing.F) {
	r := newFixture(f).ring(f)
	token := mustSeal(f, r, "p", "hello")
	f.Add("p", token)
	f.Add("q", token)
	f.Add("p", token[:len(token)-1])
	f.Add("p", "")
	f.Add("p", "AQ\n==")
	f.Fuzz(func(t *testing.T, purpose, s string) {
		got, err := r.Open(nil, purpose, s)
		if err != nil && got != nil {
			t.Fatal("an error and a payload")
		}
		if err == nil && (purpose != "p" || s != token) {
			t.Fatalf("%q is accepted for %q", s, purpose)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	r := newFixture(b).ring(b)
	payload := make([]byte, 90)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Seal("identity-token", payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	r := newFixture(b).ring(b)
	token := mustSeal(b, r, "identity-token", strings.Repeat("x", 90))
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Open(dst, "identity-token", token); err != nil {
			b.Fatal(err)
		}
	}
}
