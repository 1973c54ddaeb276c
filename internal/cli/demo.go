package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/api"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/urn"
)

func (a *app) demo() *cobra.Command {
	var openstack string
	c := &cobra.Command{
		Use: "demo", Short: "Play the guide from end to end, compare with what it promises, and exit", Args: cobra.NoArgs,
		Long: `Start a server with the embedded cloud in a temporary folder and play the guide: create a service account, give it the policy,
log in, list the servers, be refused the containers; for EMEA and for the "Rest of the World". Exits non-zero if anything
differs from what the guide says. Uses the openstack command if there is one, else plain HTTP requests.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.runDemo(c.Context(), openstack) },
	}
	c.Flags().StringVar(&openstack, "openstack", "", "`path` of the openstack command; found on PATH if absent")
	return c
}

// A demo is one play of the guide.
type demo struct {
	*app
	dev       *devCloud
	openstack string // path, or "" for plain HTTP
	failed    int
}

func (a *app) runDemo(ctx context.Context, openstack string) error {
	dir, err := os.MkdirTemp("", "stackgate-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	log, err := newLogger(a.err, "text", "error")
	if err != nil {
		return err
	}
	d := &demo{app: a, openstack: openstack}
	if d.openstack == "" {
		d.openstack, _ = exec.LookPath("openstack")
	}
	o := devOptions{dir: dir, listen: "127.0.0.1:0", tokenLife: time.Hour}
	listener, err := o.bind()
	if err != nil {
		return err
	}
	if d.dev, err = openDev(ctx, o, log); err != nil {
		return errors.Join(err, listener.Close())
	}
	serving, stop := context.WithCancel(ctx)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- d.dev.server.Serve(serving, server.Listen{Address: o.listen, Listener: listener, Ready: func(string) { close(ready) }})
	}()
	select {
	case <-ready:
		err = d.play(ctx)
	case err = <-ended:
		ended <- nil
	}
	stop()
	return errors.Join(err, <-ended, d.dev.server.Close())
}

func (d *demo) play(ctx context.Context) error {
	if d.openstack == "" {
		d.say("There is no openstack command here; plain HTTP requests stand in for it. Get it with: pip install python-openstackclient")
	}
	for _, partition := range []urn.Partition{urn.EU, urn.CA} {
		if err := d.guide(ctx, partition); err != nil {
			return err
		}
	}
	if d.failed > 0 {
		d.say("%d of the guide's promises were not kept.", d.failed)
		return errReported
	}
	d.say("Everything is as the guide says.")
	return nil
}

func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format+"\n", args...) }

// check prints one promise of the guide and whether it was kept.
func (d *demo) check(promise string, kept bool, got string) {
	mark := "ok  "
	if !kept {
		mark = "FAIL"
		d.failed++
	}
	d.say("  %s %s", mark, promise)
	if !kept {
		d.say("       got: %s", strings.ReplaceAll(strings.TrimSpace(got), "\n", "\n            "))
	}
}

// guide plays one variant of the guide.
func (d *demo) guide(ctx context.Context, partition urn.Partition) error {
	v := d.dev.clientAccess(string(partition))
	d.say("\n=== The guide with %s ===", v.Provider)
	admin := d.dev.state.Admin[string(partition)]
	cl, err := api.NewClient(api.ClientConfig{BaseURL: v.PublicURL, ClientID: admin.ClientID, ClientSecret: admin.Secret})
	if err != nil {
		return err
	}
	made, err := cl.CreateServiceAccount(ctx, api.ServiceAccountCreation{
		Name: "demo", Description: new("Demo for service account guide with openstack"), Flow: "CLIENT_CREDENTIALS", CallbackURLs: []string{},
	})
	if err != nil {
		return fmt.Errorf("create a service account: %w", err)
	}
	d.say("1. POST /v1/me/api/oauth2/client: service account %s", made.ClientID)
	v.ClientID, v.Secret = made.ClientID, made.ClientSecret
	out, err := d.run(ctx, v, "server", "list")
	d.say("2. Without a policy:")
	d.check("the service account does not get into the project (HTTP 401)", err != nil && strings.Contains(out, "(HTTP 401)"), out)
	policy := fmt.Sprintf(guidePolicy, made.Identity, partition, v.Project)
	p, err := cl.CreatePolicy(ctx, mustPolicy(policy))
	if err != nil {
		return fmt.Errorf("create the policy: %w", err)
	}
	d.say("3. POST /v2/iam/policy: %s allows infrastructureSupervisor on the project", p.Name)
	d.lists(ctx, v)
	if err := cl.DeletePolicy(ctx, p.ID); err != nil {
		return err
	}
	d.say("6. DELETE /v2/iam/policy/%s:", p.ID)
	out, err = d.run(ctx, v, "server", "list")
	d.check("the right is gone at once (HTTP 401)", err != nil && strings.Contains(out, "(HTTP 401)"), out)
	return nil
}

var (
	serverRow   = regexp.MustCompile(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12} \| name_vm +\| ACTIVE +\| Ext-Net=127\.0\.0\.1.* \| Debian 12 +\| d2-2 `)
	forbiddenRE = regexp.MustCompile(`Forbidden \(HTTP 403\) \(Request-ID: tx[0-9a-f]{21}-[0-9a-f]{10}\)`)
)

func (d *demo) lists(ctx context.Context, v access) {
	out, err := d.run(ctx, v, "server", "list")
	d.say("4. openstack server list\n%s", strings.TrimSpace(out))
	d.check("the server name_vm is listed: ACTIVE, Ext-Net=127.0.0.1, Debian 12, d2-2", err == nil && serverRow.MatchString(out), out)
	out, err = d.run(ctx, v, "container", "list")
	d.say("5. openstack container list\n%s", strings.TrimSpace(out))
	d.check("refused: Forbidden (HTTP 403) (Request-ID: …)", err != nil && forbiddenRE.MatchString(out), out)
}

// run does what `openstack args…` does, and gives what it prints.
func (d *demo) run(ctx context.Context, v access, args ...string) (string, error) {
	if d.openstack == "" {
		return plainOpenstack(ctx, v, args)
	}
	var rc bytes.Buffer
	if err := writeOpenrc(&rc, v); err != nil {
		return "", err
	}
	file := filepath.Join(d.dev.options.dir, "demo-openrc")
	if err := writePrivate(file, rc.Bytes()); err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, "sh", append([]string{"-c", `. "$0" && exec "$@"`, file, d.openstack}, args...)...)
	c.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1", "COLUMNS=200", "CLIFF_MAX_TERM_WIDTH=200")
	out, err := c.CombinedOutput()
	return string(out), err
}

// guidePolicy is the guide's policy, as printed there, with identity, partition and project to fill in.
const guidePolicy = `{
  "description": "Demo for service account guide with openstack",
  "identities": [
    "%s"
  ],
  "name": "Demo-service-account",
  "permissions": {
    "allow": [
      {
        "action": "publicCloudProject:openstack:infrastructureSupervisor"
      }
    ]
  },
  "resources": [
    {
        "urn": "urn:v1:%s:resource:publicCloudProject:%s"
    }
  ]
}`
