package iam

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
)

// A Token is what a sealed token says: who, on what, since when and until when. It carries no rights; those are computed when it
// is used. It has one binary form, made by AppendBinary and read by ParseToken; package keys seals it.
type Token struct {
	ClientID ClientID
	SecretID string    // the secret it was made with; revoking the secret ends it
	Project  ProjectID // "" for an unscoped token
	Methods  Methods
	AuditID  [16]byte
	IssuedAt time.Time // whole seconds, UTC
	Expires  time.Time // whole seconds, UTC
}

// Methods is the set of ways a token was obtained.
type Methods uint8

// The methods of Identity v3 that we have.
const (
	MethodOpenID Methods = 1 << iota
	MethodToken
	MethodPassword
	MethodApplicationCredential
	allMethods Methods = 1<<iota - 1
)

// A Purpose tells kinds of sealed tokens apart: a token sealed for one is nothing to another.
type Purpose string

// The purposes. They are part of the sealed form; never reuse one.
const (
	IdentityToken   Purpose = "identity-token"   // Identity v3, X-Auth-Token
	AccessToken     Purpose = "access-token"     // of the role-adapter; accepted by the federation endpoint only
	ManagementToken Purpose = "management-token" // of /auth/oauth2/token; accepted by the management API only
)

// The binary form, version 1:
//
//	1  version
//	1  methods
//	16 audit id
//	8  issued, seconds since 1970, big endian
//	8  expires, likewise
//	8  secret id
//	1  1 if a project follows, else 0
//	16 project, if any
//	…  client id, to the end
//
// At most 91 bytes, which sealed and in base64url stay far below 255 characters.
const (
	tokenVersion = 1
	tokenFixed   = 1 + 1 + 16 + 8 + 8 + 8 + 1
	maxUnix      = 253402300799 // the last second of the year 9999
)

var errToken = errors.New("not a token")

// AppendBinary appends the binary form to b. Fractions of a second are cut off. A token that ParseToken would not read is an error.
func (t Token) AppendBinary(b []byte) ([]byte, error) {
	issued, expires := t.IssuedAt.Unix(), t.Expires.Unix()
	if !t.ClientID.Valid() || !validSecretID(t.SecretID) || t.Methods&^allMethods != 0 || !validTimes(issued, expires) {
		return nil, errToken
	}
	b = append(b, tokenVersion, byte(t.Methods))
	b = append(b, t.AuditID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(issued))
	b = binary.BigEndian.AppendUint64(b, uint64(expires))
	b = appendHex(b, t.SecretID)
	switch {
	case t.Project == "":
		b = append(b, 0)
	case t.Project.Valid():
		b = appendHex(append(b, 1), string(t.Project))
	default:
		return nil, errToken
	}
	return append(b, t.ClientID...), nil
}

// ParseToken reads the binary form. Anything that AppendBinary does not make is an error, and the token is then zero.
func ParseToken(b []byte) (Token, error) {
	if len(b) < tokenFixed || b[0] != tokenVersion || Methods(b[1])&^allMethods != 0 {
		return Token{}, errToken
	}
	t := Token{Methods: Methods(b[1]), AuditID: [16]byte(b[2:18])}
	issued, expires := int64(binary.BigEndian.Uint64(b[18:26])), int64(binary.BigEndian.Uint64(b[26:34]))
	if !validTimes(issued, expires) {
		return Token{}, errToken
	}
	t.IssuedAt, t.Expires = time.Unix(issued, 0).UTC(), time.Unix(expires, 0).UTC()
	t.SecretID = encodeHex(b[34:42])
	scoped, rest := b[42], b[43:]
	switch {
	case scoped == 1 && len(rest) >= 16:
		t.Project, rest = ProjectID(encodeHex(rest[:16])), rest[16:]
	case scoped != 0:
		return Token{}, errToken
	}
	t.ClientID = ClientID(rest)
	if !t.ClientID.Valid() {
		return Token{}, errToken
	}
	return t, nil
}

func validTimes(issued, expires int64) bool {
	return 0 <= issued && issued <= expires && expires <= maxUnix
}

// appendHex appends the bytes that s, checked before, spells in hexadecimal.
func appendHex(b []byte, s string) []byte {
	b, _ = hex.AppendDecode(b, []byte(s))
	return b
}

// encodeHex is hex.EncodeToString with one allocation, for up to 16 bytes.
func encodeHex(b []byte) string {
	var buf [32]byte
	return string(buf[:hex.Encode(buf[:], b)])
}
