package keys

import (
	"crypto"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/crypto/chacha20poly1305"
)

// The algorithms, by the names of RFC 7518 and, for XC20P, of draft-amringer-jose-chacha.
const (
	ES256 = "ES256"
	RS256 = "RS256"
	XC20P = "XC20P"
	HS256 = "HS256"
)

// A key is a Stored key, ready for use. Which members are set depends on its use.
type key struct {
	Stored
	signer jose.Signer      // Sign
	public crypto.PublicKey // Sign
	jwk    []byte           // Sign: public, as JSON Web Key
	aead   cipher.AEAD      // Seal
	prefix [5]byte          // Seal: version and id, as they stand in front of a token
	pepper []byte           // Pepper
}

var errNoKey = errors.New("every key of that use is retired")

// generate makes a key of a use.
func (r *Ring) generate(use Use, created, active time.Time) (Stored, error) {
	s := Stored{ID: newID(use), Use: use, CreatedAt: created, ActiveAt: active}
	var plain []byte
	switch use {
	case Sign:
		s.Algorithm = r.c.Algorithm
		private, err := generateSigner(s.Algorithm)
		if err != nil {
			return Stored{}, fmt.Errorf("make a signing key: %w", err)
		}
		if plain, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
			return Stored{}, fmt.Errorf("encode a signing key: %w", err)
		}
	case Seal, Pepper:
		s.Algorithm = XC20P
		if use == Pepper {
			s.Algorithm = HS256
		}
		plain = make([]byte, 32)
		_, _ = rand.Read(plain)
	default:
		return Stored{}, fmt.Errorf("there are no keys of use %q", use)
	}
	sealed, err := wrap(r.c.Master, s, plain)
	s.Sealed = sealed
	return s, err
}

// newID gives 8 hexadecimal digits, which fit into a token, or 16 for a kid, which other programs cache.
func newID(use Use) string {
	b := make([]byte, 4, 8)
	if use == Sign {
		b = b[:8]
	}
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func generateSigner(algorithm string) (crypto.Signer, error) {
	if algorithm == RS256 {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func (r *Ring) unwrapAll(stored []Stored) ([]*key, error) {
	out := make([]*key, 0, len(stored))
	for _, s := range stored {
		plain, err := unwrap(r.c.Master, s)
		if err != nil {
			return nil, err
		}
		k, err := newKey(s, plain)
		if err != nil {
			return nil, fmt.Errorf("read the stored %s key %q: %w", s.Use, s.ID, err)
		}
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b *key) int {
		if later(a, b) {
			return 1
		}
		return -1
	})
	return out, nil
}

func newKey(s Stored, plain []byte) (*key, error) {
	k := &key{Stored: s}
	switch s.Use {
	case Sign:
		return k, k.setSigner(plain)
	case Seal:
		id, err := hex.DecodeString(s.ID)
		if err != nil || len(id) != len(k.prefix)-1 {
			return nil, fmt.Errorf("its id is not %d hexadecimal digits", 2*(len(k.prefix)-1))
		}
		k.prefix[0] = sealVersion
		copy(k.prefix[1:], id)
		k.aead, err = chacha20poly1305.NewX(plain)
		return k, err
	case Pepper:
		if len(plain) != 32 {
			return nil, fmt.Errorf("it has %d bytes instead of 32", len(plain))
		}
		k.pepper = plain
		return k, nil
	}
	return nil, fmt.Errorf("there are no keys of use %q", s.Use)
}

func (k *key) setSigner(plain []byte) error {
	private, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return err
	}
	signer, ok := private.(crypto.Signer)
	if _, isEC := private.(*ecdsa.PrivateKey); !ok || isEC != (k.Algorithm == ES256) {
		return fmt.Errorf("it is not one for %q", k.Algorithm)
	}
	k.public = signer.Public()
	k.jwk, err = jose.JSONWebKey{Key: k.public, KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"}.MarshalJSON()
	if err != nil {
		return err
	}
	with := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: jose.JSONWebKey{Key: private, KeyID: k.ID}}
	k.signer, err = jose.NewSigner(with, (&jose.SignerOptions{}).WithType("JWT"))
	return err
}
