package cli

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"gopkg.in/yaml.v2"

	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/server"
	"github.com/stackgate/stackgate/internal/urn"
)

// Config is the file that serve and the operators' commands read: strict YAML, unknown and repeated keys are errors. An example with every
// key is in docs/stackgate.example.yaml. Keys that are absent have the default named here. Paths are relative to the file.
type Config struct {
	PublicURL        string          `yaml:"public_url"`         // how clients reach the server, e.g. https://stackgate.example
	Listen           string          `yaml:"listen"`             // host:port; 127.0.0.1:8080
	Metrics          string          `yaml:"metrics"`            // host:port of /metrics; none
	TLS              TLS             `yaml:"tls"`                // none
	AllowPlainHTTP   bool            `yaml:"allow_plain_http"`   // plain HTTP beyond loopback; false
	TrustedProxies   []string        `yaml:"trusted_proxies"`    // networks whose X-Forwarded-For is believed; none
	BodyWait         time.Duration   `yaml:"body_wait"`          // how long a request's body may take to arrive, an upload's excepted; 30s
	Database         string          `yaml:"database"`           // a SQLite file, or postgres://…; stackgate.db
	MasterKeyFile    string          `yaml:"master_key_file"`    // STACKGATE_MASTER_KEY, else master.key
	AuditKeyFile     string          `yaml:"audit_key_file"`     // signs audit checkpoints; audit.key
	Providers        []ProviderEntry `yaml:"identity_providers"` // ovhcloud-emea, -world, -us
	Sandbox          *SandboxEntry   `yaml:"sandbox"`            // the embedded cloud; none
	Clouds           []CloudEntry    `yaml:"clouds"`             // real ones, behind the gateway; none
	Catalog          []CatalogEntry  `yaml:"catalog"`            // one's own services, which tokens list; none
	Operations       string          `yaml:"operations"`         // a directory of files that add to and narrow the operation table; none
	IDTokenAlgorithm string          `yaml:"id_token_algorithm"` // ES256 or RS256; ES256
	TokenLife        time.Duration   `yaml:"token_life"`         // of Identity tokens, 10m to 24h; 1h
	MaxStaleness     *time.Duration  `yaml:"max_staleness"`      // how long to serve without the database; 5m
	Decisions        DecisionsEntry  `yaml:"decisions"`          // that are kept for 'stackgate explain'
	LogFormat        string          `yaml:"log_format"`         // json or text; json
	LogLevel         string          `yaml:"log_level"`          // debug, info, warn or error; info
}

// TLS names a certificate and its key, both PEM files, read again when they change.
type TLS struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
}

// A ProviderEntry names the identity provider of a partition.
type ProviderEntry struct {
	Name      string `yaml:"name"`
	Partition string `yaml:"partition"`
	Keystone  string `yaml:"keystone"` // an operator's own, https://keystone.example:5000/v3, which its id_tokens are for; none
}

// A SandboxEntry configures the embedded cloud.
type SandboxEntry struct {
	Dir     string            `yaml:"dir"`     // where it keeps its state; nowhere
	Regions []string          `yaml:"regions"` // GRA1 and BHS1
	Aliases map[string]string `yaml:"aliases"` // GRA for GRA1
}

// A DecisionsEntry says which decisions are kept, beside every refusal.
type DecisionsEntry struct {
	Age    time.Duration `yaml:"age"`    // 1m to 720h; 24h
	Number *int          `yaml:"number"` // of each account, 0 for none; 10000
	Sample *int          `yaml:"sample"` // one in so many grants, 0 for none; 100
}

func (d DecisionsEntry) check() error {
	if d.Age != 0 && (d.Age < time.Minute || d.Age > 30*24*time.Hour) {
		return errors.New("decisions: age must be from 1m to 720h")
	}
	if d.Number != nil && (*d.Number < 0 || *d.Number > 1_000_000) {
		return errors.New("decisions: number must be from 0 to 1000000")
	}
	if d.Sample != nil && (*d.Sample < 0 || *d.Sample > 1_000_000_000) {
		return errors.New("decisions: sample must be from 0 to 1000000000")
	}
	return nil
}

// server gives what package server wants, where 0 is the default and less is none.
func (d DecisionsEntry) server() server.Decisions {
	out := server.Decisions{Age: d.Age}
	for _, v := range []struct {
		from *int
		to   *int
	}{{d.Number, &out.Number}, {d.Sample, &out.Sample}} {
		if v.from != nil {
			if *v.to = *v.from; *v.to == 0 {
				*v.to = -1
			}
		}
	}
	return out
}

// loadConfig reads a file strictly and fills in the defaults.
func loadConfig(path string) (Config, error) {
	var c Config
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("configuration: there is no %s. Write it first; one line will do, public_url: https://… (how clients reach the server), "+
			"and docs/stackgate.example.yaml has every key", path)
	}
	if err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	if err := yaml.UnmarshalStrict(data, &c); err != nil {
		return c, fmt.Errorf("configuration %s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	c.fill(filepath.Dir(path))
	if err := c.check(); err != nil {
		return c, fmt.Errorf("configuration %s: %w", path, err)
	}
	return c, nil
}

func (c *Config) fill(dir string) {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&c.Listen, "127.0.0.1:8080")
	set(&c.Database, "stackgate.db")
	set(&c.MasterKeyFile, "master.key")
	set(&c.AuditKeyFile, "audit.key")
	set(&c.LogFormat, "json")
	set(&c.LogLevel, "info")
	files := []*string{&c.MasterKeyFile, &c.AuditKeyFile, &c.TLS.Certificate, &c.TLS.Key, &c.Operations}
	if !strings.Contains(c.Database, "://") {
		files = append(files, &c.Database)
	}
	if c.Sandbox != nil {
		files = append(files, &c.Sandbox.Dir)
	}
	absolute(dir, append(files, c.cloudFiles()...))
}

