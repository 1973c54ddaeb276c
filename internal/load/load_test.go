package load_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stackgate/stackgate/internal/load"
)

func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	address, stop, err := load.Serve(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return address
}

func run(t testing.TB, s load.Scenario) load.Result {
	t.Helper()
	r, err := load.Run(t.Context(), load.Config{Scenario: s, Duration: 50 * time.Millisecond, Warmup: -1, Concurrency: 3})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheBareCounterpartsAnswer(t *testing.T) {
	signer, err := load.SigningHandler()
	if err != nil {
		t.Fatal(err)
	}
	origin := serve(t, load.OriginHandler([]byte(`{"servers":[]}`)))
	proxy, err := load.ProxyHandler(origin, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []load.Scenario{
		load.Post("one signature", serve(t, signer), "grant_type=client_credentials"),
		load.Get("origin", origin, nil),
		load.Get("proxy", serve(t, proxy), http.Header{"X-Auth-Token": {"x"}}),
	} {
		r := run(t, s)
		if r.Flows == 0 || r.Errors != 0 || r.P50 <= 0 || r.P99 < r.P50 || r.Max < r.P99 || r.Bytes < int64(r.Flows) || r.Rate() <= 0 || r.Name != s.Name {
			t.Errorf("%s: %+v", s.Name, r)
		}
	}
	if _, err := load.ProxyHandler("not a URL", 1); err == nil {
		t.Error("a proxy in front of nothing")
	}
}

func TestFailuresAreCountedAndTheFirstIsTold(t *testing.T) {
	fail := errors.New("token: status 401 instead of 200")
	n := 0
	s := load.Scenario{Name: "half of them", Prepare: func(context.Context, *load.Client) (func(context.Context) error, error) {
		return func(context.Context) error {
			if n++; n%2 == 0 {
				return fail
			}
			return nil
		}, nil
	}}
	r, err := load.Run(t.Context(), load.Config{Scenario: s, Duration: time.Millisecond, Concurrency: 1})
	if err != nil || r.Errors == 0 || r.Flows == 0 || r.FirstError != fail.Error() {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestWhatCannotBePreparedIsAnError(t *testing.T) {
	address := serve(t, http.NotFoundHandler())
	target := load.Target{AuthURL: address, DiscoveryEndpoint: address, ClientID: "EU.1", ClientSecret: "sgs_secret", ProjectID: "p", Region: "GRA1"}
	for _, s := range load.Scenarios(target)[1:] {
		_, err := load.Run(t.Context(), load.Config{Scenario: s, Duration: time.Millisecond})
		if err == nil || !strings.Contains(err.Error(), "status 404") || strings.Contains(err.Error(), "sgs_") {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	if r := run(t, load.Login(target)); r.Flows != 0 || r.Errors == 0 || r.P99 != 0 {
		t.Errorf("a login at a server that is none: %+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := load.Run(ctx, load.Config{Scenario: load.Login(target)}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestATargetIsTheGuidesVariables(t *testing.T) {
	env := map[string]string{
		"OS_AUTH_URL": "https://a/v3", "OS_DISCOVERY_ENDPOINT": "https://a/d", "OS_IDENTITY_PROVIDER": "ovhcloud-emea", "OS_PROTOCOL": "openid",
		"OS_PROJECT_ID": "p", "OS_CLIENT_ID": "EU.1", "OS_CLIENT_SECRET": "s", "OS_REGION_NAME": "GRA1",
	}
	lookup := func(k string) (string, bool) { v, ok := env[k]; return v, ok }
	got, err := load.FromEnvironment(lookup)
	want := load.Target{"https://a/v3", "https://a/d", "ovhcloud-emea", "openid", "p", "EU.1", "s", "GRA1"}
	if err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	delete(env, "OS_CLIENT_SECRET")
	delete(env, "OS_REGION_NAME")
	if _, err := load.FromEnvironment(lookup); err == nil || !strings.Contains(err.Error(), "OS_CLIENT_SECRET, OS_REGION_NAME") {
		t.Fatalf("got %v", err)
	}
}

func TestTheTable(t *testing.T) {
	bare := load.Result{Name: "bare", Flows: 157000, Elapsed: 10 * time.Second}
	rows := []load.Row{
		{load.Result{Name: "token endpoint", Budget: "≥ 0.8 × bare", Concurrency: 8, Flows: 141300, Elapsed: 10 * time.Second,
			P50: 480 * time.Microsecond, P99: 2300 * time.Microsecond}, &bare},
		{load.Result{Name: "whole login", Concurrency: 64, Flows: 25, Errors: 3, FirstError: "rescope: status 401 instead of 201", Elapsed: 10 * time.Second,
			P50: 1500 * time.Millisecond, P99: 3 * time.Second}, nil},
	}
	var b strings.Builder
	if err := load.Print(&b, rows); err != nil {
		t.Fatal(err)
	}
	const want = `
| what           | at once | flows/s | p50    | p99    | errors | budget       | bare     | of bare |
|----------------|---------|---------|--------|--------|--------|--------------|----------|---------|
| token endpoint | 8       | 14 130  | 480 µs | 2.3 ms | 0      | ≥ 0.8 × bare | 15 700/s | 0.90 ×  |
| whole login    | 64      | 2.5     | 1.50 s | 3.00 s | 3      |              |          |         |

whole login: the first of 3 errors: rescope: status 401 instead of 201
`
	if got := b.String(); got != want[1:] {
		t.Errorf("got\n%s", got)
	}
}
