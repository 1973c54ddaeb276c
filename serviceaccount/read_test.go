package serviceaccount_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stackgate/stackgate/serviceaccount"
)

// home makes an empty world: no variables, an empty working directory and home. It gives the home.
func home(t *testing.T) string {
	t.Helper()
	for _, v := range os.Environ() {
		if key, _, _ := strings.Cut(v, "="); strings.HasPrefix(key, "OS_") {
			t.Setenv(key, "") // remembers it
			_ = os.Unsetenv(key)
		}
	}
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("XDG_CONFIG_DIRS", filepath.Join(dir, "xdg"))
	t.Setenv("SNAP_REAL_HOME", "")
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(filepath.Join(dir, ".config", "openstack"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// guide is the guide's clouds.yaml.
const guide = `clouds:
  ovhcloud:
    auth_type: 'v3oidcclientcredentials'
    region_name: GRA
    auth:
      protocol: 'openid'
      access_token_type: 'id_token'
      auth_url: 'https://auth.cloud.ovh.net/v3'
      identity_provider: 'ovhcloud-emea'
      discovery_endpoint: 'https://iam.ovh.net/role-adapter/urn:v1:eu:resource:publicCloudProject:pci/.well-known/openid-configuration'
      project_id: '0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f'
      client_id: '0f0f0f0f0f0f0f0f'
      client_secret: 'xxxx'
`

// show is a Config in one line, secrets included.
func show(c serviceaccount.Config) string {
	var parts []string
	for _, v := range []struct{ name, value string }{
		{"type", string(c.AuthType)}, {"url", c.AuthURL}, {"idp", c.IdentityProvider}, {"protocol", c.Protocol}, {"kind", c.AccessTokenType},
		{"scope", c.Scope}, {"client", c.ClientID}, {"secret", string(c.ClientSecret)}, {"user", c.Username}, {"udom", c.UserDomainID + c.UserDomainName},
		{"password", string(c.Password)}, {"app", c.ApplicationCredentialID}, {"appsecret", string(c.ApplicationCredentialSecret)}, {"token", string(c.Token)},
		{"project", c.ProjectID + c.ProjectName}, {"pdom", c.ProjectDomainID + c.ProjectDomainName}, {"domain", c.DomainID + c.DomainName},
		{"region", c.Region}, {"interface", c.Interface}, {"ca", c.CACert},
	} {
		if v.value != "" && (v.name != "scope" || v.value != "openid profile") && (v.name != "kind" || v.value != "access_token") {
			parts = append(parts, v.name+"="+v.value)
		}
	}
	if c.Insecure {
		parts = append(parts, "insecure")
	}
	return strings.Join(parts, " ")
}

const guideConfig = "type=v3oidcclientcredentials url=https://auth.cloud.ovh.net/v3 idp=ovhcloud-emea protocol=openid kind=id_token " +
	"client=0f0f0f0f0f0f0f0f secret=xxxx project=0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f region=GRA"

func TestTheGuidesVariablesAndFile(t *testing.T) {
	dir := home(t)
	write(t, filepath.Join(dir, ".config", "openstack", "clouds.yaml"), guide)
	c, err := serviceaccount.FromCloud("ovhcloud")
	if err != nil || show(c) != guideConfig {
		t.Error(show(c), err)
	}
	for line := range strings.Lines(`OS_AUTH_TYPE=v3oidcclientcredentials
OS_PROTOCOL=openid
OS_ACCESS_TOKEN_TYPE=id_token
OS_AUTH_URL=https://auth.cloud.ovh.net/v3
OS_IDENTITY_PROVIDER=ovhcloud-emea
OS_DISCOVERY_ENDPOINT=https://iam.ovh.net/role-adapter/urn:v1:eu:resource:publicCloudProject:pci/.well-known/openid-configuration
OS_PROJECT_ID=0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f
OS_CLIENT_ID=0f0f0f0f0f0f0f0f
OS_CLIENT_SECRET=from the environment
OS_REGION_NAME=GRA1
`) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		t.Setenv(key, value)
	}
	want := strings.NewReplacer("=xxxx", "=from the environment", "GRA", "GRA1").Replace(guideConfig)
	if c, err = serviceaccount.FromEnv(); err != nil || show(c) != want {
		t.Error(show(c), err)
	}
	if c, err = serviceaccount.FromCloud("ovhcloud"); err != nil || show(c) != guideConfig {
		t.Errorf("variables change an entry: %s %v", show(c), err)
	}
	t.Setenv("OS_CLOUD", "ovhcloud")
	if c, err = serviceaccount.FromEnv(); err != nil || show(c) != guideConfig {
		t.Errorf("OS_CLOUD does not win: %s %v", show(c), err)
	}
}

// TestEntriesAreReadAsOpenstacksdkDoes: each result is what openstacksdk 4.22 makes of the same entry, but that it takes a project id of digits for
// a number, and an octal one at that.
func TestEntriesAreReadAsOpenstacksdkDoes(t *testing.T) {
	cases := map[string]struct{ entry, want string }{
		"the scope by its new name":             {"auth_type: v3oidcclientcredentials, auth: {openid_scope: a b, %oidc}", "scope=a b"},
		"with a dash":                           {"auth_type: v3oidcclientcredentials, auth: {openid-scope: a b, %oidc}", "scope=a b"},
		"the scope's short name is auth's only": {"auth_type: v3oidcclientcredentials, scope: x, auth: {scope: y z, %oidc}", "scope=y z"},
		"and none outside":                      {"auth_type: v3oidcclientcredentials, scope: x, auth: {project_id: p, %oidc}", "secret=s project=p "},
		"a new name before an old":              {"auth_type: v3oidcclientcredentials, tenant_id: x, auth: {project_id: y, %oidc}", "project=y"},
		"of a token as well":                    {"auth_type: token, auth_token: x, auth: {auth_url: https://a, token: t}", "token=t "},
		"endpoint_type is later":                {"interface: public, endpoint_type: internal, auth_type: token, auth: {auth_url: https://a, token: t}", "interface=internal"},
		"the default domain":                    {"auth: {auth_url: https://a, username: u, password: p, project_name: n, default_domain_id: D}", "udom=D password=p project=n pdom=D"},
		"a profile nobody knows":                {"profile: nobody, auth_url: https://a, auth_type: token, auth: {token: t}", "url=https://a/v3 token=t"},
		"outside of auth":                       {"auth_type: v3oidcclientcredentials, openid_scope: a b, auth: {%oidc}", "scope=a b"},
		"auth wins over outside":                {"auth_type: v3oidcclientcredentials, client_id: x, auth: {%oidc}", "client=i "},
		"but not for a project":                 {"auth_type: v3oidcclientcredentials, project_id: x, auth: {project_id: y, %oidc}", "project=x"},
		"tenants are projects":                  {"auth_type: v3oidcclientcredentials, auth: {tenant_id: y, %oidc}", "project=y"},
		"a project of digits":                   {"auth_type: v3oidcclientcredentials, auth: {project_id: 00000000000000000000000000000042, %oidc}", "project=00000000000000000000000000000042"},
		"an address without /v3":                {"auth: {auth_url: https://a/identity/, username: u, password: p, user_domain_id: d}", "type=v3password url=https://a/identity/v3 user=u udom=d password=p"},
		"one domain for both":                   {"auth: {auth_url: https://a, username: u, password: p, project_name: n, domain_name: D}", "udom=D password=p project=n pdom=D"},
		"a domain as scope":                     {"auth: {auth_url: https://a, username: u, password: p, user_domain_id: x, domain_id: D}", "udom=x password=p domain=D"},
		"a token":                               {"auth_type: token, auth: {auth_url: https://a, auth_token: t, project_id: p}", "type=v3token url=https://a/v3 token=t project=p"},
		"an application credential":             {"auth_type: v3applicationcredential, auth: {auth_url: https://a, application_credential_id: i, application_credential_secret: s}", "app=i appsecret=s"},
		"regions: the first":                    {"regions: [A, {name: B, values: {interface: internal}}], auth_type: token, auth: {auth_url: https://a, token: t}", "region=A"},
		"region_name with commas":               {"region_name: 'A,B', auth_type: token, auth: {auth_url: https://a, token: t}", "region=A"},
		"endpoint_type":                         {"endpoint_type: internalURL, auth_type: token, auth: {auth_url: https://a, token: t}", "interface=internal"},
		"verify: no":                            {"verify: no, auth_type: token, auth: {auth_url: https://a, token: t}", "insecure"},
		"insecure":                              {"insecure: True, auth_type: token, auth: {auth_url: https://a, token: t}", "insecure"},
		"cacert":                                {"cacert: ~/ca.pem, auth_type: token, auth: {auth_url: https://a, token: t}", "ca=~/ca.pem"},
		"a profile's address":                   {"profile: vendor, auth_type: token, region_name: X, auth: {token: t}", "url=https://X.vendor.example/v3"},
		"the entry over a profile":              {"profile: vendor, auth_type: token, auth: {auth_url: https://a, token: t}", "url=https://a/v3"},
	}
	oidc := "auth_url: https://a, protocol: openid, identity_provider: i, discovery_endpoint: https://d, client_id: i, client_secret: s"
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			home(t)
			write(t, "clouds.yaml", "clouds:\n  x: {"+strings.ReplaceAll(tc.entry, "%oidc", oidc)+"}\n  y: {}\n")
			write(t, "clouds-public.yaml", "public-clouds:\n  vendor: {auth: {auth_url: 'https://{region_name}.vendor.example'}}\n")
			c, err := serviceaccount.FromCloud("x")
			if err != nil || !strings.Contains(show(c)+" ", tc.want) {
				t.Errorf("%s %v\nwant %s", show(c), err, tc.want)
			}
		})
	}
}

