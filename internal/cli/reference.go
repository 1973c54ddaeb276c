package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// reference prints docs/commands.md, so that the page cannot differ from the help.
func (a *app) reference() *cobra.Command {
	return &cobra.Command{Use: "reference", Short: "Print docs/commands.md", Hidden: true, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		_, _ = fmt.Fprintf(a.out, "# Commands\n\nMade by `stackgate reference` from the program's own help.\n")
		writeReference(a.out, c.Root())
		return nil
	}}
}

func writeReference(w io.Writer, c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
			continue
		}
		_, _ = fmt.Fprintf(w, "\n## %s\n\n", sub.CommandPath())
		text := sub.Long
		if text == "" {
			text = sub.Short + "."
		}
		_, _ = fmt.Fprintf(w, "%s\n", text)
		if sub.Runnable() {
			block(w, sub.UseLine())
		}
		if sub.Example != "" {
			block(w, sub.Example)
		}
		if flags := sub.NonInheritedFlags(); flags.HasAvailableFlags() {
			block(w, flags.FlagUsages())
		}
		writeReference(w, sub)
	}
}

func block(w io.Writer, text string) {
	_, _ = fmt.Fprintf(w, "\n```\n%s\n```\n", strings.Trim(text, "\n"))
}
