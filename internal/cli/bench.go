package cli

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/load"
	"github.com/stackgate/stackgate/internal/store"
)

// benchOptions are the flags of stackgate bench.
type benchOptions struct {
	duration              time.Duration
	concurrency, accounts int
}

// benchReport is what bench prints with --output json.
type benchReport struct {
	Rows    []load.Row
	Figures []load.Figure
}

func (a *app) bench() *cobra.Command {
	var o benchOptions
	c := &cobra.Command{
		Use: "bench", Short: "Measure logins, tokens and gateway reads, with what the machine can do at all beside them", Args: cobra.NoArgs,
		Long: `Measure flows per second, median and 99th percentile of: the whole login of four requests, the token endpoint, validation, rescoping and a read
through the gateway. Beside the token endpoint and the gateway stand their bare counterparts, measured in the same run: a handler that does
one signature, and the standard library's reverse proxy.

With the guide's variables set (. openrc) it measures that installation; put load only on one of your own. Otherwise it starts a
server of its own in a temporary folder, and also measures how long one takes to start and how much memory it holds. With --accounts
its database is filled first with so many service accounts with two policies each, of which up to 10 000 log in and read; a million
take some minutes and 2 GB of the temporary folder.`,
		Example: `  stackgate bench --accounts 1000000
  (. .stackgate/openrc && stackgate bench)`,
		RunE: func(c *cobra.Command, _ []string) error { return a.runBench(c.Context(), o) },
	}
	c.Flags().DurationVar(&o.duration, "duration", 5*time.Second, "how long to measure each")
	c.Flags().IntVar(&o.concurrency, "concurrency", 16, "connections, each with one request at a time")
	c.Flags().IntVar(&o.accounts, "accounts", 0, "service accounts to store first, a multiple of 500; only for a server of our own")
	return c
}

func (a *app) runBench(ctx context.Context, o benchOptions) error {
	if o.accounts < 0 || o.accounts%store.FillPerAccount != 0 {
		return usagef("--accounts is a multiple of %d, not %d", store.FillPerAccount, o.accounts)
	}
	target, err := load.FromEnvironment(os.LookupEnv)
	var report benchReport
	if err == nil {
		if o.accounts > 0 {
			return usagef("--accounts needs a server of our own: unset OS_AUTH_URL")
		}
		report.Rows, err = a.measure(ctx, o, load.Scenarios(target))
	} else {
		report, err = a.benchOwn(ctx, o)
	}
	if err != nil {
		return err
	}
	return a.print(report, func(w io.Writer) {
		_ = load.Print(w, report.Rows)
		if len(report.Figures) > 0 {
			_, _ = io.WriteString(w, "\n")
			_ = load.PrintFigures(w, report.Figures)
		}
	})
}

func (a *app) measure(ctx context.Context, o benchOptions, scenarios []load.Scenario) ([]load.Row, error) {
	var rows []load.Row
	for _, s := range scenarios {
		a.note("measuring: %s", s.Name)
		row, err := load.Compare(ctx, load.Config{Scenario: s, Duration: o.duration, Concurrency: o.concurrency})
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}
