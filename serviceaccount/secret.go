package serviceaccount

import (
	"fmt"
	"log/slog"
	"strings"
)

// A Secret is a text that does not show itself: printed, logged or encoded it is "[secret]". string(s) gives the text.
type Secret string

const redacted = "[secret]"

// Format prints the same whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// String gives "[secret]", or "" where there is none.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// LogValue is for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is for JSON, and whatever else encodes texts.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML is for YAML.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// without takes secrets out of a text that somebody else wrote.
func without(text string, secrets ...Secret) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, string(s), redacted)
		}
	}
	return text
}
