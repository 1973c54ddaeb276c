// Package keys keeps keys: signing keys with rotation and a JSON Web Key Set, the key that seals tokens, the pepper for secrets.
package keys

import (
	"context"
	"errors"
	"time"
)

var errTODO = errors.New("not implemented")

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

// Config configures a Ring.
type Config struct {
	Master    []byte                                            // 32 bytes
	Load      func(ctx context.Context) ([]Stored, error)       // every stored key
	Insert    func(ctx context.Context, k Stored) (bool, error) // insert if no key of that use is there yet (first start), reports whether it did
	Save      func(ctx context.Context, ks []Stored) error      // insert or update, in one transaction (rotation)
	Algorithm string                                            // of id_tokens: ES256 (default) or RS256
	Now       func() time.Time
}

// A Ring holds the keys in memory. Safe for concurrent use.
type Ring struct{}

// New loads the keys and makes those that are missing.
func New(ctx context.Context, c Config) (*Ring, error) { return nil, errTODO }

// Reload reads the stored keys again, for rotations done by another process.
func (r *Ring) Reload(ctx context.Context) error { return errTODO }

// Seal encrypts payload for a purpose into at most 255 characters of [A-Za-z0-9_-].
func (r *Ring) Seal(purpose string, payload []byte) (string, error) { return "", errTODO }

// Open decrypts what Seal made for the same purpose, appending the payload to dst. Any altered, truncated or extended token, and any
// other purpose, is an error.
func (r *Ring) Open(dst []byte, purpose, token string) ([]byte, error) { return nil, errTODO }

// SignJWT signs JSON claims as a compact JWS (RFC 7515) with typ JWT and kid.
func (r *Ring) SignJWT(claims []byte) (string, error) { return "", errTODO }

// VerifyJWT checks a compact JWS against the ring's own keys and algorithms and returns its claims, still to be judged.
func (r *Ring) VerifyJWT(token string) ([]byte, error) { return nil, errTODO }

// JWKS gives the public signing keys as a JSON Web Key Set (RFC 7517 §5).
func (r *Ring) JWKS() []byte { return nil }

// MAC computes the HMAC-SHA-256 of a secret under the current pepper and names the pepper.
func (r *Ring) MAC(secret string) (pepper string, mac [32]byte) { return "", [32]byte{} }

// CheckMAC reports, in constant time, whether mac is that of secret under the named pepper. An unknown pepper does the same work and
// reports false.
func (r *Ring) CheckMAC(secret, pepper string, mac []byte) bool { return false }
