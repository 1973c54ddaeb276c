package cli

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/api"
)

func (a *app) tenantCommands() []*cobra.Command {
	return []*cobra.Command{a.serviceAccount(), a.policy(), a.resourceGroup(), a.permissionsGroup(), a.explain(), a.whoami(), a.openrc(), a.cloudsYAML()}
}

// client gives the management API as the service account that the environment names.
func (a *app) client() (*api.Client, error) {
	url, id, secret := os.Getenv("STACKGATE_URL"), os.Getenv("STACKGATE_CLIENT_ID"), os.Getenv("STACKGATE_CLIENT_SECRET")
	if url == "" || id == "" || secret == "" {
		return nil, usagef("set STACKGATE_URL, STACKGATE_CLIENT_ID and STACKGATE_CLIENT_SECRET first; 'stackgate dev' writes them to .stackgate/admin.env, " +
			"'stackgate init' prints them")
	}
	return api.NewClient(api.ClientConfig{BaseURL: url, ClientID: id, ClientSecret: secret})
}

// withClient runs f with the management API.
func (a *app) withClient(f func(*api.Client) error) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	return f(c)
}

// parseSpan reads a duration that may be in days, as people write them: 90d, 8h, 15m.
func parseSpan(s string) (time.Duration, error) {
	text, unit := s, time.Duration(1)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		text, unit = days+"h", 24
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > 10*365*24*time.Hour/unit {
		return 0, usagef("%q is not a time span such as 8h or 90d", s)
	}
	return d * unit, nil
}

// timeOf shows a time that may be absent.
func timeOf(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return when(*t)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// readFile reads a file, or standard input for -.
func (a *app) readFile(name string) ([]byte, error) {
	if name == "" {
		return nil, usagef("name a file with -f, or - for standard input")
	}
	if name == "-" {
		return readAll(a.in)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := readAll(f)
	return data, errors.Join(err, f.Close())
}
