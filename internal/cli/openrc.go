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
}

// AuthURL is OS_AUTH_URL.
func (a access) AuthURL() string { return a.PublicURL + "/v3" }

// Discovery is OS_DISCOVERY_ENDPOINT.
func (a access) Discovery() string {
	return fmt.Sprintf("%s/role-adapter/urn:v1:%s:resource:publicCloudProject:pci/.well-known/openid-configuration", a.PublicURL, a.Partition)
}

// quote makes a word for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// openrcText is the guide's variables. What it unsets breaks the v3oidcclientcredentials plugin or would win over it.
var openrcText = template.Must(template.New("openrc").Funcs(template.FuncMap{"q": quote}).Parse(`# Service account {{.ClientID}} on project {{.Project}}. Use it with:  . ./openrc
unset OS_CLOUD OS_TOKEN OS_AUTH_TOKEN OS_USERNAME OS_PASSWORD OS_USER_ID OS_USER_DOMAIN_ID OS_USER_DOMAIN_NAME \
      OS_PROJECT_NAME OS_PROJECT_DOMAIN_ID OS_PROJECT_DOMAIN_NAME OS_TENANT_ID OS_TENANT_NAME OS_DOMAIN_ID OS_DOMAIN_NAME \
      OS_SYSTEM_SCOPE OS_TRUST_ID OS_ACCESS_TOKEN_ENDPOINT OS_OPENID_SCOPE \
      OS_APPLICATION_CREDENTIAL_ID OS_APPLICATION_CREDENTIAL_NAME OS_APPLICATION_CREDENTIAL_SECRET
export OS_AUTH_TYPE=v3oidcclientcredentials
export OS_PROTOCOL=openid
export OS_ACCESS_TOKEN_TYPE=id_token
export OS_IDENTITY_API_VERSION=3
export OS_AUTH_URL={{q .AuthURL}}
export OS_IDENTITY_PROVIDER={{q .Provider}}
export OS_DISCOVERY_ENDPOINT={{q .Discovery}}
export OS_PROJECT_ID={{q .Project}}
export OS_CLIENT_ID={{q .ClientID}}
{{- if .Secret}}
export OS_CLIENT_SECRET={{q .Secret}}
{{- else}}
printf 'Secret of service account %s: ' "$OS_CLIENT_ID" >&2
stty -echo 2>/dev/null
read -r OS_CLIENT_SECRET
stty echo 2>/dev/null
printf '\n' >&2
export OS_CLIENT_SECRET
{{- end}}
export OS_REGION_NAME={{q .Region}}
`))

// cloudsText is the guide's clouds.yaml.
var cloudsText = template.Must(template.New("clouds.yaml").Funcs(template.FuncMap{"q": quoteYAML}).Parse(`clouds:
{{- range .}}
  {{.Cloud}}:
    auth_type: 'v3oidcclientcredentials'
    region_name: {{.Region}}
    auth:
      protocol: 'openid'
      access_token_type: 'id_token'
      auth_url: {{q .AuthURL}}
      identity_provider: {{q .Provider}}
      discovery_endpoint: {{q .Discovery}}
      project_id: {{q .Project}}
      client_id: {{q .ClientID}}
      client_secret: {{if .Secret}}{{q .Secret}}{{else}}'' # put the secret here, or into secure.yaml{{end}}
{{- end}}
`))

func quoteYAML(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func writeOpenrc(w io.Writer, a access) error { return openrcText.Execute(w, a) }

func writeClouds(w io.Writer, as ...access) error { return cloudsText.Execute(w, as) }
