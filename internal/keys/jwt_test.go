package keys_test

import (
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/stackgate/stackgate/internal/keys"
)

const claims = `{"iss":"https://iam.example","sub":"me"}`

var b64 = base64.RawURLEncoding

// mustSignHead gives the header of a freshly signed token.
func mustSignHead(t testing.TB, r *keys.Ring) string {
	t.Helper()
	head, _, _ := strings.Cut(mustSign(t, r, claims), ".")
	b, err := b64.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func published(t testing.TB, r *keys.Ring) jose.JSONWebKeySet {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(r.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	return set
}

func refuseJWT(t *testing.T, r *keys.Ring, what, token string) {
	t.Helper()
	got, err := r.VerifyJWT(token)
	if !errors.Is(err, keys.ErrJWT) || got != nil {
		t.Errorf("%s: %q, %v", what, got, err)
	}
}

func TestSignedTokensVerifyWithThePublishedKeys(t *testing.T) {
	for _, alg := range []string{keys.ES256, keys.RS256} {
		f := newFixture(t)
		c := f.config()
		c.Algorithm = alg
		r, err := keys.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		token := mustSign(t, r, claims)
		if got, err := r.VerifyJWT(token); err != nil || string(got) != claims {
			t.Fatalf("%s: %q, %v", alg, got, err)
		}
		jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatal(err)
		}
		head := jws.Signatures[0].Protected
		set := published(t, r)
		if len(set.Keys) != 1 || set.Keys[0].Use != "sig" || set.Keys[0].Algorithm != alg || head.KeyID != set.Keys[0].KeyID || head.ExtraHeaders["typ"] != "JWT" {
			t.Fatalf("%s: header %+v, keys %s", alg, head, r.JWKS())
		}
		if _, err := jws.Verify(set.Keys[0]); err != nil {
			t.Fatal(err)
		}
	}
}

// TestO12_SizeAndEncryptionAreRefusedBeforeParsing: JWE is not accepted in any form, and nothing longer than 8 KiB is looked at.
func TestO12_SizeAndEncryptionAreRefusedBeforeParsing(t *testing.T) {
	r := newFixture(t).ring(t)
	refuseJWT(t, r, "8 KiB and more, validly signed", mustSign(t, r, `{"x":"`+strings.Repeat("a", 8<<10)+`"}`))
	refuseJWT(t, r, "a megabyte of dots", strings.Repeat(".", 1<<20))
	encrypter, err := jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: jose.PBES2_HS256_A128KW, Key: "x", PBES2Count: 1000}, nil)
	if err != nil {
		t.Fatal(err)
	}
	jwe, err := encrypter.Encrypt([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := jwe.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	refuseJWT(t, r, "a JWE", compact)
	for _, s := range []string{"", ".", "..", "...", "a.b.c", "e30.e30.", "e30..e30", ".e30.e30", "bnVsbA.bnVsbA.bnVsbA", "W10.e30.AAAA", `{"payload":"e30"}`} {
		refuseJWT(t, r, "malformed "+s, s)
	}
}

// forge signs claims with key under header, without any library's scruples.
func forge(t *testing.T, header map[string]any, sign func(input string) []byte) string {
	t.Helper()
	head, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	input := b64.EncodeToString(head) + "." + b64.EncodeToString([]byte(claims))
	return input + "." + b64.EncodeToString(sign(input))
}

// TestO13_KeysInTheTokenMeanNothing signs with an attacker's key that the token brings along or points to.
func TestO13_KeysInTheTokenMeanNothing(t *testing.T) {
	r, attacker := newFixture(t).ring(t), newFixture(t).ring(t)
	kid := published(t, r).Keys[0].KeyID
	theirs := published(t, attacker).Keys[0]
	refuseJWT(t, r, "another ring's token", mustSign(t, attacker, claims))
	_, rest, _ := strings.Cut(mustSign(t, attacker, claims), ".")
	for name, value := range map[string]any{
		"jwk": theirs, "jku": "https://evil.example/jwks", "x5u": "https://evil.example/cert", "x5c": []string{"MIIB"},
	} {
		for _, id := range []string{kid, theirs.KeyID} {
			head, err := json.Marshal(map[string]any{"alg": "ES256", "kid": id, name: value})
			if err != nil {
				t.Fatal(err)
			}
			refuseJWT(t, r, name, b64.EncodeToString(head)+"."+rest)
		}
	}
}

// TestO14_ClassicForgeries is one case per trick.
func TestO14_ClassicForgeries(t *testing.T) {
	f := newFixture(t)
	c := f.config()
	c.Algorithm = keys.RS256
	rs, err := keys.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	es := newFixture(t).ring(t)
	rsKey, esKey := published(t, rs).Keys[0], published(t, es).Keys[0]
	spki, err := x509.MarshalPKIXPublicKey(rsKey.Key)
	if err != nil {
		t.Fatal(err)
	}
	mac := func(key []byte) func(string) []byte {
		return func(input string) []byte { h := hmac.New(sha256.New, key); h.Write([]byte(input)); return h.Sum(nil) }
	}
	constant := func(b []byte) func(string) []byte { return func(string) []byte { return b } }
	genuine := strings.Split(mustSign(t, es, claims), ".")
	signature, err := b64.DecodeString(genuine[2])
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		r     *keys.Ring
		token string
	}{
		{"alg none without a signature", es, forge(t, map[string]any{"alg": "none", "kid": esKey.KeyID}, constant(nil))},
		{"alg None with a signature", es, forge(t, map[string]any{"alg": "None", "kid": esKey.KeyID}, constant([]byte("x")))},
		{"no alg", es, forge(t, map[string]any{"kid": esKey.KeyID}, constant(signature))},
		{"HS256 with the public RSA key as the secret", rs, forge(t, map[string]any{"alg": "HS256", "kid": rsKey.KeyID}, mac(spki))},
		{"HS256 with the modulus as the secret", rs, forge(t, map[string]any{"alg": "HS256", "kid": rsKey.KeyID}, mac(rsKey.Key.(*rsa.PublicKey).N.Bytes()))},
		{"HS256 with the JWKS as the secret", rs, forge(t, map[string]any{"alg": "HS256", "kid": rsKey.KeyID}, mac(rs.JWKS()))},
		{"RS256 named for an ES256 key", es, forge(t, map[string]any{"alg": "RS256", "kid": esKey.KeyID}, constant(signature))},
		{"ES256 named for an RS256 key", rs, forge(t, map[string]any{"alg": "ES256", "kid": rsKey.KeyID}, constant(signature))},
		{"ES384", es, forge(t, map[string]any{"alg": "ES384", "kid": esKey.KeyID}, constant(make([]byte, 96)))},
		{"PS256", rs, forge(t, map[string]any{"alg": "PS256", "kid": rsKey.KeyID}, constant(make([]byte, 256)))},
		{"ECDSA with r = s = 0", es, forge(t, map[string]any{"alg": "ES256", "kid": esKey.KeyID}, constant(make([]byte, 64)))},
		{"a signature in ASN.1", es, forge(t, map[string]any{"alg": "ES256", "kid": esKey.KeyID}, constant([]byte{0x30, 6, 2, 1, 1, 2, 1, 1}))},
		{"an empty RSA signature", rs, forge(t, map[string]any{"alg": "RS256", "kid": rsKey.KeyID}, constant([]byte{0}))},
		{"no kid", es, forge(t, map[string]any{"alg": "ES256"}, constant(signature))},
		{"a kid that is a path", es, forge(t, map[string]any{"alg": "ES256", "kid": "../../dev/null"}, constant(signature))},
		{"a kid that is SQL", es, forge(t, map[string]any{"alg": "ES256", "kid": "' OR '1'='1"}, constant(signature))},
		{"a kid that is a number", es, forge(t, map[string]any{"alg": "ES256", "kid": 7}, constant(signature))},
		{"an unknown critical extension", es, forge(t, map[string]any{"alg": "ES256", "kid": esKey.KeyID, "crit": []string{"x"}, "x": 1}, constant(signature))},
		{"alg twice", es, b64.EncodeToString([]byte(`{"alg":"none","alg":"ES256","kid":"`+esKey.KeyID+`"}`)) + "." + genuine[1] + "." + genuine[2]},
		{"other claims under a genuine signature", es, genuine[0] + "." + b64.EncodeToString([]byte(`{"sub":"you"}`)) + "." + genuine[2]},
		{"a sealed token", es, mustSeal(t, es, "p", claims)},
	} {
		refuseJWT(t, test.r, test.name, test.token)
	}
}

