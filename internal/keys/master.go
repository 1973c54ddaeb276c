package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	masterSize  = chacha20poly1305.KeySize
	wrapVersion = 1
)

// NewMaster makes a master key as the text to keep in a file or in the environment: 44 characters of base64 and a newline.
func NewMaster() []byte {
	var k [masterSize]byte
	_, _ = rand.Read(k[:]) // never fails
	return append(base64.StdEncoding.AppendEncode(nil, k[:]), '\n')
}

// ParseMaster reads what NewMaster made. White space around it is ignored. The error never holds the text.
func ParseMaster(text []byte) ([]byte, error) {
	k, err := base64.StdEncoding.Strict().DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		return nil, errors.New("the master key is not base64: it is one line of 44 characters, as `stackgate init` makes it")
	}
	if len(k) != masterSize {
		return nil, fmt.Errorf("the master key has %d bytes instead of %d: it is one line of 44 characters, as `stackgate init` makes it", len(k), masterSize)
	}
	return k, nil
}

// ErrMaster says that stored keys cannot be decrypted.
var ErrMaster = errors.New("the master key does not fit the keys in the database. Start with the master key that this database was made with " +
	"(its file or environment variable is part of your backup); without it every token and secret has to be made anew, see docs/security.md")

// wrap encrypts key material for the database.
func wrap(master []byte, s Stored, plain []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(master)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 1+chacha20poly1305.NonceSizeX, 1+chacha20poly1305.NonceSizeX+len(plain)+chacha20poly1305.Overhead)
	out[0] = wrapVersion
	_, _ = rand.Read(out[1:])
	return aead.Seal(out, out[1:], plain, wrapData(s)), nil
}

func unwrap(master []byte, s Stored) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(master)
	if err != nil {
		return nil, err
	}
	if len(s.Sealed) <= 1+chacha20poly1305.NonceSizeX || s.Sealed[0] != wrapVersion {
		return nil, fmt.Errorf("the stored %s key %q is damaged or was written by a newer version", s.Use, s.ID)
	}
	nonce, sealed := s.Sealed[1:1+chacha20poly1305.NonceSizeX], s.Sealed[1+chacha20poly1305.NonceSizeX:]
	plain, err := aead.Open(nil, nonce, sealed, wrapData(s))
	if err != nil {
		return nil, fmt.Errorf("decrypt the stored %s key %q: %w", s.Use, s.ID, ErrMaster)
	}
	return plain, nil
}

// wrapData is the associated data: a row cannot be given another id, use or algorithm. Quoting keeps the parts apart.
func wrapData(s Stored) []byte {
	out := strconv.AppendQuote(nil, s.ID)
	out = strconv.AppendQuote(out, string(s.Use))
	return strconv.AppendQuote(out, s.Algorithm)
}
