package serviceaccount

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// FromEnv reads the configuration as openstacksdk's connect() does without arguments: the cloud that OS_CLOUD names; else the guide's
// variables, OS_AUTH_TYPE, OS_AUTH_URL, OS_CLIENT_ID and so on; else the only entry of clouds.yaml.
func FromEnv() (Config, error) { return FromCloud(os.Getenv("OS_CLOUD")) }

// FromCloud reads the entry of this name from clouds.yaml, secure.yaml and clouds-public.yaml, where openstacksdk looks for
// them: OS_CLIENT_CONFIG_FILE and OS_CLIENT_SECURE_FILE, the working directory, ~/.config/openstack, /etc/openstack. Variables
// do not change the entry. Without a name it is FromEnv without OS_CLOUD. The cloud of the variables is called envvars, or as OS_CLOUD_NAME
// says.
func FromCloud(name string) (Config, error) { return FromRegion(name, "") }

// FromRegion is FromCloud in one of the entry's regions; "" is the first.
func FromRegion(cloud, regionName string) (Config, error) {
	c, err := readCloud(cloud, regionName)
	was := c.secrets()
	c.reload = func(given secrets) (secrets, error) {
		if given != was {
			return given, nil
		}
		n, err := readCloud(cloud, regionName)
		return n.secrets(), err
	}
	return c, err
}

// envvars is what openstacksdk calls the cloud that the environment describes, unless OS_CLOUD_NAME says otherwise.
const envvars = "envvars"

func readCloud(name, regionName string) (Config, error) {
	entries, paths, err := clouds()
	if err != nil {
		return Config{}, err
	}
	env, set := environment()
	where := strings.Join(paths, " and ")
	own := either(os.Getenv("OS_CLOUD_NAME"), envvars)
	_, taken := entries[own]
	fromEnv := set && (name == "" || name == own)
	switch {
	case fromEnv && taken:
		return Config{}, configError("%s has an entry %s, which is what the cloud of the variables is called: rename it, or set OS_CLOUD_NAME", where, own)
	case fromEnv:
		name, entries = own, map[string]node{own: env}
	case name == "" && len(entries) == 1:
		name = sortedKeys(entries)[0]
	case name == "" && len(entries) == 0:
		return Config{}, configError("no cloud is configured: set the variables OS_AUTH_URL, OS_AUTH_TYPE and so on (an openrc does), or write a clouds.yaml")
	case name == "":
		return Config{}, configError("say which cloud (OS_CLOUD): %s has %s", where, strings.Join(sortedKeys(entries), ", "))
	}
	entry, ok := entries[name]
	switch {
	case !ok && len(entries) == 0:
		return Config{}, configError("cloud %s was not found: there is no clouds.yaml with clouds in it here, in ~/.config/openstack or in /etc/openstack", name)
	case !ok:
		return Config{}, configError("cloud %s was not found in %s, which has %s", name, where, strings.Join(sortedKeys(entries), ", "))
	}
	c, err := configure(name, entry, regionName)
	if c.Files = paths; fromEnv {
		c.Files = nil
	}
	return c, err
}

// environment is the OS_… variables as an entry. Those that only choose a cloud do not make one.
func environment() (entry node, set bool) {
	entry.fields = map[string]node{}
	for _, v := range os.Environ() {
		key, value, _ := strings.Cut(v, "=")
		name, ours := strings.CutPrefix(key, "OS_")
		if !ours || strings.HasPrefix(name, "TEST") || strings.HasPrefix(name, "STD") || strings.HasPrefix(name, "LOG") {
			continue
		}
		entry.fields[strings.ToLower(name)] = node{text: value}
		switch name {
		case "CLOUD", "REGION_NAME", "CLIENT_CONFIG_FILE", "CLIENT_SECURE_FILE", "CLOUD_NAME":
		default:
			set = true
		}
	}
	delete(entry.fields, "cloud") // a selector here, an old word for profile in a file
	return entry, set
}

// configure makes a Config of an entry.
func configure(name string, entry node, regionName string) (Config, error) {
	entry, err := withProfile(entry)
	if err != nil {
		return Config{}, err
	}
	if entry, err = region(entry.normal(), regionName); err != nil {
		return Config{}, err
	}
	v := values{entry, entry.fields["auth"]}
	c := Config{Name: name, Region: entry.first("region_name"), Interface: entry.first("endpoint_type", "interface")}
	v.login(&c)
	v.target(&c)
	v.connection(&c)
	v.warn(&c)
	c.fill()
	return c, v.hint(c, c.check())
}

// values looks a name up in an entry and in its auth:.
type values struct{ entry, auth node }

// get prefers auth:, as openstacksdk does for a plug-in's options.
func (v values) get(names ...string) string {
	if s := v.auth.first(names...); s != "" {
		return s
	}
	return v.entry.first(names...)
}

// outer prefers what stands outside of auth:, as openstacksdk does for domains, projects and tokens. An old name comes after a new one, wherever it stands.
func (v values) outer(names ...string) string {
	for _, name := range names {
		if s := either(v.entry.first(name), v.auth.first(name)); s != "" {
			return s
		}
	}
	return ""
}

