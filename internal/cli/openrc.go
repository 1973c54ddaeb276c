package cli

import (
	"fmt"
	"io"
	"strings"
	"text/template"

	"github.com/stackgate/stackgate/internal/urn"
)

// access is what a client needs to log in, in the guide's words.
type access struct {
	PublicURL string        `json:"public_url"`
	Provider  string        `json:"identity_provider"`
	Partition urn.Partition `json:"partition"`
	Project   string        `json:"project_id"`
	ClientID  string        `json:"client_id"`
	Secret    string        `json:"client_secret,omitempty"` // "": ask for it
	Region    string        `json:"region_name"`
	Cloud     string        `json:"-"` // the entry's name in clouds.yaml
	As        door          `json:"-"` // "" is asOIDC
	Keystone  string        `json:"-"` // an operator's own, in our place
}

// AuthURL is OS_AUTH_URL.
func (a access) AuthURL() string {
	if a.Keystone != "" {
		return a.Keystone
	}
	return a.PublicURL + "/v3"
}

// Discovery is OS_DISCOVERY_ENDPOINT.
func (a access) Discovery() string {
	return fmt.Sprintf("%s/role-adapter/urn:v1:%s:resource:publicCloudProject:pci/.well-known/openid-configuration", a.PublicURL, a.Partition)
}

// quote makes a word for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// A door is a way to log in, as --as names it.
type door string

// The doors. The first is the guide's; what knows no OpenID Connect takes one of the others.
const (
	asOIDC       door = "oidc"
	asPassword   door = "password"
	asCredential door = "application-credential"
)

// AuthType is OS_AUTH_TYPE.
func (a access) AuthType() string {
	switch a.As {
	case asPassword:
		return "v3password"
	case asCredential:
		return "v3applicationcredential"
	}
	return "v3oidcclientcredentials"
}

// A setting is one of the things that clients want to know: OS_ and its name in capitals is the variable, the name alone the
// member of auth in clouds.yaml.
type setting struct{ Name, Value string }

// Variable is its name in the environment.
func (s setting) Variable() string { return "OS_" + strings.ToUpper(s.Name) }

// Settings are those of the door, without the secret.
func (a access) Settings() []setting {
	url, project := setting{"auth_url", a.AuthURL()}, setting{"project_id", a.Project}
	switch a.As {
	case asPassword:
		return []setting{url, project, {"user_domain_name", a.Provider}, {"username", a.ClientID}}
	case asCredential: // takes no project: it is in the id
		return []setting{url, {"application_credential_id", a.ClientID + "@" + a.Project}}
	}
	return []setting{
		{"protocol", "openid"}, {"access_token_type", "id_token"}, url, {"identity_provider", a.Provider},
		{"discovery_endpoint", a.Discovery()}, project, {"client_id", a.ClientID},
	}
}

// SecretSetting is where the door takes the secret.
func (a access) SecretSetting() setting {
	switch a.As {
	case asPassword:
		return setting{"password", a.Secret}
	case asCredential:
		return setting{"application_credential_secret", a.Secret}
	}
	return setting{"client_secret", a.Secret}
}

// unsetLogins removes the variables of every login, so that none is left of another.
const unsetLogins = `unset OS_CLOUD OS_TOKEN OS_AUTH_TOKEN OS_USERNAME OS_PASSWORD OS_USER_ID OS_USERID OS_USER_DOMAIN_ID OS_USER_DOMAIN_NAME \
      OS_PROJECT_ID OS_PROJECT_NAME OS_PROJECT_DOMAIN_ID OS_PROJECT_DOMAIN_NAME OS_TENANT_ID OS_TENANT_NAME OS_DOMAIN_ID OS_DOMAIN_NAME \
      OS_DEFAULT_DOMAIN OS_SYSTEM_SCOPE OS_TRUST_ID OS_ACCESS_TOKEN OS_ACCESS_TOKEN_ENDPOINT OS_ACCESS_TOKEN_TYPE OS_OPENID_SCOPE \
      OS_PROTOCOL OS_IDENTITY_PROVIDER OS_DISCOVERY_ENDPOINT OS_CLIENT_ID OS_CLIENT_SECRET \
      OS_APPLICATION_CREDENTIAL_ID OS_APPLICATION_CREDENTIAL_NAME OS_APPLICATION_CREDENTIAL_SECRET OS_STORAGE_URL`

// openrcText is the guide's variables, or those of another door. What it unsets belongs to other doors, breaks the
// v3oidcclientcredentials plugin, or would win.
var openrcText = template.Must(template.New("openrc").Funcs(template.FuncMap{"q": quote}).Parse(`# Service account {{.ClientID}} on project {{.Project}}. Use it with:  . ./openrc
` + unsetLogins + `
export OS_AUTH_TYPE={{.AuthType}}
export OS_IDENTITY_API_VERSION=3
{{- range .Settings}}
export {{.Variable}}={{q .Value}}
{{- end}}
{{- if eq .AuthType "v3password"}}
export OS_TENANT_ID={{q .Project}}          # rclone and restic read this,
export OS_DOMAIN_NAME={{q .Provider}} # and programs on gophercloud this
{{- end}}
{{- with .SecretSetting}}{{if .Value}}
export {{.Variable}}={{q .Value}}
{{- else}}
printf 'Secret of service account %s: ' {{q $.ClientID}} >&2
stty -echo 2>/dev/null
read -r {{.Variable}}
stty echo 2>/dev/null
printf '\n' >&2
export {{.Variable}}
{{- end}}{{end}}
export OS_REGION_NAME={{q .Region}}
`))

// cloudsText is the guide's clouds.yaml, or that of another door.
var cloudsText = template.Must(template.New("clouds.yaml").Funcs(template.FuncMap{"q": quoteYAML}).Parse(`clouds:
{{- range .}}
  {{.Cloud}}:
    auth_type: {{q .AuthType}}
    region_name: {{.Region}}
    auth:
{{- range .Settings}}
      {{.Name}}: {{q .Value}}
{{- end}}
{{- with .SecretSetting}}
      {{.Name}}: {{if .Value}}{{q .Value}}{{else}}'' # put the secret here, or into secure.yaml{{end}}
{{- end}}
{{- end}}
`))

func quoteYAML(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func writeOpenrc(w io.Writer, a access) error { return openrcText.Execute(w, a) }

func writeClouds(w io.Writer, as ...access) error { return cloudsText.Execute(w, as) }
