package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/load"
	"github.com/stackgate/stackgate/internal/server"
)

func (a *app) bench() *cobra.Command {
	var duration time.Duration
	var concurrency int
	c := &cobra.Command{
		Use: "bench", Short: "Measure logins, tokens and gateway reads, with what the machine can do at all beside them", Args: cobra.NoArgs,
		Long: `Measure flows per second, median and 99th percentile of: the whole login of four requests, the token endpoint, validation, rescoping and a read
through the gateway. Beside the token endpoint and the gateway stand their bare counterparts, measured in the same run: a handler that does
one signature, and the standard library's reverse proxy.

With the guide's variables set (. openrc) it measures that installation; put load only on one of your own. Otherwise it starts a
server of its own in a temporary folder.`,
		RunE: func(c *cobra.Command, _ []string) error {
			target, err := load.FromEnvironment(os.LookupEnv)
			if err == nil {
				return a.measure(c.Context(), target, duration, concurrency)
			}
			return a.withOwnTarget(c.Context(), func(t load.Target) error { return a.measure(c.Context(), t, duration, concurrency) })
		},
	}
	c.Flags().DurationVar(&duration, "duration", 5*time.Second, "how long to measure each")
	c.Flags().IntVar(&concurrency, "concurrency", 16, "connections, each with one request at a time")
	return c
}

// withOwnTarget runs f against a server of our own in a temporary folder.
func (a *app) withOwnTarget(ctx context.Context, f func(load.Target) error) error {
	dir, err := os.MkdirTemp("", "stackgate-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	address, err := freeAddress()
	if err != nil {
		return err
	}
	log, err := newLogger(io.Discard, "json", "info") // written and thrown away: what a server does in earnest
	if err != nil {
		return err
	}
	d, err := openDev(ctx, devOptions{dir: dir, listen: address, publicURL: "http://" + address, tokenLife: time.Hour}, log)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- d.server.Serve(serving, server.Listen{Address: address, Ready: func(string) { close(ready) }})
	}()
	v := d.clientAccess("eu")
	select {
	case <-ready:
		err = f(load.Target{
			AuthURL: v.AuthURL(), DiscoveryEndpoint: v.Discovery(), IdentityProvider: v.Provider, ProjectID: v.Project,
			ClientID: v.ClientID, ClientSecret: v.Secret, Region: v.Region,
		})
	case err = <-ended:
		ended <- nil
	}
	stop()
	return errors.Join(err, <-ended, d.server.Close())
}

func (a *app) measure(ctx context.Context, t load.Target, duration time.Duration, concurrency int) error {
	var rows []load.Row
	for _, s := range load.Scenarios(t) {
		a.note("measuring: %s", s.Name)
		row, err := load.Compare(ctx, load.Config{Scenario: s, Duration: duration, Concurrency: concurrency})
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return a.print(rows, func(w io.Writer) { _ = load.Print(w, rows) })
}
