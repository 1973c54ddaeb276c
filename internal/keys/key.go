package keys

import (
	"crypto"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
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
	sign   signature        // Sign
	head   string           // Sign: the header of its tokens, encoded, with the dot after it
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

// A signature signs a SHA-256 digest as RFC 7518 §3.3 and §3.4 want it.
type signature func(digest []byte) ([]byte, error)

func (k *key) setSigner(plain []byte) error {
	private, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return err
	}
	switch private := private.(type) {
	case *ecdsa.PrivateKey:
		if k.Algorithm != ES256 || private.Curve != elliptic.P256() {
			return fmt.Errorf("it is not one for %q", k.Algorithm)
		}
		k.sign, k.public = signES256(private), private.Public()
	case *rsa.PrivateKey:
		if k.Algorithm != RS256 {
			return fmt.Errorf("it is not one for %q", k.Algorithm)
		}
		k.sign, k.public = signRS256(private), private.Public()
	default:
		return fmt.Errorf("it is not one for %q", k.Algorithm)
	}
	k.head = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+k.Algorithm+`","kid":"`+k.ID+`","typ":"JWT"}`)) + "." // ids are hexadecimal
	k.jwk, err = jose.JSONWebKey{Key: k.public, KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"}.MarshalJSON()
	return err
}

func signES256(private *ecdsa.PrivateKey) signature {
	return func(digest []byte) ([]byte, error) {
		r, s, err := ecdsa.Sign(rand.Reader, private, digest)
		if err != nil {
			return nil, err
		}
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out, nil
	}
}

func signRS256(private *rsa.PrivateKey) signature {
	return func(digest []byte) ([]byte, error) { return rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest) }
}