// TestO5_EveryAlteredSignedTokenIsRefused changes each character, cuts at each, and appends.
func TestO5_EveryAlteredSignedTokenIsRefused(t *testing.T) {
	r := newFixture(t).ring(t)
	token := mustSign(t, r, `{"a":1}`)
	for i := range len(token) {
		refuseJWT(t, r, "truncated", token[:i])
		for _, c := range "AQgw-_.=\n" {
			if altered := token[:i] + string(c) + token[i+1:]; altered != token {
				refuseJWT(t, r, "altered", altered)
			}
		}
	}
	for _, end := range []string{"A", "=", "\n", ".", ".e30", " "} {
		refuseJWT(t, r, "extended", token+end)
	}
}

func FuzzVerifyJWT(f *testing.F) {
	r := newFixture(f).ring(f)
	token := mustSign(f, r, claims)
	f.Add(token)
	f.Add(strings.Replace(token, ".", "..", 1))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(token[:len(token)-1])
	f.Fuzz(func(t *testing.T, s string) {
		got, err := r.VerifyJWT(s)
		if (err == nil) != (s == token) || err != nil && got != nil {
			t.Fatalf("%q gives %q, %v", s, got, err)
		}
	})
}

func BenchmarkSignJWT(b *testing.B) {
	r := newFixture(b).ring(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.SignJWT([]byte(claims)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyJWT(b *testing.B) {
	r := newFixture(b).ring(b)
	token := mustSign(b, r, claims)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.VerifyJWT(token); err != nil {
			b.Fatal(err)
		}
	}
}
