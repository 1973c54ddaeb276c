package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/stackgate/stackgate/internal/cloud"
	"github.com/stackgate/stackgate/internal/server"
)

// doctorClouds examines the clouds behind the gateway that a configuration describes, as serve would at its start.
func (a *app) doctorClouds(ctx context.Context, file string) error {
	conf, err := loadConfig(file)
	if err != nil {
		return err
	}
	clouds, err := conf.clouds()
	if err != nil {
		return fmt.Errorf("configuration %s: %w", file, err)
	}
	var reports []*cloud.Report
	failed := false
	for _, c := range clouds {
		r, err := server.Inspect(ctx, conf.PublicURL, c, slog.New(slog.DiscardHandler))
		if err != nil {
			return fmt.Errorf("configuration %s: %w", file, err)
		}
		reports, failed = append(reports, r), failed || r.Failed()
	}
	if err := a.print(reports, func(w io.Writer) { writeCloudReports(w, reports) }); err != nil {
		return err
	}
	if failed {
		return errReported
	}
	return nil
}

func writeCloudReports(w io.Writer, reports []*cloud.Report) {
	if len(reports) == 0 {
		_, _ = fmt.Fprintln(w, "The configuration has no clouds.")
	}
	for _, r := range reports {
		_, _ = fmt.Fprintf(w, "Cloud %s\n", r.Cloud)
		if r.Error != "" {
			_, _ = fmt.Fprintf(w, "  WRONG: %s\n", r.Error)
		}
		for _, p := range r.Projects {
			writeCloudProject(w, p)
		}
	}
}

func writeCloudProject(w io.Writer, p cloud.ProjectReport) {
	_, _ = fmt.Fprintf(w, "\n  Project %s, with the roles %s\n", p.ID, strings.Join(p.Roles, ", "))
	if p.Error != "" {
		_, _ = fmt.Fprintf(w, "    WRONG: %s\n", p.Error)
	}
	for _, s := range p.Services {
		_, _ = fmt.Fprintf(w, "    %-10s %-13s %s  %s\n", s.Region, s.Service, s.URL, strings.Join(s.Versions, ", "))
		if s.Error != "" {
			_, _ = fmt.Fprintf(w, "      WRONG: %s\n", s.Error)
		}
	}
	for _, s := range p.Skipped {
		_, _ = fmt.Fprintf(w, "    not served: %s\n", s)
	}
}