func TestFilesAreFoundWhereOpenstacksdkLooks(t *testing.T) {
	dir := home(t)
	entry := func(project string) string {
		return "clouds:\n  x:\n    auth_type: token\n    auth: {auth_url: 'https://a', token: t, project_id: " + project + "}\n"
	}
	want := func(project string) {
		t.Helper()
		if c, err := serviceaccount.FromEnv(); err != nil || c.ProjectID != project || c.Name != "x" {
			t.Error(c.Name, c.ProjectID, err)
		}
	}
	write(t, filepath.Join(dir, ".config", "openstack", "clouds.yml"), entry("home"))
	want("home")
	write(t, "clouds.json", `{"clouds": {"x": {"auth_type": "token", "auth": {"auth_url": "https://a", "token": "t", "project_id": "here"}}}}`)
	want("here")
	write(t, "clouds.yaml", entry("yaml"))
	want("yaml")
	write(t, filepath.Join(dir, "elsewhere"), entry("elsewhere"))
	t.Setenv("OS_CLIENT_CONFIG_FILE", filepath.Join(dir, "elsewhere"))
	want("elsewhere")
	write(t, filepath.Join(dir, ".config", "openstack", "secure.yaml"), "clouds:\n  x:\n    auth: {project_id: secure}\n")
	want("secure")
	t.Setenv("OS_REGION_NAME", "R") // chooses, and makes no cloud
	want("secure")
	c, err := serviceaccount.FromRegion("x", "R")
	if err != nil || c.Region != "R" {
		t.Error(c.Region, err)
	}
}

