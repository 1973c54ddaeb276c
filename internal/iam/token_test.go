package iam_test

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stackgate/stackgate/internal/iam"
)

var exampleToken = iam.Token{
	ClientID: "EU.0f0f0f0f0f0f0f0f",
	SecretID: "00112233445566ff",
	Project:  "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
	Methods:  iam.MethodOpenID | iam.MethodToken,
	AuditID:  [16]byte{1, 2, 3},
	IssuedAt: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
	Expires:  time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC),
}

func TestTokenRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		issued := rapid.Int64Range(0, 1<<37).Draw(t, "issued")
		want := iam.Token{
			ClientID: iam.ClientID(rapid.StringMatching(`[A-Za-z0-9.-]{1,32}`).Draw(t, "client")),
			SecretID: rapid.StringMatching(`[0-9a-f]{16}`).Draw(t, "secret"),
			Project:  iam.ProjectID(rapid.StringMatching(`([0-9a-f]{32})?`).Draw(t, "project")),
			Methods:  iam.Methods(rapid.Uint8Range(0, 15).Draw(t, "methods")),
			AuditID:  [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "audit")),
			IssuedAt: time.Unix(issued, 0).UTC(),
			Expires:  time.Unix(issued+rapid.Int64Range(0, 1e6).Draw(t, "life"), 0).UTC(),
		}
		b, err := want.AppendBinary([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.TrimPrefix(b, []byte("before"))
		if got, err := iam.ParseToken(b); err != nil || got != want {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
		if sealed := (1 + 4 + 24 + len(b) + 16) * 8 / 6; sealed > 254 {
			t.Fatalf("%d bytes seal into more than 255 characters", len(b))
		}
		if got, err := iam.ParseToken(b[:len(b)-len(want.ClientID)]); err == nil {
			t.Fatalf("without its end it reads as %+v", got)
		}
	})
}

func TestTokenTimesAreWholeSecondsInUTC(t *testing.T) {
	token := exampleToken
	token.IssuedAt = token.IssuedAt.Add(999 * time.Millisecond).In(time.FixedZone("", 3600))
	b, err := token.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := iam.ParseToken(b); err != nil || got != exampleToken {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTokenThatCannotBeWritten(t *testing.T) {
	tests := map[string]func(*iam.Token){
		"no client":                  func(t *iam.Token) { t.ClientID = "" },
		"a client with a colon":      func(t *iam.Token) { t.ClientID = "a:b" },
		"no secret":                  func(t *iam.Token) { t.SecretID = "" },
		"a secret in upper case":     func(t *iam.Token) { t.SecretID = "00112233445566FF" },
		"a secret that is short":     func(t *iam.Token) { t.SecretID = "00" },
		"a project that is no id":    func(t *iam.Token) { t.Project = "p" },
		"an unknown method":          func(t *iam.Token) { t.Methods = 1 << 4 },
		"a time before 1970":         func(t *iam.Token) { t.IssuedAt = time.Unix(-1, 0) },
		"zero times":                 func(t *iam.Token) { t.IssuedAt, t.Expires = time.Time{}, time.Time{} },
		"a time after the year 9999": func(t *iam.Token) { t.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"an end before the start":    func(t *iam.Token) { t.Expires = t.IssuedAt.Add(-time.Second) },
	}
	for name, change := range tests {
		token := exampleToken
		change(&token)
		if b, err := token.AppendBinary(nil); err == nil || b != nil {
			t.Errorf("%s: %x, %v", name, b, err)
		}
	}
}

func TestParseTokenRefuses(t *testing.T) {
	good, err := exampleToken.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	with := func(i int, c byte) []byte {
		b := bytes.Clone(good)
		b[i] = c
		return b
	}
	tests := map[string][]byte{
		"nothing":                    nil,
		"too little":                 good[:42],
		"another version":            with(0, 2),
		"an unknown method":          with(1, 0x10),
		"an issue time before 1970":  with(18, 0x80),
		"an end before the start":    with(30, 0),
		"a flag that is neither":     with(42, 2),
		"a project cut short":        good[:50],
		"a project and no client":    good[:59],
		"a client with a colon":      with(60, ':'),
		"a byte too many":            append(bytes.Clone(good), 0),
		"a client that is too long":  append(bytes.Clone(good), "0123456789abcdef"...),
		"a project that is not said": with(42, 0),
	}
	for name, b := range tests {
		if got, err := iam.ParseToken(b); err == nil || got != (iam.Token{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestParseTokenAllocatesItsStringsOnly(t *testing.T) {
	b, err := exampleToken.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = iam.ParseToken(b) }); n > 3 {
		t.Errorf("%v allocations", n)
	}
	buf := make([]byte, 0, 128)
	if n := testing.AllocsPerRun(100, func() { _, _ = exampleToken.AppendBinary(buf) }); n > 0 {
		t.Errorf("%v allocations to write", n)
	}
}

// FuzzToken wants that what is read is written as it was, and that an error comes with nothing.
func FuzzToken(f *testing.F) {
	for _, project := range []iam.ProjectID{"", exampleToken.Project} {
		token := exampleToken
		token.Project = project
		b, err := token.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		token, err := iam.ParseToken(b)
		if err != nil {
			if token != (iam.Token{}) {
				t.Fatalf("%+v and %v", token, err)
			}
			return
		}
		if again, err := token.AppendBinary(nil); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}
