package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/agent"
	"github.com/stackgate/stackgate/serviceaccount"
)

// agentOptions are the flags of stackgate agent.
type agentOptions struct {
	cloudFlags
	listen, dir, url, certificate, key, as, logFormat, logLevel string
}

func (a *app) agent() *cobra.Command {
	var o agentOptions
	c := o.register(&cobra.Command{
		Use: "agent [--cloud NAME]", Short: "Log in for tools that do not know how, for as long as it runs", Args: cobra.NoArgs,
		Long: `Answer as an Identity service for tools that know passwords and application credentials only, as stackgate exec does, until stopped:
a sidecar of a daemon, or of several tools. It needs no Stackgate server.

It writes into --dir, readable by its user only, and removes the first two when it ends:
  openrc            variables for a shell
  clouds.yaml       one entry, named as the cloud is
  credential.json   what it accepts, used again when it is started again

It listens on loopback. Beyond, it wants a TLS certificate, or else the credential and the cloud's tokens would cross the network readable. A renewed
certificate is read again by itself.`,
		Example: `  stackgate agent --cloud ovhcloud --listen 127.0.0.1:5000 --dir agent &
  . agent/openrc && rclone --swift-env-auth lsd :swift:
  OS_CLIENT_CONFIG_FILE=agent/clouds.yaml openstack --os-cloud ovhcloud server list`,
		RunE: func(c *cobra.Command, _ []string) error { return a.runAgent(c.Context(), &o) },
	})
	f := c.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "`host:port` to listen on; port 0 is a free one")
	f.StringVar(&o.dir, "dir", "", "where the files for clients are written; in the user's runtime directory if absent")
	f.StringVar(&o.url, "url", "", "how clients reach it, if not by --listen (container, name of the certificate)")
	f.StringVar(&o.certificate, "tls-certificate", "", "PEM `file`; with --tls-key")
	f.StringVar(&o.key, "tls-key", "", "PEM `file`")
	f.StringVar(&o.as, "as", string(agent.AsApplicationCredential), "`login` that the files tell to use: application-credential, password or token")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json")
	f.StringVar(&o.logLevel, "log-level", "warn", "debug, info, warn or error; info shows each request")
	return c
}

func (a *app) runAgent(ctx context.Context, o *agentOptions) error {
	mode, err := agent.ParseMode(o.as)
	if err != nil {
		return usagef("--as %w", err)
	}
	log, err := newLogger(a.err, o.logFormat, o.logLevel)
	if err != nil {
		return usageError{err}
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal that it was started from is closed
	defer stop()
	login, err := a.login(&o.cloudFlags)
	if err != nil {
		return err
	}
	release, err := o.takeFolder(login.Config().Name)
	if err != nil {
		return err
	}
	defer release()
	credential, err := agent.KeepCredential(filepath.Join(o.dir, "credential.json"))
	if err != nil {
		return err
	}
	return a.serveAgent(ctx, o, mode, agent.Config{Login: login, Credential: credential, Logger: log})
}

// takeFolder has the folder of the files for one agent alone, until release, and removes what one that was killed has left there.
func (o *agentOptions) takeFolder(cloud string) (release func(), err error) {
	if o.dir == "" {
		o.dir = filepath.Join(agent.RuntimeDir(), "agent-"+filepath.Base(cloud))
	}
	if err := agent.PrivateDir(o.dir); err != nil {
		return nil, err
	}
	if release, err = agent.Alone(o.dir); err != nil {
		return nil, err
	}
	if err := removeAgentFiles(o.dir); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// serveAgent listens, writes the files and serves until ctx ends.
func (a *app) serveAgent(ctx context.Context, o *agentOptions, mode agent.Mode, c agent.Config) error {
	listener, err := agent.Listen(o.listen, o.certificate, o.key, c.Logger)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	if c.URL = strings.TrimSuffix(strings.TrimRight(o.url, "/"), "/v3"); c.URL == "" {
		c.URL = listener.URL
	}
	c.AnyHost = !agent.Loopback(o.listen)
	g, err := agent.New(ctx, c)
	if err != nil {
		return err
	}
	cloud := c.Login.Config()
	if err := a.writeAgentFiles(g, o.dir, mode, cloud); err != nil {
		return err
	}
	a.note("stackgate agent for %s on %s. Use it with:  . %s", cloud.Name, c.URL, filepath.Join(o.dir, "openrc"))
	return errors.Join(g.Serve(ctx, listener), removeAgentFiles(o.dir))
}

// removeAgentFiles removes what leads nowhere while no agent runs.
func removeAgentFiles(dir string) error {
	var errs []error
	for _, name := range []string{"openrc", "clouds.yaml"} {
		if err := os.Remove(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// writeAgentFiles writes openrc last: whoever waits for it finds the rest there.
func (a *app) writeAgentFiles(g *agent.Agent, dir string, mode agent.Mode, c serviceaccount.Config) error {
	clouds, err := g.CloudsYAML(c.Name, mode)
	if err == nil {
		err = agent.WritePrivate(filepath.Join(dir, "clouds.yaml"), clouds)
	}
	if err != nil {
		return err
	}
	return agent.WritePrivate(filepath.Join(dir, "openrc"), []byte(g.OpenRC(mode)))
}
