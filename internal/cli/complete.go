package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/agent"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/policyfile"
)

// words are what flags may be set to, where that is known beforehand, by the names of the flags.
func words(command, flag string) []string {
	switch flag {
	case "output":
		return []string{"table", "json"}
	case "log-format":
		return []string{"text", "json"}
	case "log-level":
		return []string{"debug", "info", "warn", "error"}
	case "format":
		return []string{"value", "json", "openrc", "header"}
	case "release":
		return policyfile.Releases()
	case "right":
		return shortRights()
	case "as":
		if command == "openrc" {
			return []string{string(asOIDC), string(asPassword), string(asCredential)}
		}
		return []string{string(agent.AsApplicationCredential), string(agent.AsPassword), string(agent.AsToken)}
	}
	return nil
}

// shortRights are the rights as they are typed.
func shortRights() (names []string) {
	for _, r := range iam.Rights() {
		_, name, _ := strings.Cut(strings.TrimPrefix(string(r.Action), "publicCloudProject:"), ":")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// completeFlags has a shell complete the values of the flags of a command and of those below it.
func completeFlags(c *cobra.Command) {
	for _, sub := range c.Commands() {
		completeFlags(sub)
	}
	for _, flag := range []string{"output", "log-format", "log-level", "format", "release", "right", "as"} {
		if list := words(c.Name(), flag); c.Flags().Lookup(flag) != nil || c.PersistentFlags().Lookup(flag) != nil {
			_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)) // there is such a flag
		}
	}
}
