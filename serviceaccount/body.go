package serviceaccount

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// A method is the identity part of a request to /v3/auth/tokens: one name, and what it proves.
type method map[string]map[string]any

// method is how the configuration proves itself to Keystone directly.
func (c *Config) method() method {
	switch c.AuthType {
	case Password:
		user := c.user()
		user["password"] = string(c.Password)
		return method{"password": {"user": user}}
	case ApplicationCredential:
		v := map[string]any{"secret": string(c.ApplicationCredentialSecret)}
		if c.ApplicationCredentialID != "" {
			v["id"] = c.ApplicationCredentialID
		} else {
			v["name"], v["user"] = c.ApplicationCredentialName, c.user()
		}
		return method{"application_credential": v}
	default:
		return method{"token": {"id": string(c.Token)}}
	}
}

func (c *Config) user() map[string]any {
	if c.UserID != "" {
		return map[string]any{"id": c.UserID}
	}
	return map[string]any{"name": c.Username, "domain": named(c.UserDomainID, c.UserDomainName)}
}

// named refers to something by id, or else by name.
func named(id, name string) map[string]any {
	if id != "" {
		return map[string]any{"id": id}
	}
	return map[string]any{"name": name}
}

// scoped says whether the token is to be for something.
func (c *Config) scoped() bool { s, _ := c.scope(); return s != nil }

// scope is what the token is for, for Keystone and in words. An application credential has its project in itself, and Keystone refuses to
// hear of another. System scope is ignored by every OpenID Connect login, as keystoneauth has it.
func (c *Config) scope() (any, string) {
	switch {
	case c.AuthType == ApplicationCredential:
		return nil, "its own project"
	case c.DomainID+c.DomainName != "" && c.ProjectID+c.ProjectName == "":
		return map[string]any{"domain": named(c.DomainID, c.DomainName)}, "domain " + c.DomainID + c.DomainName
	case c.ProjectID != "":
		return map[string]any{"project": named(c.ProjectID, "")}, "project " + c.ProjectID
	case c.ProjectName != "":
		project := named("", c.ProjectName)
		project["domain"] = named(c.ProjectDomainID, c.ProjectDomainName)
		return map[string]any{"project": project}, "project " + c.ProjectName
	case c.TrustID != "":
		return map[string]any{"OS-TRUST:trust": named(c.TrustID, "")}, "trust " + c.TrustID
	case c.SystemScope == "all" && !c.AuthType.oidc():
		return map[string]any{"system": map[string]any{"all": true}}, "the system"
	}
	return nil, "no project"
}

// authBody is a request to /v3/auth/tokens, and what to say of it.
func (c *Config) authBody(m method) (body, sent string, err error) {
	identity := map[string]any{}
	for name, v := range m {
		identity["methods"], identity[name] = []string{name}, v
		sent = name
	}
	auth := map[string]any{"identity": identity}
	scope, words := c.scope()
	if scope != nil {
		auth["scope"] = scope
	}
	text, err := json.Marshal(map[string]any{"auth": auth})
	return string(text), fmt.Sprintf("method %s, for %s", sent, words), err
}

// secret is what SecretFile stands for.
func (c *Config) secret() Secret { return *c.secretField() }

func (c *Config) secretField() *Secret {
	switch c.AuthType {
	case OIDCClientCredentials:
		return &c.ClientSecret
	case OIDCAccessToken:
		return &c.AccessToken
	case ApplicationCredential:
		return &c.ApplicationCredentialSecret
	case KeystoneToken:
		return &c.Token
	}
	return &c.Password
}

// secrets are those of a Config.
type secrets struct{ client, password, application, access, token Secret }

func (c *Config) secrets() secrets {
	return secrets{c.ClientSecret, c.Password, c.ApplicationCredentialSecret, c.AccessToken, c.Token}
}

// current is the configuration with its secrets as the files have them now. One that the program has put in stays.
func (c Config) current() (Config, error) {
	if c.reload != nil {
		n, err := c.reload(c.secrets())
		if err != nil {
			return c, err
		}
		c.ClientSecret, c.Password, c.ApplicationCredentialSecret, c.AccessToken, c.Token = n.client, n.password, n.application, n.access, n.token
	}
	if c.SecretFile == "" {
		return c, nil
	}
	text, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return c, configError("read the secret: %w", err)
	}
	s := strings.TrimRight(string(text), "\r\n")
	if s == "" {
		return c, configError("the file %s holds no secret", c.SecretFile)
	}
	*c.secretField() = Secret(s)
	return c, nil
}
