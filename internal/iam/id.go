package iam

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"

	"github.com/stackgate/stackgate/internal/urn"
)

// NewClientID makes a client id in a partition.
func NewClientID(p urn.Partition) ClientID {
	return ClientID(strings.ToUpper(string(p)) + "." + randomHex(8))
}

// ParseClientID reads a client id: 1 to 32 letters, digits, dots and hyphens. The guide's bare sixteen digits are one, too.
func ParseClientID(s string) (ClientID, error) {
	if id := ClientID(s); id.Valid() {
		return id, nil
	}
	return "", Errorf(Invalid, "a client id has 1 to %d letters, digits, dots and hyphens, like EU.0f0f0f0f0f0f0f0f", urn.MaxClientID)
}

// Valid reports whether id has the form of a client id.
func (id ClientID) Valid() bool {
	if id == "" || len(id) > urn.MaxClientID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

// Partition gives the partition that the id's prefix (EU., CA., US.) names. An id without prefix says nothing: false.
func (id ClientID) Partition() (urn.Partition, bool) {
	before, _, ok := strings.Cut(string(id), ".")
	p := urn.Partition(strings.ToLower(before))
	if !ok || !p.Valid() || before != strings.ToUpper(before) {
		return "", false
	}
	return p, true
}

// NewProjectID makes a project id.
func NewProjectID() ProjectID { return ProjectID(randomHex(16)) }

// ParseProjectID reads a project id.
func ParseProjectID(s string) (ProjectID, error) {
	if id := ProjectID(s); id.Valid() {
		return id, nil
	}
	return "", Errorf(Invalid, "a project id has 32 lower-case hexadecimal digits")
}

// Valid reports whether id has the form of a project id.
func (id ProjectID) Valid() bool { return len(id) == 32 && isHex(string(id)) }

// NewSecretID makes the id of a secret, which is not secret.
func NewSecretID() string { return randomHex(8) }

func validSecretID(id string) bool { return len(id) == 16 && isHex(id) }

// The form of a secret's value: a prefix that secret scanners look for, 256 random bits, and a checksum with which they and we can
// tell a secret from something like it.
const (
	secretPrefix = "sgs_"
	secretRandom = 43 // base64url characters of 32 bytes
	secretSum    = 6  // base64url characters of the CRC-32 (IEEE) of all before it
)

// NewSecretValue makes the value of a secret.
func NewSecretValue() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	value := secretPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return value + secretChecksum(value)
}

// ValidSecretValue reports whether s has the form of a secret's value, checksum included. It says nothing of whether the
// secret exists, and takes a time that depends on public parts only.
func ValidSecretValue(s string) bool {
	if len(s) != len(secretPrefix)+secretRandom+secretSum || !strings.HasPrefix(s, secretPrefix) {
		return false
	}
	value, sum := s[:len(s)-secretSum], s[len(s)-secretSum:]
	_, err := base64.RawURLEncoding.Strict().DecodeString(value[len(secretPrefix):])
	return err == nil && sum == secretChecksum(value)
}

func secretChecksum(value string) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(value)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