// TestTheEnvironmentIsACloudWithAName: openstacksdk's envvars, or what OS_CLOUD_NAME says, which OS_CLOUD and FromCloud may name.
func TestTheEnvironmentIsACloudWithAName(t *testing.T) {
	home(t)
	write(t, "clouds.yaml", "clouds: {x: {}, y: {}}\n")
	for key, value := range map[string]string{"OS_AUTH_TYPE": "token", "OS_AUTH_URL": "https://a", "OS_TOKEN": "t", "OS_REGION_NAME": "A,B"} {
		t.Setenv(key, value)
	}
	for _, name := range []string{"envvars", "mine"} {
		for _, cloud := range []string{"", name} {
			t.Setenv("OS_CLOUD", cloud)
			if c, err := serviceaccount.FromEnv(); err != nil || c.Name != name || c.Region != "A" || c.Token != "t" || c.Files != nil {
				t.Error(name, cloud, c.Name, c.Region, c.Files, err)
			}
		}
		t.Setenv("OS_CLOUD_NAME", "mine")
	}
	t.Setenv("OS_CLOUD_NAME", "x")
	t.Setenv("OS_CLOUD", "")
	if _, err := serviceaccount.FromEnv(); err == nil || !strings.Contains(err.Error(), "rename it, or set OS_CLOUD_NAME") {
		t.Error(err)
	}
}

// TestASnapsHomeIsLookedAtAsWell, after its own.
func TestASnapsHomeIsLookedAtAsWell(t *testing.T) {
	dir := home(t)
	entry := "clouds: {x: {auth_type: token, auth: {auth_url: 'https://a', token: %}}}\n"
	t.Setenv("SNAP_REAL_HOME", filepath.Join(dir, "real"))
	write(t, filepath.Join(dir, ".config", "openstack", "clouds.yaml"), strings.Replace(entry, "%", "own", 1))
	if c, err := serviceaccount.FromEnv(); err != nil || c.Token != "own" {
		t.Error(c.Token, err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "real", ".config", "openstack"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "real", ".config", "openstack", "clouds.yaml"), strings.Replace(entry, "%", "real", 1))
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "nothing"))
	if c, err := serviceaccount.FromEnv(); err != nil || c.Token != "real" {
		t.Error(c.Token, err)
	}
}

