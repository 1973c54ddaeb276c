package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/stackgate/stackgate/internal/cloud"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/serviceaccount"
)

// A CloudEntry is a real OpenStack behind the gateway, written as in clouds.yaml, or named there.
type CloudEntry struct {
	Name      string            `yaml:"name"`      // for logs and messages
	FromFile  string            `yaml:"os_cloud"`  // the entry of clouds.yaml, where openstacksdk looks for it, in place of auth_type, auth and cacert
	AuthType  string            `yaml:"auth_type"` // password, v3applicationcredential, v3oidcclientcredentials or token; password
	Auth      AuthEntry         `yaml:"auth"`      // as in clouds.yaml
	Interface string            `yaml:"interface"` // public, internal or admin; public
	CACert    string            `yaml:"cacert"`    // PEM file of the authorities to trust; the system's
	Regions   []string          `yaml:"regions"`   // that are served; all of the catalog
	Rename    map[string]string `yaml:"rename"`    // what regions are called here, by their names in the cloud
	Projects  []ProjectEntry    `yaml:"projects"`  // that are served; all that the credential sees
	Closed    []string          `yaml:"closed"`    // names of operations that are turned off; none
	Limits    LimitsEntry       `yaml:"limits"`
	Accept    AcceptEntry       `yaml:"accept"`
}

// An AuthEntry is a credential. Its secret may stand in a file or in the environment.
type AuthEntry struct {
	AuthURL         string                `yaml:"auth_url"`
	Username        string                `yaml:"username"`
	UserID          string                `yaml:"user_id"`
	UserDomainID    string                `yaml:"user_domain_id"`
	UserDomainName  string                `yaml:"user_domain_name"`
	Password        serviceaccount.Secret `yaml:"password"`
	CredentialID    string                `yaml:"application_credential_id"`
	CredentialName  string                `yaml:"application_credential_name"`
	CredentialSecr  serviceaccount.Secret `yaml:"application_credential_secret"`
	Token           serviceaccount.Secret `yaml:"token"`
	Provider        string                `yaml:"identity_provider"`
	Protocol        string                `yaml:"protocol"`
	Discovery       string                `yaml:"discovery_endpoint"`
	TokenEndpoint   string                `yaml:"access_token_endpoint"`
	AccessTokenType string                `yaml:"access_token_type"`
	Scope           string                `yaml:"openid_scope"`
	ClientID        string                `yaml:"client_id"`
	ClientSecret    serviceaccount.Secret `yaml:"client_secret"`
	SecretFile      string                `yaml:"secret_file"` // holds the password, secret or token; read at each login
	SecretEnv       string                `yaml:"secret_env"`  // the variable that holds it
}

// A ProjectEntry is a project that is served.
type ProjectEntry struct {
	ID       string     `yaml:"id"`        // the same on both sides
	AuthType string     `yaml:"auth_type"` // of its own credential
	Auth     *AuthEntry `yaml:"auth"`      // its own; that of the cloud, for this project
}

// A LimitsEntry says how long a cloud may take.
type LimitsEntry struct {
	Connect time.Duration `yaml:"connect"` // to connect; 10s
	Login   time.Duration `yaml:"login"`   // for each request of a login; 10s
	Answer  time.Duration `yaml:"answer"`  // until an answer begins; 2m
	Idle    time.Duration `yaml:"idle"`    // how long nothing may move in a body; 2m
	AtOnce  int           `yaml:"at_once"` // calls under way to one service of a region; 1024
}

// An AcceptEntry says what of a credential that looks like an administrator's is accepted all the same.
type AcceptEntry struct {
	Administrator string   `yaml:"administrator"` // the sentence acceptAdministrator; refused
	Roles         []string `yaml:"roles"`         // that are harmless in this cloud, though they sound otherwise
	Services      []string `yaml:"services"`      // that let anybody read there what elsewhere is for administrators
}

