package keys

import (
	"crypto/hmac"
	"crypto/sha256"
)

// MAC computes the HMAC-SHA-256 of a secret under the current pepper and names the pepper.
func (r *Ring) MAC(secret string) (pepper string, mac [32]byte) {
	k := r.current().pepper
	if k == nil {
		return "", mac // matches nothing: CheckMAC knows no pepper of that name
	}
	return k.ID, sum(k, secret)
}

// CheckMAC reports, in constant time, whether mac is that of secret under the named pepper. An unknown pepper does the same work and
// reports false.
func (r *Ring) CheckMAC(secret, pepper string, mac []byte) bool {
	v := r.current()
	k := v.find(Pepper, pepper)
	known := k != nil
	if !known {
		k = v.pepper
	}
	if k == nil {
		return false
	}
	want := sum(k, secret)
	return hmac.Equal(want[:], mac) && known
}

func sum(k *key, secret string) (out [32]byte) {
	h := hmac.New(sha256.New, k.pepper)
	_, _ = h.Write([]byte(secret))
	h.Sum(out[:0])
	return out
}
