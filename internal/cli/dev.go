package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/agent"
	"github.com/stackgate/stackgate/internal/server"
)

// devOptions are the flags of stackgate dev.
type devOptions struct {
	dir, listen, publicURL, metrics, logFormat, logLevel string
	tokenLife                                            time.Duration
}

func (a *app) dev() *cobra.Command {
	var o devOptions
	c := &cobra.Command{
		Use: "dev", Short: "Run everything on this machine, with an embedded cloud, ready to try", Args: cobra.NoArgs,
		Long: `Run everything on loopback with the embedded cloud. State stays in --dir over restarts; delete it to start afresh.

Once it answers, it writes into --dir:
  openrc         the guide's variables for a service account with the right infrastructureSupervisor (EMEA)
  openrc-world   the same for the "Rest of the World"
  clouds.yaml    both, as clouds ovhcloud and ovhcloud-world
  admin.env      an administrator's credentials for the management API and stackgate's own commands`,
		Example: `  stackgate dev &
  . .stackgate/openrc && openstack server list
  . .stackgate/admin.env && stackgate policy list`,
		RunE: func(c *cobra.Command, _ []string) error { return a.runDev(c.Context(), o) },
	}
	f := c.Flags()
	f.StringVar(&o.dir, "dir", ".stackgate", "where state and the files for clients are kept")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`host:port` to listen on; port 0 takes one that is free")
	f.StringVar(&o.publicURL, "public-url", "", "how clients reach it, if not by --listen (container, VM)")
	f.StringVar(&o.metrics, "metrics", "", "`host:port` for Prometheus, none by default")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json")
	f.StringVar(&o.logLevel, "log-level", "warn", "debug, info, warn or error; info shows each request")
	f.DurationVar(&o.tokenLife, "token-life", time.Hour, "life of Identity tokens; may be short here, for tests of renewal")
	return c
}

func (a *app) runDev(ctx context.Context, o devOptions) error {
	log, flush, err := newServerLogger(a.err, o.logFormat, o.logLevel)
	if err != nil {
		return usageError{err}
	}
	defer flush()
	setHeapFloor()
	listener, err := o.bind()
	if err != nil {
		return err
	}
	if u, err := url.Parse(o.publicURL); err != nil || u.Host == "" {
		return errors.Join(usagef("--public-url %q is not a URL such as http://192.0.2.1:8080", o.publicURL), listener.Close())
	}
	release, err := holdState(o.dir)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer release()
	d, err := openDev(ctx, o, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	err = d.server.Serve(ctx, server.Listen{
		Address: o.listen, Listener: listener, Metrics: o.metrics,
		AllowPlainHTTP: true, // dev is for a machine of one's own; --listen is loopback unless said otherwise
		Ready: func(string) {
			if err := d.writeFiles(); err != nil {
				a.note("stackgate: %v", err)
				return
			}
			d.greet(a.err)
		},
	})
	return errors.Join(err, d.server.Close())
}

// holdState keeps a second one from the same state: they would overwrite each other's files for clients, and the embedded cloud's.
func holdState(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	return agent.Alone(dir)
}

// bind takes the address before any state is made, and keeps it: the state and the files for clients name it.
func (o *devOptions) bind() (net.Listener, error) {
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return nil, explainListen(fmt.Errorf("listen: %w", err), o.listen)
	}
	host, _, _ := net.SplitHostPort(o.listen)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	o.listen = net.JoinHostPort(host, port)
	if o.publicURL == "" {
		o.publicURL = "http://" + o.listen
	}
	return l, nil
}

// greet says that it runs and what to type next.
func (d *devCloud) greet(w io.Writer) {
	_, _ = fmt.Fprintf(w, `Stackgate runs on %s, with an embedded cloud. Stop it with Ctrl-C.

In another terminal:
  . %s
  openstack server list        # works: the right infrastructureSupervisor reads servers
  openstack container list     # Forbidden: it does not open Object Storage

Other region of the guide: . %s   Python SDK: OS_CLIENT_CONFIG_FILE=%s
Administer it: . %s && stackgate service-account list
`, d.options.publicURL, d.path("openrc"), d.path("openrc-world"), d.path("clouds.yaml"), d.path("admin.env"))
}

func (d *devCloud) path(name string) string { return filepath.Join(d.options.dir, name) }

// writeFiles writes the files for clients, readable by their owner only.
func (d *devCloud) writeFiles() error {
	emea, world := d.clientAccess("eu"), d.clientAccess("ca")
	var openrc, openrcWorld, clouds bytes.Buffer
	err := errors.Join(writeOpenrc(&openrc, emea), writeOpenrc(&openrcWorld, world), writeClouds(&clouds, emea, world))
	if err != nil {
		return err
	}
	admin := d.state.Admin["eu"]
	env := fmt.Sprintf("# An administrator of account %s. Use it with:  . ./admin.env\nexport STACKGATE_URL=%s\nexport STACKGATE_CLIENT_ID=%s\nexport STACKGATE_CLIENT_SECRET=%s\n",
		devAccount, quote(d.options.publicURL), quote(admin.ClientID), quote(admin.Secret))
	for name, text := range map[string]string{
		"openrc": openrc.String(), "openrc-world": openrcWorld.String(), "clouds.yaml": clouds.String(), "admin.env": env,
	} {
		if err := writePrivate(d.path(name), []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// writePrivate replaces a file at once with one that only its owner reads.
func writePrivate(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}

func (d *devCloud) clientAccess(partition string) access {
	c := d.state.Client[partition]
	a := access{
		PublicURL: strings.TrimRight(d.options.publicURL, "/"), Provider: "ovhcloud-emea", Partition: "eu", Project: devProjects[partition],
		ClientID: c.ClientID, Secret: c.Secret, Region: "GRA1", Cloud: "ovhcloud",
	}
	if partition == "ca" {
		a.Provider, a.Partition, a.Cloud = "ovhcloud-world", "ca", "ovhcloud-world"
	}
	return a
}
