package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/server"
)

const defaultConfig = "stackgate.yaml"

func (a *app) configFlag(c *cobra.Command) *cobra.Command {
	c.PersistentFlags().StringVar(&a.config, "config", defaultConfig, "configuration `file`")
	return c
}

func (a *app) serve() *cobra.Command {
	return a.configFlag(&cobra.Command{
		Use: "serve", Short: "Run the server that a configuration file describes", Args: cobra.NoArgs,
		Long: `Run the server that a configuration file describes. SIGTERM and SIGINT let requests under way finish, then it stops.

Run 'stackgate init' with the same file once before.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.runServe(c.Context()) },
	})
}

func (a *app) runServe(ctx context.Context) error {
	conf, err := loadConfig(a.config)
	if err != nil {
		return err
	}
	log, flush, err := newServerLogger(a.err, conf.LogFormat, conf.LogLevel)
	if err != nil {
		return err
	}
	defer flush()
	setHeapFloor()
	sc, err := conf.server(log)
	if err != nil {
		return err
	}
	if sc.Clouds, err = conf.clouds(); err != nil { // only what serves logs in to clouds
		return fmt.Errorf("configuration %s: %w", a.config, err)
	}
	s, err := server.New(ctx, sc)
	if err != nil {
		return err
	}
	err = s.Serve(ctx, server.Listen{
		Address: conf.Listen, Metrics: conf.Metrics, Certificate: conf.TLS.Certificate, Key: conf.TLS.Key,
		AllowPlainHTTP: conf.AllowPlainHTTP,
		Ready: func(addr string) {
			log.Info("serving", "address", addr, "public_url", conf.PublicURL, "version", Version)
		},
	})
	return errors.Join(explainListen(err, conf.Listen), s.Close())
}

// explainListen says what to do about a port that somebody else has.
func explainListen(err error, address string) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	_, port, _ := net.SplitHostPort(address)
	return fmt.Errorf("port %s on %s is taken by another program. Stop it, or choose another port with --listen", port, address)
}
