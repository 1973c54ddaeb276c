package keys_test

import (
	"testing"

	"github.com/stackgate/stackgate/internal/keys"
)

// TestO16_SecretsAreComparedByMAC checks what a comparison may say yes to. That it takes the same time is hmac.Equal's.
func TestO16_SecretsAreComparedByMAC(t *testing.T) {
	f := newFixture(t)
	r := f.ring(t)
	pepper, mac := r.MAC("sgs_secret")
	flipped := mac
	flipped[31] ^= 1
	_, foreign := newFixture(t).ring(t).MAC("sgs_secret")
	for _, test := range []struct {
		name           string
		secret, pepper string
		mac            []byte
		want           bool
	}{
		{"the secret", "sgs_secret", pepper, mac[:], true},
		{"another secret", "sgs_secreT", pepper, mac[:], false},
		{"no secret", "", pepper, mac[:], false},
		{"another pepper", "sgs_secret", "00000000", mac[:], false},
		{"no pepper", "sgs_secret", "", mac[:], false},
		{"the id of another kind of key", "sgs_secret", r.Keys()[0].ID + "x", mac[:], false},
		{"a flipped bit", "sgs_secret", pepper, flipped[:], false},
		{"a part of the MAC", "sgs_secret", pepper, mac[:16], false},
		{"no MAC", "sgs_secret", pepper, nil, false},
		{"the MAC under another installation's pepper", "sgs_secret", pepper, foreign[:], false},
	} {
		if got := r.CheckMAC(test.secret, test.pepper, test.mac); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	rotate(t, r, keys.Pepper, false)
	if !r.CheckMAC("sgs_secret", pepper, mac[:]) {
		t.Error("rotating the pepper made a secret worthless")
	}
}

func BenchmarkCheckMAC(b *testing.B) {
	r := newFixture(b).ring(b)
	pepper, mac := r.MAC("sgs_secret")
	b.ReportAllocs()
	for b.Loop() {
		if !r.CheckMAC("sgs_secret", pepper, mac[:]) {
			b.Fatal("refused")
		}
	}
}