func TestAConfigurationThatCannotWorkSaysWhatToChange(t *testing.T) {
	cases := map[string]struct{ entry, says string }{
		"no such cloud":        {"z: {}", "cloud x was not found in clouds.yaml, which has z"},
		"nothing in it":        {"x: {}", "auth_url is missing"},
		"auth_type forgotten":  {"x: {auth: {auth_url: 'https://a', application_credential_id: i, application_credential_secret: s}}", "auth_type (OS_AUTH_TYPE): probably it should be v3applicationcredential"},
		"a type without login": {"x: {auth_type: v3websso, auth: {auth_url: 'https://a'}}", `"v3websso" is not known`},
		"several things":       {"x: {auth_type: v3oidcclientcredentials, auth: {auth_url: 'https://a', client_id: i}}", "needs identity_provider, protocol, client_secret, discovery_endpoint"},
		"an address with more": {"x: {auth_type: token, auth: {auth_url: 'https://me:sesame@a', token: t}}", "must not have a user and password"},
		"not an address":       {"x: {auth_type: token, auth: {auth_url: 'sesame', token: t}}", "auth_url is not a URL"},
		"a name alone":         {"x: {auth_type: token, auth: {auth_url: 'https://a', token: t, project_name: n}}", "project_name needs project_domain_id"},
		"a wrong interface":    {"x: {interface: inner, auth_type: token, auth: {auth_url: 'https://a', token: t}}", "not \"inner\""},
		"an unknown profile":   {"x: {profile: nobody, auth_type: token, auth: {token: t}}", "the profile nobody is not in clouds-public.yaml"},
		"broken YAML":          {"x: {token: 'sesame", "clouds.yaml: line"},
		"a foreign region":     {"x: {regions: [A, B], auth_type: token, auth: {auth_url: 'https://a', token: t}}", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			home(t)
			write(t, "clouds.yaml", "clouds:\n  "+tc.entry+"\n")
			_, err := serviceaccount.FromCloud("x")
			if tc.says == "" {
				_, err = serviceaccount.FromRegion("x", "C")
				tc.says = `region "C" is not one of the cloud's: A, B`
			}
			if !errors.Is(err, serviceaccount.ErrConfig) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "sesame") {
				t.Errorf("%v\nwant %s", err, tc.says)
			}
		})
	}
	home(t)
	if _, err := serviceaccount.FromEnv(); err == nil || !strings.Contains(err.Error(), "set the variables OS_AUTH_URL") {
		t.Error(err)
	}
}

// FuzzClouds: whatever a file holds, reading it ends with a Config or an error.
func FuzzClouds(f *testing.F) {
	f.Add(guide)
	f.Add("clouds: [x]")
	f.Add("clouds: {x: {regions: [{}], auth: 3}}")
	f.Add("&a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "c.yaml"), text)
		t.Setenv("OS_CLIENT_CONFIG_FILE", filepath.Join(dir, "c.yaml"))
		c, err := serviceaccount.FromCloud("x")
		if err == nil && c.AuthURL == "" {
			t.Errorf("%+v", c)
		}
	})
}

// TestM4_OnlyATruthTurnsVerificationOff: a text that means nothing, or no, does not.
func TestM4_OnlyATruthTurnsVerificationOff(t *testing.T) {
	for text, off := range map[string]bool{
		"insecure: true": true, "insecure: 'True'": true, "insecure: yes": true, "verify: false": true, "verify: 'False'": true, "verify: no": true,
		"insecure: false": false, "insecure: 'false'": false, "insecure: 'False'": false, "insecure: ''": false, "insecure: maybe": false, "insecure: [true]": false,
		"insecure: ~": false, "verify: true": false, "verify: ''": false, "verify: maybe": false, "verify: ~": false, "verify: [false]": false, "cacert: ''": false,
	} {
		home(t)
		write(t, "clouds.yaml", "clouds:\n  x: {"+text+", auth_type: token, auth: {auth_url: https://a, token: t}}\n")
		if c, err := serviceaccount.FromCloud("x"); err != nil || c.Insecure != off {
			t.Errorf("%s: %v %v", text, c.Insecure, err)
		}
	}
	home(t)
	t.Setenv("OS_AUTH_TYPE", "token")
	t.Setenv("OS_AUTH_URL", "https://a")
	t.Setenv("OS_TOKEN", "t")
	t.Setenv("OS_INSECURE", "false")
	if c, err := serviceaccount.FromEnv(); err != nil || c.Insecure {
		t.Error(c.Insecure, err)
	}
}
