// Package cli is what an operator, and an account's administrator, types.
//
// Tenants' commands (service-account, policy, …) go through the management API with a service account's credentials, from the
// environment that admin.env sets. Operators' commands (init, account, project, keys, audit, …) act on the store that --config names.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/iam"
)

// Version is set when a release is linked.
var Version = "dev"

// An app is one run of the program: its streams and the flags that every command has.
type app struct {
	in       io.Reader
	out, err io.Writer
	output   string // table or json
	config   string // operators' commands: the configuration file
}

// errReported ends a command that has already said what is wrong.
var errReported = errors.New("already reported")

// collectAt lets the heap grow to three times what lives in it before it is collected, not twice: what lives is small, and a server
// under load then answers about a tenth more. GOGC in the environment wins.
const collectAt = 200

// Main runs the program and gives its exit code: 0 done, 1 failed, 2 not understood.
func Main(args []string, in io.Reader, out, errw io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	a := &app{in: in, out: out, err: errw}
	root := a.root()
	root.SetArgs(args)
	err := unknownCommand(root, args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	if !errors.Is(err, errReported) {
		_, _ = fmt.Fprintln(errw, "stackgate: "+message(err))
	}
	if errors.As(err, new(usageError)) {
		return 2
	}
	return 1
}

// unknownCommand finds a word that names no command of a group. cobra shows the group's help then, and a script goes on as if something had been done.
func unknownCommand(root *cobra.Command, args []string) error {
	c, rest, err := root.Find(args)
	if err != nil || c == root || c.Runnable() || len(rest) == 0 || strings.HasPrefix(rest[0], "-") {
		return nil // cobra's own business
	}
	return usagef("unknown command %q for %q. See '%s --help'", rest[0], c.CommandPath(), c.CommandPath())
}

// message is what a user reads: our own public sentence where there is one, without the kind before it.
func message(err error) string {
	if e, ok := errors.AsType[*iam.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// A usageError is a command line that cannot be understood.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "stackgate",
		Short: "Give programs their own, least-privilege access to OpenStack",
		Long: `Stackgate gives programs their own, least-privilege access to OpenStack.

Try it on this machine, with an embedded cloud:
  stackgate dev                     # leave it running
  . .stackgate/openrc && openstack server list

Run it for real:
  stackgate init  --config stackgate.yaml   # schema, keys, an account and its first administrator
  stackgate serve --config stackgate.yaml

Commands about service accounts, policies and groups talk to a running server as the service account that
STACKGATE_URL, STACKGATE_CLIENT_ID and STACKGATE_CLIENT_SECRET name; stackgate dev writes them to .stackgate/admin.env.`,
		SilenceUsage: true, SilenceErrors: true, Version: Version,
	}
	root.SetVersionTemplate("stackgate {{.Version}}\n")
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w. See '%s --help'", err, c.CommandPath())
	})
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "table", "print a table or json")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.output != "table" && a.output != "json" {
			return usagef("--output is table or json, not %q", a.output)
		}
		return nil
	}
	root.AddGroup(&cobra.Group{ID: "run", Title: "Run:"}, &cobra.Group{ID: "client", Title: "Use a cloud, this or any other:"},
		&cobra.Group{ID: "tenant", Title: "Administer an account (through the API):"},
		&cobra.Group{ID: "operator", Title: "Operate the server (on its store, with --config):"}, &cobra.Group{ID: "look", Title: "Look up:"})
	add := func(group string, cs ...*cobra.Command) {
		for _, c := range cs {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("run", a.dev(), a.demo(), a.serve(), a.initialise(), a.bench())
	add("client", a.clientCommands()...)
	add("tenant", a.tenantCommands()...)
	add("operator", a.operatorCommands()...)
	add("look", a.rights(), a.policyFiles(), a.operation(), a.version(), a.reference())
	teachArguments(root)
	completeFlags(root)
	return root
}

// teachArguments has every command say what it wants where it has too few arguments, or too many.
func teachArguments(c *cobra.Command) {
	for _, sub := range c.Commands() {
		teachArguments(sub)
	}
	check := c.Args
	if check == nil || !c.Runnable() {
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		err := check(c, args)
		if err == nil || errors.As(err, new(usageError)) {
			return err
		}
		return usagef("%w. The command is: %s. See '%s --help'", err, c.UseLine(), c.CommandPath())
	}
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		return a.print(map[string]string{"version": Version}, func(w io.Writer) { _, _ = fmt.Fprintln(w, "stackgate", Version) })
	}}
}
