package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/agent"
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
else, or token.`,
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
	login, err := f.login()
	if err != nil {
		return err
	}
	listener, err := agent.Listen("127.0.0.1:0", "", "")
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	g, err := agent.New(ctx, agent.Config{Login: login, URL: listener.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx)) // as long as the command, whatever signal we get
	defer stop()
	go func() { _ = g.Serve(serving, listener) }()
	code, err := agent.Run(args, g.Environment(os.Environ(), mode), agent.Streams{In: a.in, Out: a.out, Err: a.err})
	if err != nil {
		a.note("stackgate: %v", err)
	}
	if code != 0 {
		return exitCode(code)
	}
	return nil
}
