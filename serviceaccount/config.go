package serviceaccount

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"
)

// An AuthType says how to log in, in keystoneauth's words.
type AuthType string

// The logins that are known. The first is that of OVHcloud's guide.
const (
	OIDCClientCredentials AuthType = "v3oidcclientcredentials"
	OIDCPassword          AuthType = "v3oidcpassword"
	OIDCAccessToken       AuthType = "v3oidcaccesstoken"
	Password              AuthType = "v3password" // also "password"
	ApplicationCredential AuthType = "v3applicationcredential"
	KeystoneToken         AuthType = "v3token" // also "token"
)

// Config says where and as whom to log in. Members not named by an AuthType are ignored by it. FromEnv and FromCloud fill it in.
type Config struct {
	Name     string   // the entry of clouds.yaml; "envvars" for the environment. Only for messages
	AuthType AuthType // "": OIDCClientCredentials
	AuthURL  string   // the Identity service, https://auth.cloud.ovh.net/v3; /v3 may be missing

	IdentityProvider    string // OIDC…: as Keystone names it, ovhcloud-emea
	Protocol            string // OIDC…: openid
	DiscoveryEndpoint   string // OIDC…: …/.well-known/openid-configuration
	AccessTokenEndpoint string // OIDC…: instead of what discovery says
	AccessTokenType     string // OIDC…: which token goes to Keystone, access_token (if "") or id_token
	Scope               string // OIDC…: "": openid profile. OVHcloud also takes "openid profile email publicCloudProject/all"
	ClientID            string // OIDC…
	ClientSecret        Secret // OIDC…
	AccessToken         Secret // OIDCAccessToken

	Username       string // Password, OIDCPassword; ApplicationCredential by name
	UserID         string // Password; ApplicationCredential by name
	UserDomainID   string
	UserDomainName string
	Password       Secret // Password, OIDCPassword

	ApplicationCredentialID     string
	ApplicationCredentialName   string
	ApplicationCredentialSecret Secret

	Token Secret // KeystoneToken

	// SecretFile holds the secret of the AuthType (client secret, password, application credential's secret, access token or
	// token) and is read at each login. A final newline is not part of it.
	SecretFile string

	ProjectID         string // what the token is for: a project by id …
	ProjectName       string // … or by name and domain …
	ProjectDomainID   string
	ProjectDomainName string
	DomainID          string // … or a domain …
	DomainName        string
	TrustID           string // … or a trust …
	SystemScope       string // … or "all", the system (Password and KeystoneToken)

	Region    string // for EndpointOpts
	Interface string // for EndpointOpts: public (if ""), internal or admin

	CACert     string // PEM file of the authorities to trust, instead of the system's
	ClientCert string // PEM file of a TLS client certificate
	ClientKey  string // PEM file of its key; "": in ClientCert
	Insecure   bool   // do not verify the server's certificate

	// Timeout is for each request of a login; 0: 30 s. Requests to services have none on the whole, since objects may be large: they
	// end with their context, or when a service does not begin to answer in five minutes.
	Timeout time.Duration

	Transport http.RoundTripper // instead of one made from CACert, ClientCert and Insecure
	UserAgent string            // before gophercloud's

	Trace  func(Exchange) // optional: told of each request of a login when it has ended. It must not block
	Shared Shared         // optional: tokens shared with other processes

	Files    []string // what FromEnv and FromCloud have read it from
	Warnings []string // what FromEnv and FromCloud saw that works here, and not with every tool

	// reload reads the files again that this came from; nil: there are none. given are the secrets now: others than it has read itself were put
	// in by the program, and stay. A function, since what is printed of a Config must have no secret in it.
	reload func(given secrets) (secrets, error)
}

// oidc says whether a login goes through an identity provider.
func (t AuthType) oidc() bool {
	return t == OIDCClientCredentials || t == OIDCPassword || t == OIDCAccessToken
}

// EndpointOpts says which endpoints of the catalog to use, for gophercloud's NewComputeV2 and its like.
func (c *Config) EndpointOpts() gophercloud.EndpointOpts {
	return gophercloud.EndpointOpts{Region: c.Region, Availability: gophercloud.Availability(availability(c.Interface))}
}

