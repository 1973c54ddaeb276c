package load_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/load"
)

func TestManyServiceAccountsTakeTurns(t *testing.T) {
	to := target(t)
	if err := load.FirstToken(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	for _, s := range []load.Scenario{load.SpreadLogin([]load.Target{to, to}), load.SpreadGateway([]load.Target{to, to})} {
		if r := run(t, s); r.Flows == 0 || r.Errors != 0 {
			t.Errorf("%s: %d flows, %d errors: %s", s.Name, r.Flows, r.Errors, r.FirstError)
		}
	}
	for _, s := range []load.Scenario{load.SpreadLogin(nil), load.SpreadGateway(nil)} {
		if _, err := load.Run(t.Context(), load.Config{Scenario: s}); err == nil {
			t.Errorf("%s by nobody ran", s.Name)
		}
	}
}

func TestAServerThatNeverStartsIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	if err := load.FirstToken(ctx, load.Target{DiscoveryEndpoint: address}); err == nil {
		t.Error("it gave a token")
	}
}

func TestFiguresAreATable(t *testing.T) {
	var b strings.Builder
	if err := load.PrintFigures(&b, []load.Figure{{"memory, idle", "27 MiB", "< 60 MiB"}}); err != nil {
		t.Fatal(err)
	}
	const want = `
| what         | measured | budget   |
|--------------|----------|----------|
| memory, idle | 27 MiB   | < 60 MiB |
`
	if got := b.String(); got != want[1:] {
		t.Errorf("got\n%s", got)
	}
}
