package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// maxJWT bounds a token before anything of it is parsed (8 KiB: Apache refuses longer headers anyway).
const maxJWT = 8 << 10

// ErrJWT is what VerifyJWT says about a token that it does not accept; the wrapped text says why, and holds nothing of the token.
var ErrJWT = errors.New("not a signed token of ours")

// maxSignature is how long an encoded RS256 signature is; ES256's are shorter.
const maxSignature = 342

// SignJWT signs JSON claims as a compact JWS (RFC 7515) with typ JWT and kid. The header never changes while a key lives, so it is not
// made anew each time, which a general library does.
func (r *Ring) SignJWT(claims []byte) (string, error) {
	k := r.current().sign
	if k == nil {
		return "", errNoKey
	}
	enc := base64.RawURLEncoding
	out := make([]byte, 0, len(k.head)+enc.EncodedLen(len(claims))+len(".")+maxSignature)
	out = enc.AppendEncode(append(out, k.head...), claims)
	digest := sha256.Sum256(out)
	signature, err := k.sign(digest[:])
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return string(enc.AppendEncode(append(out, '.'), signature)), nil
}

// VerifyJWT checks a compact JWS against the ring's own keys and algorithms and returns its claims, still to be judged. The key is
// the one that kid names in the ring, with its own algorithm; keys that a token brings along (jwk, jku, x5c, x5u) mean nothing.
func (r *Ring) VerifyJWT(token string) ([]byte, error) {
	if len(token) > maxJWT {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrJWT, maxJWT)
	}
	if !canonical(token) {
		return nil, fmt.Errorf("%w: not three parts of base64url", ErrJWT)
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		return nil, fmt.Errorf("%w: malformed, or its algorithm is not allowed", ErrJWT)
	}
	head := jws.Signatures[0].Protected
	k := r.current().find(Sign, head.KeyID)
	if k == nil || k.Algorithm != head.Algorithm {
		return nil, fmt.Errorf("%w: no key of that kid and algorithm", ErrJWT)
	}
	claims, err := jws.Verify(k.public)
	if err != nil {
		return nil, fmt.Errorf("%w: wrong signature", ErrJWT)
	}
	return claims, nil
}

// canonical reports whether a compact JWS has three parts in the one spelling that base64url has for them.
func canonical(token string) bool {
	if strings.Count(token, ".") != 2 || strings.ContainsAny(token, "\r\n") {
		return false
	}
	for part := range strings.SplitSeq(token, ".") {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil || part == "" {
			return false
		}
	}
	return true
}

// JWKS gives the public signing keys as a JSON Web Key Set (RFC 7517 §5): those in use, those about to be, and those whose tokens may
// still be presented. The caller must not change the bytes.
func (r *Ring) JWKS() []byte { return r.current().jwks }

func (v *view) joinJWKS() []byte {
	var each [][]byte
	for _, k := range v.accepted {
		if k.Use == Sign {
			each = append(each, k.jwk)
		}
	}
	return slices.Concat([]byte(`{"keys":[`), bytes.Join(each, []byte(",")), []byte("]}"))
}