// acceptAdministrator is what has to be said in so many words.
const acceptAdministrator = "a call that the gateway lets through by mistake can do anything to this cloud"

// checkClouds says what is wrong before anybody logs in.
func (c *Config) checkClouds() error {
	names := map[string]bool{}
	for _, e := range c.Clouds {
		if e.Name == "" || names[e.Name] {
			return errors.New("clouds: each needs a name of its own")
		}
		names[e.Name] = true
		if err := e.check(); err != nil {
			return fmt.Errorf("clouds: %s: %w", e.Name, err)
		}
	}
	return nil
}

func (e *CloudEntry) check() error {
	if e.FromFile != "" && (e.AuthType != "" || e.CACert != "" || e.Auth != AuthEntry{}) {
		return errors.New("os_cloud takes auth_type, auth and cacert from clouds.yaml: leave them out here")
	}
	if a := e.Accept.Administrator; a != "" && a != acceptAdministrator {
		return fmt.Errorf("accept: administrator must say %q, or be left out", acceptAdministrator)
	}
	for _, pattern := range e.Closed {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("closed: %q is not the name of an operation with * for any text", pattern)
		}
	}
	ids := map[string]bool{}
	for _, p := range e.Projects {
		if _, err := iam.ParseProjectID(p.ID); err != nil || ids[p.ID] {
			return fmt.Errorf("projects: %q is not an id of 32 hexadecimal digits, or is there twice", p.ID)
		}
		ids[p.ID] = true
	}
	l := e.Limits
	if min(l.Connect, l.Login, l.Answer, l.Idle) < 0 || l.AtOnce < 0 {
		return errors.New("limits: nothing may be less than 0; what is left out has its default")
	}
	return nil
}

// clouds gives what package server wants.
func (c *Config) clouds() ([]server.Cloud, error) {
	var list []server.Cloud
	for _, e := range c.Clouds {
		out, err := e.server(c.AllowPlainHTTP)
		if err != nil {
			return nil, fmt.Errorf("clouds: %s: %w", e.Name, err)
		}
		list = append(list, out)
	}
	return list, nil
}

func (e *CloudEntry) server(plain bool) (server.Cloud, error) {
	login, err := e.login()
	if err != nil {
		return server.Cloud{}, err
	}
	out := server.Cloud{
		Config: cloud.Config{
			Name: e.Name, Login: login, Regions: e.Regions, Rename: e.Rename, Plain: plain,
			Accept: cloud.Accept{Administrator: e.Accept.Administrator != "", Roles: e.Accept.Roles, Services: e.Accept.Services},
		},
		Limits: server.CloudLimits{Connect: e.Limits.Connect, Answer: e.Limits.Answer, Idle: e.Limits.Idle, AtOnce: e.Limits.AtOnce},
		Closed: e.Closed,
	}
	if len(e.Projects) > 0 {
		out.Projects = map[string]*serviceaccount.Config{}
	}
	for _, p := range e.Projects {
		if out.Projects[p.ID], err = p.login(login); err != nil {
			return out, fmt.Errorf("project %s: %w", p.ID, err)
		}
	}
	out.TLS, err = tlsOf(login)
	return out, err
}

// login is the credential of the cloud.
func (e *CloudEntry) login() (serviceaccount.Config, error) {
	c := serviceaccount.Config{Name: e.Name, AuthType: authType(e.AuthType), Interface: e.Interface, CACert: e.CACert}
	var err error
	if e.FromFile != "" {
		if c, err = serviceaccount.FromCloud(e.FromFile); err != nil {
			return c, err
		}
		if c.Insecure {
			return c, errors.New("the entry turns the check of certificates off (verify, insecure), and our credential would go to whoever answers: " +
				"name the authority with cacert")
		}
		c.Region = "" // regions says which
	} else if err = e.Auth.into(&c); err != nil {
		return c, err
	}
	if c.Timeout = e.Limits.Login; c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	return c, nil
}