// availability takes publicURL and public alike, as openstacksdk does.
func availability(s string) string {
	s = strings.TrimSuffix(s, "URL")
	if s == "" {
		return string(gophercloud.AvailabilityPublic)
	}
	return s
}

// fill puts in the defaults.
func (c *Config) fill() {
	switch c.AuthType {
	case "":
		c.AuthType = OIDCClientCredentials
	case "password":
		c.AuthType = Password
	case "token":
		c.AuthType = KeystoneToken
	}
	c.AuthURL = strings.TrimRight(c.AuthURL, "/")
	if c.AuthURL != "" && !strings.HasSuffix(c.AuthURL, "v3") {
		c.AuthURL += "/v3" // as keystoneauth does since 5.2
	}
	if c.Scope == "" {
		c.Scope = "openid profile"
	}
	if c.AccessTokenType == "" {
		c.AccessTokenType = "access_token"
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
}

// check says what is missing, in the words of clouds.yaml.
func (c *Config) check() error {
	if err := checkURL("auth_url", c.AuthURL); err != nil {
		return err
	}
	var missing []string
	need := func(name string, ok bool) {
		if !ok {
			missing = append(missing, name)
		}
	}
	if c.AuthType.oidc() {
		need("identity_provider", c.IdentityProvider != "")
		need("protocol", c.Protocol != "")
	}
	secret := func(s Secret) bool { return s != "" || c.SecretFile != "" }
	switch c.AuthType {
	case OIDCClientCredentials:
		need("client_id", c.ClientID != "")
		need("client_secret", secret(c.ClientSecret))
		need("discovery_endpoint (or access_token_endpoint)", c.DiscoveryEndpoint+c.AccessTokenEndpoint != "")
	case OIDCPassword:
		need("client_id", c.ClientID != "")
		need("username", c.Username != "")
		need("password", secret(c.Password))
		need("discovery_endpoint (or access_token_endpoint)", c.DiscoveryEndpoint+c.AccessTokenEndpoint != "")
	case OIDCAccessToken:
		need("access_token", secret(c.AccessToken))
	case Password:
		need("username (or user_id)", c.Username+c.UserID != "")
		need("user_domain_id (or user_domain_name)", c.UserID+c.UserDomainID+c.UserDomainName != "")
		need("password", secret(c.Password))
	case ApplicationCredential:
		need("application_credential_id (or application_credential_name, with a user)",
			c.ApplicationCredentialID != "" || c.ApplicationCredentialName != "" && c.Username+c.UserID != "")
		need("application_credential_secret", secret(c.ApplicationCredentialSecret))
	case KeystoneToken:
		need("token", secret(c.Token))
	default:
		return configError("auth_type %q is not known here: use %s, %s, %s, %s, %s or %s", c.AuthType,
			OIDCClientCredentials, ApplicationCredential, Password, KeystoneToken, OIDCAccessToken, OIDCPassword)
	}
	if len(missing) > 0 {
		return configError("auth_type %s needs %s", c.AuthType, strings.Join(missing, ", "))
	}
	return c.checkMore()
}

func (c *Config) checkMore() error {
	for name, u := range map[string]string{"discovery_endpoint": c.DiscoveryEndpoint, "access_token_endpoint": c.AccessTokenEndpoint} {
		if u == "" {
			continue
		}
		if err := checkURL(name, u); err != nil {
			return err
		}
	}
	if c.ProjectName != "" && c.ProjectID == "" && c.ProjectDomainID+c.ProjectDomainName == "" {
		return configError("project_name needs project_domain_id or project_domain_name, since names are unique only within a domain")
	}
	switch a := availability(c.Interface); a {
	case "public", "internal", "admin":
		return nil
	default:
		return configError("interface is public, internal or admin, not %q", a)
	}
}

// checkURL never prints what it was given: a secret may have been put into the wrong place.
func checkURL(name, s string) error {
	if s == "" {
		return configError("%s is missing", name)
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return configError("%s is not a URL such as https://auth.example/v3", name)
	}
	if u.User != nil {
		return configError("%s must not have a user and password in it", name)
	}
	return nil
}