func (v values) login(c *Config) {
	c.AuthType = AuthType(v.entry.first("auth_type", "auth_plugin"))
	if c.AuthType == "" {
		c.AuthType = "password" // openstacksdk's default
	}
	c.AuthURL = v.expand(v.get("auth_url"))
	c.IdentityProvider, c.Protocol = v.get("identity_provider"), v.get("protocol")
	c.DiscoveryEndpoint, c.AccessTokenEndpoint = v.get("discovery_endpoint"), v.get("access_token_endpoint")
	c.AccessTokenType, c.Scope = v.get("access_token_type"), either(v.get("openid_scope"), v.auth.first("scope"))
	c.ClientID, c.ClientSecret, c.AccessToken = v.get("client_id"), Secret(v.get("client_secret")), Secret(v.get("access_token"))
	c.Username, c.UserID, c.Password = v.get("username", "user_name"), v.get("user_id"), Secret(v.get("password"))
	c.ApplicationCredentialID, c.ApplicationCredentialName = v.get("application_credential_id"), v.get("application_credential_name")
	c.ApplicationCredentialSecret = Secret(v.get("application_credential_secret"))
	c.Token = Secret(v.outer("token", "auth_token"))
}

// target is what the token is for.
func (v values) target(c *Config) {
	c.ProjectID, c.ProjectName = v.outer("project_id", "tenant_id"), v.outer("project_name", "tenant_name")
	c.ProjectDomainID, c.ProjectDomainName = v.outer("project_domain_id"), v.outer("project_domain_name")
	c.UserDomainID, c.UserDomainName = v.outer("user_domain_id"), v.outer("user_domain_name")
	c.DomainID, c.DomainName = v.outer("domain_id"), v.outer("domain_name")
	c.TrustID, c.SystemScope = v.get("trust_id"), v.get("system_scope")
	if c.ProjectID+c.ProjectName != "" {
		shareDomain(c)
	}
	if c.AuthType == "password" || c.AuthType == "token" {
		v.defaultDomain(c)
	}
}

// shareDomain lets a domain that is given once be user's and project's.
func shareDomain(c *Config) {
	for _, d := range []*string{&c.UserDomainID, &c.ProjectDomainID} {
		*d = either(*d, c.DomainID)
	}
	for _, d := range []*string{&c.UserDomainName, &c.ProjectDomainName} {
		*d = either(*d, c.DomainName)
	}
	c.DomainID, c.DomainName = "", ""
}

// defaultDomain stands in where no domain is given. Only the logins that suit every version of Keystone know it.
func (v values) defaultDomain(c *Config) {
	id, name := v.get("default_domain_id"), v.get("default_domain_name")
	if c.UserDomainID+c.UserDomainName == "" && c.Username != "" {
		c.UserDomainID, c.UserDomainName = id, name
	}
	if c.ProjectDomainID+c.ProjectDomainName == "" && c.ProjectName != "" {
		c.ProjectDomainID, c.ProjectDomainName = id, name
	}
}

func either(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func (v values) connection(c *Config) {
	c.CACert, c.ClientCert, c.ClientKey = v.entry.first("cacert"), v.entry.first("cert"), v.entry.first("key")
	c.Insecure = yes(v.entry.first("insecure")) || no(v.entry.first("verify"))
	if d, err := time.ParseDuration(v.entry.first("api_timeout") + "s"); err == nil && d > 0 {
		c.Timeout = d
	}
}

// warn notes what other tools stumble over.
func (v values) warn(c *Config) {
	if c.AuthURL != "" && !strings.HasSuffix(strings.TrimRight(c.AuthURL, "/"), "v3") {
		c.Warnings = append(c.Warnings, "auth_url (OS_AUTH_URL) has no /v3: openstack of Debian 12 and other tools of before 2023 then ask at the wrong address. Write "+
			strings.TrimRight(c.AuthURL, "/")+"/v3")
	}
	if c.AuthType.oidc() && c.UserDomainID+c.UserDomainName != "" {
		c.Warnings = append(c.Warnings, "user_domain_id or user_domain_name (OS_USER_DOMAIN_…) is set: openstack then fails before it asks anything, "+
			"\"unexpected keyword argument\". Remove it: a service account has no domain")
	}
	if c.AuthType.oidc() && c.SystemScope != "" {
		c.Warnings = append(c.Warnings, "system_scope (OS_SYSTEM_SCOPE) is ignored by this auth_type")
	}
}

// expand fills {region_name} and the like into an auth_url, as profiles have it.
func (v values) expand(s string) string {
	for _, k := range sortedKeys(v.entry.fields) {
		s = strings.ReplaceAll(s, "{"+k+"}", v.entry.fields[k].text)
	}
	return s
}

// hint adds what was probably meant where auth_type was forgotten.
func (v values) hint(c Config, err error) error {
	if err == nil || v.entry.first("auth_type", "auth_plugin") != "" {
		return err
	}
	for _, kind := range []struct {
		has      string
		authType AuthType
	}{{c.ApplicationCredentialID, ApplicationCredential}, {c.DiscoveryEndpoint, OIDCClientCredentials}, {string(c.Token), KeystoneToken}} {
		if kind.has != "" {
			return fmt.Errorf("%w; there is no auth_type (OS_AUTH_TYPE): probably it should be %s", err, kind.authType)
		}
	}
	return err
}