// login is the project's own credential, nil if it has none. What it does not say of the Identity service is the cloud's.
func (p *ProjectEntry) login(common serviceaccount.Config) (*serviceaccount.Config, error) {
	if p.Auth == nil {
		return nil, nil
	}
	c := serviceaccount.Config{
		Name: common.Name, AuthType: authType(p.AuthType), AuthURL: common.AuthURL, Interface: common.Interface, CACert: common.CACert,
		IdentityProvider: common.IdentityProvider, Protocol: common.Protocol, DiscoveryEndpoint: common.DiscoveryEndpoint,
		AccessTokenEndpoint: common.AccessTokenEndpoint, AccessTokenType: common.AccessTokenType, Scope: common.Scope, Timeout: common.Timeout,
	}
	return &c, p.Auth.into(&c)
}

// authType has clouds.yaml's default.
func authType(s string) serviceaccount.AuthType {
	if s == "" {
		return serviceaccount.Password
	}
	return serviceaccount.AuthType(s)
}

// into lays the entry over c.
func (a *AuthEntry) into(c *serviceaccount.Config) error {
	for _, v := range []struct {
		to   *string
		from string
	}{
		{&c.AuthURL, a.AuthURL}, {&c.Username, a.Username}, {&c.UserID, a.UserID}, {&c.UserDomainID, a.UserDomainID},
		{&c.UserDomainName, a.UserDomainName}, {&c.ApplicationCredentialID, a.CredentialID}, {&c.ApplicationCredentialName, a.CredentialName},
		{&c.IdentityProvider, a.Provider}, {&c.Protocol, a.Protocol}, {&c.DiscoveryEndpoint, a.Discovery},
		{&c.AccessTokenEndpoint, a.TokenEndpoint}, {&c.AccessTokenType, a.AccessTokenType}, {&c.Scope, a.Scope}, {&c.ClientID, a.ClientID},
		{&c.SecretFile, a.SecretFile},
	} {
		if v.from != "" {
			*v.to = v.from
		}
	}
	c.Password, c.ApplicationCredentialSecret, c.Token, c.ClientSecret = a.Password, a.CredentialSecr, a.Token, a.ClientSecret
	if a.SecretEnv == "" {
		return nil
	}
	secret := serviceaccount.Secret(os.Getenv(a.SecretEnv))
	if secret == "" {
		return fmt.Errorf("secret_env: the variable %s is empty", a.SecretEnv)
	}
	c.Password, c.ApplicationCredentialSecret, c.Token, c.ClientSecret = secret, secret, secret, secret // the auth_type takes its own
	return nil
}

// tlsOf is how the certificates of a cloud are checked. There is no way not to.
func tlsOf(c serviceaccount.Config) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CACert != "" {
		pem, err := os.ReadFile(c.CACert)
		if err != nil {
			return nil, fmt.Errorf("cacert: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("cacert: there is no certificate in %s", c.CACert)
		}
	}
	if c.ClientCert == "" {
		return t, nil
	}
	key := c.ClientKey
	if key == "" {
		key = c.ClientCert
	}
	pair, err := tls.LoadX509KeyPair(c.ClientCert, key)
	if err != nil {
		return nil, fmt.Errorf("cert and key: %w", err)
	}
	t.Certificates = []tls.Certificate{pair}
	return t, nil
}

// cloudFiles are the paths in the entries, which are relative to the configuration.
func (c *Config) cloudFiles() (files []*string) {
	for i := range c.Clouds {
		e := &c.Clouds[i]
		files = append(files, &e.CACert, &e.Auth.SecretFile)
		for _, p := range e.Projects {
			if p.Auth != nil {
				files = append(files, &p.Auth.SecretFile)
			}
		}
	}
	return slices.Clip(files)
}

func absolute(dir string, files []*string) {
	for _, f := range files {
		if *f != "" && !filepath.IsAbs(*f) {
			*f = filepath.Join(dir, *f)
		}
	}
}
