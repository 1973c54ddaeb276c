package agent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/serviceaccount"
)

// A Mode is the login that a tool is told to use.
type Mode string

// The modes. Every tool knows one of the first two.
const (
	AsApplicationCredential Mode = "application-credential"
	AsPassword              Mode = "password"
	AsToken                 Mode = "token"
)

// Modes are all of them, the default first.
var modes = []Mode{AsApplicationCredential, AsPassword, AsToken}

// ParseMode reads a Mode.
func ParseMode(s string) (Mode, error) {
	if m := Mode(s); slices.Contains(modes, m) {
		return m, nil
	}
	return "", fmt.Errorf("%q is not application-credential, password or token", s)
}

// A variable of the environment.
type variable struct{ name, value string }

// variables are what tools read to log in at the Agent. OS_DOMAIN_NAME and OS_TENANT_ID are for gophercloud's and swift's older readers.
func (a *Agent) variables(m Mode) []variable {
	c := a.c.Credential
	p, _ := a.subject()
	vars := []variable{{"OS_AUTH_URL", a.c.URL + "/v3"}, {"OS_IDENTITY_API_VERSION", "3"}}
	switch m {
	case AsPassword:
		vars = append(vars, variable{"OS_AUTH_TYPE", "v3password"}, variable{"OS_USERNAME", c.ID}, variable{"OS_PASSWORD", string(c.Secret)},
			variable{"OS_USER_DOMAIN_NAME", domain}, variable{"OS_DOMAIN_NAME", domain}, variable{"OS_PROJECT_ID", p.ID}, variable{"OS_TENANT_ID", p.ID})
	case AsToken:
		vars = append(vars, variable{"OS_AUTH_TYPE", "v3token"}, variable{"OS_TOKEN", string(c.Token)}, variable{"OS_PROJECT_ID", p.ID})
	default: // no project: it is part of an application credential
		vars = append(vars, variable{"OS_AUTH_TYPE", "v3applicationcredential"}, variable{"OS_APPLICATION_CREDENTIAL_ID", c.ID},
			variable{"OS_APPLICATION_CREDENTIAL_SECRET", string(c.Secret)})
	}
	if a.cloud.Region != "" {
		vars = append(vars, variable{"OS_REGION_NAME", a.cloud.Region})
	}
	if i := strings.TrimSuffix(a.cloud.Interface, "URL"); i != "" && i != "public" {
		vars = append(vars, variable{"OS_INTERFACE", i}, variable{"OS_ENDPOINT_TYPE", i + "URL"})
	}
	for _, v := range []variable{{"OS_CACERT", a.cloud.CACert}, {"OS_CERT", a.cloud.ClientCert}, {"OS_KEY", a.cloud.ClientKey}} {
		if v.value != "" {
			vars = append(vars, v)
		}
	}
	if a.cloud.Insecure {
		vars = append(vars, variable{"OS_INSECURE", "true"})
	}
	return vars
}

// storage is for what asks no Identity service when it has a token: rclone, restic, swift and curl. So it is the cloud's own token, and ends.
func (a *Agent) storage() []variable {
	a.mu.Lock()
	t := a.newest()
	a.mu.Unlock()
	vars := []variable{{"OS_AUTH_TOKEN", string(t.ID)}}
	if url := StorageURL(t, a.cloud); url != "" {
		vars = append(vars, variable{"OS_STORAGE_URL", url})
	}
	return vars
}

// StorageURL is where a token's catalog has Swift; "" where it has none.
func StorageURL(t *serviceaccount.Token, c serviceaccount.Config) string {
	o := c.EndpointOpts()
	for _, s := range t.Catalog().Entries {
		for _, e := range s.Endpoints {
			if s.Type == "object-store" && e.Interface == string(o.Availability) && (o.Region == "" || o.Region == e.Region || o.Region == e.RegionID) {
				return e.URL
			}
		}
	}
	return ""
}

// domain is what the one-time user's domain is called. We do not look at it.
const domain = "Default"

// Environment is base with every OpenStack variable replaced by what leads to the Agent. Versions of APIs stay as they are.
// A proxy is not asked for what is on this machine: Python's requests would otherwise send the credential there.
func (a *Agent) Environment(base []string, m Mode) []string {
	var env []string
	noProxy := ""
	for _, v := range base {
		name, value, _ := strings.Cut(v, "=")
		if strings.EqualFold(name, "no_proxy") {
			noProxy = value
			continue
		}
		if strange(name) {
			continue
		}
		env = append(env, v)
	}
	vars := a.variables(m)
	if m == AsToken {
		vars = append(vars, a.storage()...)
	}
	for _, v := range vars {
		env = append(env, v.name+"="+v.value)
	}
	noProxy = strings.TrimPrefix(noProxy+",127.0.0.1,localhost", ",")
	return append(env, "NO_PROXY="+noProxy, "no_proxy="+noProxy)
}

// strange says whether a variable belongs to another login: all of OpenStack's, those of the older swift client, and what Stackgate's own commands read.
func strange(name string) bool {
	if strings.HasPrefix(name, "OS_") {
		return !strings.HasSuffix(name, "_API_VERSION")
	}
	return slices.Contains([]string{"ST_AUTH", "ST_USER", "ST_KEY", "ST_AUTH_VERSION", "STACKGATE_CLIENT_ID", "STACKGATE_CLIENT_SECRET", "STACKGATE_MASTER_KEY"}, name)
}

// OpenRC is a file for a shell that sets the same variables.
func (a *Agent) OpenRC(m Mode) string {
	var b strings.Builder
	b.WriteString("# stackgate's agent for " + a.cloud.Name + ". Use it with:  . ./openrc\n")
	b.WriteString("for v in $(env | sed -n 's/^\\(OS_[A-Z0-9_]*\\)=.*/\\1/p'); do unset \"$v\"; done\n")
	for _, v := range a.variables(m) {
		b.WriteString("export " + v.name + "='" + strings.ReplaceAll(v.value, "'", `'\''`) + "'\n")
	}
	b.WriteString("export NO_PROXY=\"${NO_PROXY:+$NO_PROXY,}127.0.0.1,localhost\" no_proxy=\"${no_proxy:+$no_proxy,}127.0.0.1,localhost\"\n")
	return b.String()
}
