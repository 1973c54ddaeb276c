package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/doctor"
)

func (a *app) doctor() *cobra.Command {
	var f cloudFlags
	var config string
	c := f.register(&cobra.Command{
		Use: "doctor [--cloud NAME | --config FILE]", Short: "Log in step by step, and say what to change where it fails", Args: cobra.NoArgs,
		Long: `Make the requests of a login at the cloud that the variables or clouds.yaml name, at OVHcloud or any other, and say for each what was
sent (no secrets), what came back and how long it took; then what the token is good for, which tools can use the configuration
as it is, and what to change. It needs no Stackgate server, and makes one login of its own. The exit code is 1 if the login fails.

With --config it examines the clouds behind the gateway that the file describes, as 'stackgate serve' does when it starts: logs in, lists projects,
regions, services and versions, and says whether the credential can administer.`,
		Example: `  stackgate doctor --cloud ovhcloud
  . ./openrc && stackgate doctor
  stackgate doctor --config stackgate.yaml
  stackgate doctor -o json | jq .findings`,
		RunE: func(c *cobra.Command, _ []string) error {
			if config != "" {
				return a.doctorClouds(c.Context(), config)
			}
			conf, err := f.config()
			r := doctor.Examine(c.Context(), conf, err, os.Environ())
			if err := a.print(r, func(w io.Writer) { writeReport(w, r) }); err != nil {
				return err
			}
			if r.Failed() {
				return errReported
			}
			return nil
		},
	})
	_ = c.Flags().MarkHidden("no-cache") // it has none
	c.Flags().StringVar(&config, "config", "", "configuration `file` of a server, whose clouds are examined")
	c.MarkFlagsMutuallyExclusive("config", "cloud")
	c.MarkFlagsMutuallyExclusive("config", "region")
	return c
}

func writeReport(w io.Writer, r *doctor.Report) {
	name := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	from := name(strings.Join(r.Files, " and "), "the environment")
	_, _ = fmt.Fprintf(w, "Cloud %s, from %s: %s at %s\n", name(r.Cloud, "?"), from, name(r.AuthType, "no auth_type"), name(r.AuthURL, "no auth_url"))
	for i, s := range r.Steps {
		_, _ = fmt.Fprintf(w, "\n%d. %s: %s %s\n   sent: %s\n", i+1, s.Name, s.Method, s.URL, s.Sent)
		came := "no answer"
		if s.Status != 0 {
			came = fmt.Sprint(s.Status)
		}
		if s.Error != "" {
			came += ": " + s.Error
		}
		_, _ = fmt.Fprintf(w, "   came back: %s, in %d ms\n", came, s.TookMS)
	}
	if t := r.Token; t != nil {
		_, _ = fmt.Fprintf(w, "\nThe token is for project %s, lives for %v, and has the roles %s.\nRegions: %s\n", name(t.Project, "(none)"), time.Duration(t.LifeS)*time.Second,
			name(strings.Join(t.Roles, ", "), "(none)"), name(strings.Join(t.Regions, ", "), "(none)"))
	}
	if writeFindings(w, r); len(r.Tools) == 0 {
		return
	}
	_, _ = fmt.Fprintln(w, "\nWho can use this entry as it is:")
	for _, t := range r.Tools {
		verdict := "yes"
		if !t.Can {
			verdict = "no: " + t.Use
		}
		_, _ = fmt.Fprintf(w, "  %-32s %s\n", t.Name, verdict)
	}
}

func writeFindings(w io.Writer, r *doctor.Report) {
	if len(r.Findings) == 0 {
		_, _ = fmt.Fprintln(w, "\nNothing is wrong.")
	}
	for _, f := range r.Findings {
		kind := "Note"
		if f.Fatal {
			kind = "WRONG"
		}
		_, _ = fmt.Fprintf(w, "\n%s: %s\n", kind, f.What)
		if f.Change != "" {
			_, _ = fmt.Fprintf(w, "  Change: %s\n", f.Change)
		}
	}
}
