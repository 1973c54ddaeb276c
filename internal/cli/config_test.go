package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/server"
)

// TestDecisionsAreConfigured reads what a file says of decisions, as far as package server gets it.
func TestDecisionsAreConfigured(t *testing.T) {
	t.Setenv("STACKGATE_MASTER_KEY", strings.Repeat("A", 43)+"=")
	for text, want := range map[string]server.Decisions{
		"": {},
		"decisions: {age: 1h, number: 5, sample: 1}": {Age: time.Hour, Number: 5, Sample: 1},
		"decisions: {number: 0, sample: 0}":          {Number: -1, Sample: -1},
	} {
		got, err := serverConfig(t, text)
		if err != nil || got.Decisions != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got.Decisions, err, want)
		}
	}
	for _, text := range []string{"decisions: {age: 1s}", "decisions: {age: 721h}", "decisions: {number: -1}", "decisions: {sample: -1}",
		"decisions: {number: 1000001}", "decisions: {samples: 1}"} {
		if _, err := serverConfig(t, text); err == nil || !strings.Contains(err.Error(), "decisions") && !strings.Contains(err.Error(), "samples") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func serverConfig(t *testing.T, text string) (server.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stackgate.yaml")
	if err := os.WriteFile(path, []byte("public_url: https://stackgate.example\n"+text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig(path)
	if err != nil {
		return server.Config{}, err
	}
	return c.server(nil)
}