func (c *Config) check() error {
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return errors.New("public_url must be https://host, as clients reach the server, without a path")
	}
	if c.BodyWait < 0 {
		return errors.New("body_wait must be more than nothing: whoever sends slowly would hold a connection for ever")
	}
	if c.TokenLife != 0 && (c.TokenLife < 10*time.Minute || c.TokenLife > 24*time.Hour) {
		return errors.New("token_life must be from 10m to 24h: clients treat a token with less than two minutes left as expired")
	}
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		return errors.New("tls needs both certificate and key")
	}
	switch c.IDTokenAlgorithm {
	case "", "ES256", "RS256":
	default:
		return errors.New("id_token_algorithm must be ES256 or RS256")
	}
	for _, p := range c.Providers {
		if p.Keystone != "" && !identityAddress(p.Keystone) {
			return fmt.Errorf("identity_providers: the keystone of %s must be its public address as clients give it in OS_AUTH_URL, "+
				"such as https://keystone.example:5000/v3", p.Name)
		}
		if p.Keystone != "" && !nameInKeystone.MatchString(p.Name) {
			return fmt.Errorf("identity_providers: a Keystone takes %q for no identity provider: up to 64 of letters, digits, dot, dash and underscore", p.Name)
		}
	}
	_, err = c.proxies()
	return errors.Join(err, c.Decisions.check(), c.checkClouds())
}

// nameInKeystone is what is good for the id of an identity provider, a remote id and the name of a domain.
var nameInKeystone = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// identityAddress reports whether s can be an OS_AUTH_URL that two programs compare letter by letter: Apache hands on the audiences of a
// token with a semicolon between them.
func identityAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && strings.HasSuffix(u.Path, "/v3") &&
		u.RawQuery == "" && u.Fragment == "" && u.String() == s && !strings.Contains(s, ";")
}

func (c *Config) proxies() ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, s := range c.TrustedProxies {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, err := netip.ParseAddr(s)
			if err != nil {
				return nil, fmt.Errorf("trusted_proxies: %q is neither an address nor a network such as 10.0.0.0/8", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		list = append(list, p)
	}
	return list, nil
}

// server turns the file into what package server wants, reading the key files.
func (c *Config) server(log *slog.Logger) (server.Config, error) {
	master, err := c.master()
	if err != nil {
		return server.Config{}, err
	}
	audit, err := readAuditKey(c.AuditKeyFile)
	if err != nil {
		return server.Config{}, err
	}
	proxies, err := c.proxies()
	if err != nil {
		return server.Config{}, err
	}
	out := server.Config{
		PublicURL: c.PublicURL, Database: c.Database, Master: master, AuditKey: audit, Algorithm: c.IDTokenAlgorithm,
		TokenLife: c.TokenLife, TrustedProxies: proxies, BodyWait: c.BodyWait, Catalog: c.catalog(), OperationsDir: c.Operations,
		Decisions: c.Decisions.server(), Logger: log,
	}
	if c.MaxStaleness != nil {
		if out.MaxStaleness = *c.MaxStaleness; out.MaxStaleness == 0 {
			out.MaxStaleness = -1 // said in so many words: stop rather than serve what may be stale
		}
	}
	for _, p := range c.Providers {
		out.Providers = append(out.Providers, server.Provider{Name: p.Name, Partition: urn.Partition(p.Partition), Keystone: p.Keystone})
	}
	if c.Sandbox != nil {
		out.Sandbox = &server.Sandbox{Dir: c.Sandbox.Dir, Regions: c.Sandbox.Regions, Aliases: c.Sandbox.Aliases}
	}
	return out, nil
}

// master reads the master key from the environment or its file.
func (c *Config) master() ([]byte, error) {
	if v := os.Getenv("STACKGATE_MASTER_KEY"); v != "" {
		key, err := keys.ParseMaster([]byte(v))
		if err != nil {
			return nil, fmt.Errorf("STACKGATE_MASTER_KEY: %w", err)
		}
		return key, nil
	}
	data, err := os.ReadFile(c.MasterKeyFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no master key in %s. For a new installation run 'stackgate init'; "+
			"for an old one restore the file: without it the keys in the database cannot be read (docs/operate.md says what then)", c.MasterKeyFile)
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	key, err := keys.ParseMaster(data)
	if err != nil {
		return nil, fmt.Errorf("master key %s: %w", c.MasterKeyFile, err)
	}
	return key, nil
}

func readAuditKey(path string) (ed25519.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // no checkpoints then; the chain itself is still kept
	}
	if err != nil {
		return nil, fmt.Errorf("audit key: %w", err)
	}
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(data)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("audit key %s: not a key made by 'stackgate init'", path)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
