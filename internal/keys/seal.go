package keys

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealed token is base64url without padding of
//
//	version (1 byte) | key id (4) | nonce (24) | ciphertext and tag (payload + 16)
//
// encrypted with XChaCha20-Poly1305; version and purpose are the associated data. Nonces of 192 bits may be random.
const (
	sealVersion = 1
	nonceSize   = chacha20poly1305.NonceSizeX
	headSize    = 5 + nonceSize
	maxToken    = 255 // characters; services store tokens in such columns and headers
	maxPurpose  = 48

	// MaxPayload is how many bytes Seal takes.
	MaxPayload = maxToken*3/4 - headSize - chacha20poly1305.Overhead
)

// ErrToken is all that Open says about a token that it does not accept.
var ErrToken = errors.New("not a token of ours")

// scratch is what sealing and opening need beside the result, so that neither allocates.
type scratch struct {
	raw  [maxToken]byte
	data [1 + maxPurpose]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// associated gives version and purpose. The version is one byte, so that the two cannot run into one another.
func (s *scratch) associated(purpose string) []byte {
	return append(append(s.data[:0], sealVersion), purpose...)
}

// Seal encrypts payload, at most MaxPayload bytes, for a purpose into at most 255 characters of [A-Za-z0-9_-].
func (r *Ring) Seal(purpose string, payload []byte) (string, error) {
	if len(payload) > MaxPayload || len(purpose) > maxPurpose {
		return "", fmt.Errorf("seal %d bytes: a token holds at most %d", len(payload), MaxPayload)
	}
	k := r.current().seal
	if k == nil {
		return "", errNoKey
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	raw := append(s.raw[:0], k.prefix[:]...)
	raw = raw[:headSize]
	nonce := raw[len(k.prefix):]
	_, _ = rand.Read(nonce) // never fails
	raw = k.aead.Seal(raw, nonce, payload, s.associated(purpose))
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// Open decrypts what Seal made for the same purpose, appending the payload to dst. Any altered, truncated or extended token, and any
// other purpose, is ErrToken.
func (r *Ring) Open(dst []byte, purpose, token string) ([]byte, error) {
	// The decoder skips line ends even when strict: two texts would be one token.
	if len(token) > maxToken || len(purpose) > maxPurpose || strings.ContainsAny(token, "\r\n") {
		return nil, ErrToken
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	raw, err := base64.RawURLEncoding.Strict().AppendDecode(s.raw[:0], []byte(token))
	if err != nil || len(raw) < headSize+chacha20poly1305.Overhead {
		return nil, ErrToken
	}
	k := r.current().findSeal(raw)
	if k == nil {
		return nil, ErrToken
	}
	out, err := k.aead.Open(dst, raw[len(k.prefix):headSize], raw[headSize:], s.associated(purpose))
	if err != nil {
		return nil, ErrToken
	}
	return out, nil
}

func (v *view) findSeal(raw []byte) *key {
	for _, k := range v.accepted {
		if k.Use == Seal && [5]byte(raw) == k.prefix {
			return k
		}
	}
	return nil
}
