package cli

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/policyfile"
	"github.com/stackgate/stackgate/internal/rbac"
)

// policyFileFlags say which policy file, and where to.
type policyFileFlags struct{ release, file, operations string }

func (a *app) policyFiles() *cobra.Command {
	var f policyFileFlags
	programs := append(policyfile.Programs(), "swift")
	c := &cobra.Command{
		Use: "policy-files SERVICE", Short: "Print a policy file that gives our roles their meaning in a real OpenStack service",
		Long: `Print a policy file that gives our roles their meaning in a real OpenStack service, without the gateway before it.

SERVICE is one of ` + strings.Join(programs, ", ") + `. For the first four it is an oslo.policy file (policy.yaml) for one
release; for swift a fragment of proxy-server.conf. They are made from the table by which the gateway judges, with comments that say
what the service cannot be told. docs/policy-files.md says how to install them.`,
		Example: `  stackgate policy-files nova --release zed --output-file /etc/nova/policy.yaml
  stackgate policy-files swift`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("name one service: %s", strings.Join(programs, ", "))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == "swift" && c.Flags().Changed("release") {
				return usagef("swift has no policy rules, so its file is the same for every release")
			}
			return a.policyFile(args[0], f)
		},
	}
	releases := policyfile.Releases()
	c.Flags().StringVar(&f.release, "release", releases[len(releases)-1], "OpenStack `release`: "+strings.Join(releases, " or "))
	c.Flags().StringVar(&f.file, "output-file", "", "write to `file` instead of standard output")
	c.Flags().StringVar(&f.operations, "operations", "", "`directory` of further operations, as in the server's configuration")
	return c
}

func (a *app) policyFile(program string, f policyFileFlags) error {
	table, err := a.operationTable(f.operations)
	if err != nil {
		return err
	}
	text, err := policyText(table, program, f.release)
	if err != nil {
		return err
	}
	if f.file == "" {
		_, err = io.WriteString(a.out, text)
		return err
	}
	return os.WriteFile(f.file, []byte(text), 0o644)
}

func policyText(table *rbac.Table, program, release string) (string, error) {
	if program == "swift" {
		return policyfile.Swift(table), nil
	}
	if programs := policyfile.Programs(); !slices.Contains(programs, program) {
		return "", usagef("unknown service %q: there is %s and swift", program, strings.Join(programs, ", "))
	}
	r, err := policyfile.LoadRelease(program, release)
	if err != nil {
		return "", usageError{err}
	}
	book, err := policyfile.NewBook(table, r)
	if err != nil {
		return "", err
	}
	var w strings.Builder
	err = book.Print(&w)
	return w.String(), err
}
