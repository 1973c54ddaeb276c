package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/agent"
	"github.com/stackgate/stackgate/serviceaccount"
)

// An exitCode is how a command ended that was run for the user: the program's own exit code.
type exitCode int

// Error is not shown: the command has said itself what it had to say.
func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func (a *app) exec() *cobra.Command {
	var f cloudFlags
	var as string
	c := f.register(&cobra.Command{
		Use: "exec [--cloud NAME] [--as LOGIN] -- COMMAND [ARGUMENT]...", Short: "Run a command that logs in with a service account, though it does not know how",
		Long: `Run a command with OpenStack variables that it understands. Terraform, Packer, rclone, restic, swift and many others know
passwords and application credentials, and no OpenID Connect. exec logs in for them, as the variables or clouds.yaml say, at OVHcloud or
any other cloud; it needs no Stackgate server.

While the command runs, exec answers as an Identity service on a random port of 127.0.0.1. It takes a credential that is made for this run, known
to this command only, and gone with it. The command gets the cloud's own tokens and catalog, and speaks to the cloud's services
itself. When a token ends the command asks again, so that a run may last for hours; many at once share one login, and so do
runs one after the other (see stackgate token).

The command's other OS_ variables are unset, NO_PROXY covers 127.0.0.1, and the terminal, the signals and the exit code are the
command's own. --as says which login it is told to use: application-credential (the default), password for tools that know nothing
else, or token (OS_TOKEN; and OS_AUTH_TOKEN with OS_STORAGE_URL for tools that then ask no Identity service, and end with that token).

With --cloud, the command finds the entry of that name in clouds.yaml as well, leading here: cloud = "ovhcloud" in Terraform's provider, cloud: ovhcloud
in a playbook. That is a copy which only you can read, gone with the command; the other entries are as they were.`,
		Example: `  stackgate exec --cloud ovhcloud -- terraform apply
  stackgate exec -- rclone --swift-env-auth lsd :swift:
  stackgate exec --as password -- restic -r swift:backup:/ snapshots
  stackgate exec -- sh -c 'env | grep OS_'`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("say which command to run: stackgate exec -- COMMAND")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			mode, err := agent.ParseMode(as)
			if err != nil {
				return usagef("--as %w", err)
			}
			return a.runExec(c.Context(), &f, mode, args)
		},
	})
	c.Flags().StringVar(&as, "as", string(agent.AsApplicationCredential), "`login` of the command: application-credential, password or token")
	c.Flags().SetInterspersed(false) // what follows the command is the command's
	return c
}

func (a *app) runExec(ctx context.Context, f *cloudFlags, mode agent.Mode, args []string) error {
	login, err := a.login(f)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler) // the terminal is the command's
	listener, err := agent.Listen("127.0.0.1:0", "", "", log)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	g, err := agent.New(ctx, agent.Config{Login: login, URL: listener.URL, Logger: log})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx)) // as long as the command, whatever signal we get
	defer stop()
	go func() { _ = g.Serve(serving, listener) }()
	env, done, err := execEnvironment(g, login.Config(), mode)
	if _, cannot := errors.AsType[*fs.PathError](err); cannot {
		a.note("stackgate: the command does not find %s by its name, only in its variables: %v", login.Config().Name, err)
		err = nil
	}
	if err != nil {
		return err
	}
	defer done()
	code, err := agent.Run(args, env, agent.Streams{In: a.in, Out: a.out, Err: a.err})
	if err != nil {
		a.note("stackgate: %v", err)
	}
	if code != 0 {
		return exitCode(code)
	}
	return nil
}

// execEnvironment is what the command gets, and done removes what belongs to it. Where the login is an entry of clouds.yaml, a command that is told of
// that entry by name, as in Terraform's provider "openstack" { cloud = … }, finds one that leads to us.
func execEnvironment(g *agent.Agent, c serviceaccount.Config, mode agent.Mode) (env []string, done func(), err error) {
	env, done = g.Environment(os.Environ(), mode), func() {}
	if len(c.Files) == 0 {
		return env, done, nil
	}
	clouds, err := g.CloudsYAML(c.Name, mode, c.Files...)
	if err != nil {
		return env, done, err
	}
	if err := agent.PrivateDir(agent.RuntimeDir()); err != nil {
		return env, done, err
	}
	path := filepath.Join(agent.RuntimeDir(), "exec-"+rand.Text()+".yaml")
	if err := agent.WritePrivate(path, clouds); err != nil {
		return env, done, err
	}
	// A secure.yaml would be laid over it: its own does not change it.
	return append(env, "OS_CLIENT_CONFIG_FILE="+path, "OS_CLIENT_SECURE_FILE="+path), func() { _ = os.Remove(path) }, nil
}
