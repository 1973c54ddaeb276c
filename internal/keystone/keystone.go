// Package keystone speaks OpenStack Identity v3: federated login, tokens and scopes, the catalog, one's own projects and user.
//
// A Server is an http.Handler for /, /v3… and /OS-FEDERATION/…. It keeps no state of its own: tokens are sealed by the key ring
// and carry no rights; the registry says at each use whether the token still stands and which roles it has.
//
//	s, err := keystone.New(keystone.Config{Registry: reg, Ring: ring, PublicURL: "http://127.0.0.1:8080", Providers: …})
//	http.ListenAndServe(addr, pipeline.Wrap(s))
package keystone

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/urn"
)

// Bounds of what is accepted and issued.
const (
	protocolID    = "openid"       // the one federation protocol, and its method's name in tokens
	maxBody       = 64 << 10       // bytes of an authentication request
	maxToken      = 8 << 10        // characters of any token presented; longer ones are not looked at
	maxTokenLife  = 24 * time.Hour // of an Identity token
	expiredWindow = 48 * time.Hour // how long after its expiry allow_expired still validates a token
	clockSkew     = 30 * time.Second
	maxIDTokenAge = 24 * time.Hour // between iat and exp of an id_token
)

// A Provider is an identity provider as federation paths name it. There is one for each partition.
type Provider struct {
	Name      string        // e.g. ovhcloud-emea
	Partition urn.Partition // whose service accounts log in through it
	Issuer    string        // what the iss of its id_tokens is
	Disabled  bool          // nobody logs in or rescopes through it; tokens already scoped go on
}

// A Service is one entry of the catalog.
type Service struct {
	Type, Name string // e.g. compute, nova
	Endpoints  []Endpoint
}

// An Endpoint is one address of a service. URL may contain $(project_id)s, which becomes the token's project.
type Endpoint struct {
	Region    string
	Interface string // public, internal or admin
	URL       string
}

// Config configures a Server.
type Config struct {
	Registry     *registry.Registry
	Ring         *keys.Ring
	PublicURL    string // without a slash at its end: http://127.0.0.1:8080
	Providers    []Provider
	Audience     string                       // what the aud of an id_token must contain; default PublicURL + "/v3"
	Catalog      []Service                    // the same for every project, but for $(project_id)s
	CatalogOf    func(iam.ProjectID) *Catalog // that of a project now, or of none (""); nil: Catalog, for all
	TokenLife    time.Duration                // of tokens of service accounts that say nothing else; default 1 h, at most 24 h
	MinTokenLife time.Duration                // no token is shorter at its issue; default 10 min
	Now          func() time.Time
}

// A Server answers Identity v3 requests. Safe for concurrent use.
type Server struct {
	c         Config
	byName    map[string]*provider
	byPart    map[urn.Partition]*provider
	routes    *node
	roles     roleFragments
	challenge string // WWW-Authenticate of a 401
	buffers   sync.Pool
}

// provider is a Provider with what is derived from it.
type provider struct {
	Provider
	domainID         string // of the domain that its users are in
	federated, local []byte // the end of the user object in tokens, from its domain on
}

// New makes a Server. It refuses a configuration that would make it accept what it must not.
func New(c Config) (*Server, error) {
	if c.Registry == nil || c.Ring == nil || c.PublicURL == "" || strings.HasSuffix(c.PublicURL, "/") {
		return nil, errors.New("keystone: Registry, Ring and a PublicURL without a slash at its end are needed")
	}
	c = withDefaults(c)
	if c.TokenLife < c.MinTokenLife || c.TokenLife > maxTokenLife {
		return nil, fmt.Errorf("keystone: the token life %v is not between %v and %v", c.TokenLife, c.MinTokenLife, maxTokenLife)
	}
	cat, err := NewCatalog(c.Catalog)
	if err != nil {
		return nil, err
	}
	if c.CatalogOf == nil {
		c.CatalogOf = func(iam.ProjectID) *Catalog { return cat }
	}
	s := &Server{
		c: c, byName: map[string]*provider{}, byPart: map[urn.Partition]*provider{}, routes: newRoutes(),
		roles: newRoleFragments(), challenge: `Keystone uri="` + c.PublicURL + `/v3"`,
		buffers: sync.Pool{New: func() any { return new([]byte) }},
	}
	return s, s.addProviders()
}

func withDefaults(c Config) Config {
	if c.Audience == "" {
		c.Audience = c.PublicURL + "/v3"
	}
	if c.TokenLife == 0 {
		c.TokenLife = time.Hour
	}
	if c.MinTokenLife == 0 {
		c.MinTokenLife = 10 * time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (s *Server) addProviders() error {
	for _, p := range s.c.Providers {
		if p.Name == "" || p.Partition == "" || p.Issuer == "" {
			return fmt.Errorf("keystone: identity provider %q needs a name, a partition and an issuer", p.Name)
		}
		if s.byName[p.Name] != nil || s.byPart[p.Partition] != nil {
			return fmt.Errorf("keystone: a second identity provider %q for partition %q", p.Name, p.Partition)
		}
		made := &provider{Provider: p, domainID: stableID("domain", p.Name)}
		made.federated, made.local = made.userFragments()
		s.byName[p.Name], s.byPart[p.Partition] = made, made
	}
	return nil
}

// ServeHTTP routes on the escaped path as it came, so that nothing is cleaned or redirected: clients would follow a redirect with
// their credentials.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.commonHeaders(w, r)
	if err := s.route(w, r); err != nil {
		s.writeError(w, r, err)
	}
}

// lifeOf gives how long a new token of an account lives.
func (s *Server) lifeOf(account *iam.ServiceAccount) time.Duration {
	life := account.TokenLife
	if life == 0 {
		life = s.c.TokenLife
	}
	return min(max(life, s.c.MinTokenLife), maxTokenLife)
}
