// Package server wires one Config into a running Stackgate: store, key ring, registry, the faces, the gateway and the cloud behind it.
//
// New makes everything and listens nowhere; Handler is the whole of it as one http.Handler, Run keeps the cache exact until its context
// ends, Close saves and lets go.
package server

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stackgate/stackgate/internal/api"
	"github.com/stackgate/stackgate/internal/gateway"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keys"
	"github.com/stackgate/stackgate/internal/keystone"
	"github.com/stackgate/stackgate/internal/oidc"
	"github.com/stackgate/stackgate/internal/rbac"
	"github.com/stackgate/stackgate/internal/registry"
	"github.com/stackgate/stackgate/internal/sandbox"
	"github.com/stackgate/stackgate/internal/store"
	"github.com/stackgate/stackgate/internal/urn"
	"github.com/stackgate/stackgate/internal/web"
)

// A Provider is an identity provider as clients name it, OS_IDENTITY_PROVIDER.
type Provider struct {
	Name      string // ovhcloud-emea
	Partition urn.Partition
	Keystone  string // an operator's own, https://keystone.example:5000/v3, that trusts the provider; "": our Identity API
}

// DefaultProviders are the names of the guide.
func DefaultProviders() []Provider {
	return []Provider{{Name: "ovhcloud-emea", Partition: urn.EU}, {Name: "ovhcloud-world", Partition: urn.CA}, {Name: "ovhcloud-us", Partition: urn.US}}
}

// Issuer is the iss of a partition's id_tokens.
func Issuer(publicURL string, p urn.Partition) string {
	return oidc.Issuer(strings.TrimRight(publicURL, "/"), p)
}

// Config is one Stackgate. Members that say so may be zero.
type Config struct {
	PublicURL      string             // how clients reach us, without a final slash: http://127.0.0.1:8080
	Database       string             // see store.Config.URL
	Master         []byte             // 32 bytes: encrypts the keys in the database
	AuditKey       ed25519.PrivateKey // signs audit checkpoints; nil: none are made
	Providers      []Provider         // nil: DefaultProviders
	Sandbox        *Sandbox           // the embedded cloud; nil: none
	Clouds         []Cloud            // real ones, behind the gateway
	Algorithm      string             // of id_tokens; "": ES256
	TokenLife      time.Duration      // of Identity tokens; 0: one hour
	MinTokenLife   time.Duration      // 0: ten minutes, less only for tests
	MaxStaleness   time.Duration      // see registry.Config
	TrustedProxies []netip.Prefix     // see web.Config
	BodyWait       time.Duration      // see web.Config and gateway.Config
	Catalog        []CatalogService   // the operator's own services, beside the cloud's; nil: none
	OperationsDir  string             // further operations, see rbac.NewTable; "": none
	Decisions      Decisions          // that are kept to be looked up
	Logger         *slog.Logger       // nil: slog.Default
	Now            func() time.Time   // nil: time.Now
}

// Decisions says which decisions of the gateway are kept to be looked up, beside every refusal.
type Decisions struct {
	Age    time.Duration // 0: 24h
	Number int           // of each account; 0: 10000, negative: none
	Sample int           // one in so many grants; 0: 100, negative: none
}

// Sandbox configures the embedded cloud.
type Sandbox struct {
	Dir     string            // where it keeps its state; "": nowhere
	Regions []string          // nil: GRA1 and BHS1
	Aliases map[string]string // further names of regions; nil: GRA for GRA1
}

// A Server is a whole Stackgate without a listener.
type Server struct {
	c        Config
	store    *store.Store
	ring     *keys.Ring
	registry *registry.Registry
	cloud    *sandbox.Cloud
	clouds   clouds
	metrics  *metrics
	oidc     http.Handler
	keystone http.Handler
	api      http.Handler
	gateway  *gateway.Server
	handler  http.Handler
}

// New opens the store, makes what is missing (schema, keys) and wires the rest. On error nothing is left open.
func New(ctx context.Context, c Config) (_ *Server, err error) {
	c.fill()
	s := &Server{c: c, metrics: newMetrics()}
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	for _, step := range []func(context.Context) error{s.openData, s.openCloud, s.openClouds, s.openFaces} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	pipeline := web.New(web.Config{Logger: c.Logger, TrustedProxies: c.TrustedProxies, BodyWait: c.BodyWait, Now: c.Now, OnEvent: s.metrics.observe})
	s.handler = pipeline.Wrap(http.HandlerFunc(s.route))
	return s, nil
}

func (c *Config) fill() {
	if c.Providers == nil {
		c.Providers = DefaultProviders()
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.BodyWait == 0 {
		c.BodyWait = web.DefaultBodyWait
	}
	if c.Decisions.Sample == 0 {
		c.Decisions.Sample = 100
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
}

func (s *Server) openData(ctx context.Context) (err error) {
	if s.store, err = store.Open(ctx, store.Config{URL: s.c.Database, Now: s.c.Now}); err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	s.ring, err = keys.New(ctx, keys.Config{
		Master: s.c.Master, Load: s.store.LoadKeys, Insert: s.store.InsertKey, Save: s.store.SaveKeys, Algorithm: s.c.Algorithm, Now: s.c.Now,
	})
	if err != nil {
		return fmt.Errorf("open the key ring: %w", err)
	}
	s.registry, err = registry.New(ctx, registry.Config{
		Store: s.store, Ring: s.ring, AuditKey: s.c.AuditKey, MaxStaleness: s.c.MaxStaleness, Now: s.c.Now, Logger: s.c.Logger,
		DecisionsAge: s.c.Decisions.Age, DecisionsCount: s.c.Decisions.Number,
	})
	if err != nil {
		return fmt.Errorf("open the registry: %w", err)
	}
	return nil
}

func (s *Server) openFaces(context.Context) (err error) {
	var partitions []urn.Partition
	var providers []keystone.Provider
	keystones := map[urn.Partition]oidc.Keystone{}
	for _, p := range s.c.Providers {
		partitions = append(partitions, p.Partition)
		if p.Keystone != "" {
			keystones[p.Partition] = oidc.Keystone{Audience: p.Keystone, Provider: p.Name}
		}
		providers = append(providers, keystone.Provider{Name: p.Name, Partition: p.Partition, Issuer: oidc.Issuer(s.c.PublicURL, p.Partition)})
	}
	audience := s.c.PublicURL + "/v3"
	all := func(*realCloud) bool { return true }
	if s.oidc, err = oidc.New(oidc.Config{
		Registry: s.registry, Ring: s.ring, PublicURL: s.c.PublicURL, IdentityAudience: audience, Keystones: keystones,
		Partitions: partitions, Now: s.c.Now,
	}); err != nil {
		return fmt.Errorf("role-adapter: %w", err)
	}
	if s.keystone, err = keystone.New(keystone.Config{
		Registry: s.registry, Ring: s.ring, PublicURL: s.c.PublicURL, Providers: providers, Audience: audience, Catalog: s.catalog(s.clouds.now.Load(), all),
		CatalogOf: s.catalogOf,
		TokenLife: s.c.TokenLife, MinTokenLife: s.c.MinTokenLife, Now: s.c.Now,
	}); err != nil {
		return fmt.Errorf("identity service: %w", err)
	}
	if s.api, err = api.New(api.Config{
		Registry: s.registry, Open: s.openManagementToken, Preview: s.preview, PublicURL: s.c.PublicURL, Now: s.c.Now,
	}); err != nil {
		return fmt.Errorf("management API: %w", err)
	}
	return s.openGateway()
}

func (s *Server) openManagementToken(token string) (iam.Token, error) {
	payload, err := s.ring.Open(make([]byte, 0, 256), string(iam.ManagementToken), token)
	if err != nil {
		return iam.Token{}, iam.Errorf(iam.Unauthenticated, "The access token is not valid.")
	}
	return iam.ParseToken(payload)
}

// route sends a request to its face by the first segment of the raw target, which nothing has cleaned or decoded.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") {
		http.Error(w, "Bad Request: the request target must be a path.", http.StatusBadRequest)
		return
	}
	path, _, _ := strings.Cut(target, "?")
	first, rest, _ := strings.Cut(path[1:], "/")
	switch {
	case path == "/healthz":
		s.healthz(w, r)
	case path == "/readyz":
		s.readyz(w, r)
	case first == "role-adapter" || first == "auth":
		s.oidc.ServeHTTP(w, r)
	case first == "v1" || first == "v2" || first == "1.0":
		s.api.ServeHTTP(w, r)
	case s.behind(first, rest):
		s.gateway.ServeHTTP(w, r)
	default:
		s.keystone.ServeHTTP(w, r)
	}
}

// behind reports whether a path leads to the gateway. While a cloud is away, its regions may not be known: the gateway then says so.
func (s *Server) behind(region, rest string) bool {
	n := s.clouds.now.Load()
	if n.behind[region] != nil {
		return true
	}
	service, _, _ := strings.Cut(rest, "/")
	return n.away && slices.Contains(rbac.Services(), rbac.Service(service))
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }

// readyz is 200 while requests that need the database can be answered.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if err := s.store.Ping(r.Context()); err != nil {
		web.EventOf(r.Context()).Err = err
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// Handler is everything that clients reach.
func (s *Server) Handler() http.Handler { return s.handler }

// Metrics answers /metrics in Prometheus' format; it belongs on a listener of its own.
func (s *Server) Metrics() http.Handler { return s.metrics.handler() }

// Registry is the door to the data, for an operator's commands in the same process.
func (s *Server) Registry() *registry.Registry { return s.registry }

// Ring is the key ring, for an operator's commands in the same process.
func (s *Server) Ring() *keys.Ring { return s.ring }

// Store is the database, for backup.
func (s *Server) Store() *store.Store { return s.store }

// Run polls for changes that other processes made, to data and keys, until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	go s.reloadKeys(ctx)
	s.runClouds(ctx)
	return s.registry.Run(ctx)
}

// reloadKeys follows rotations by other processes. Keys are published long before they are first used, and an emergency is seen
// within seconds.
func (s *Server) reloadKeys(ctx context.Context) {
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	for failed := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := s.ring.Reload(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			s.c.Logger.Error("key ring not reloaded; the keys in memory stay in use", "error", err)
		}
		failed = err != nil
	}
}

// Close saves the embedded cloud and closes the database.
func (s *Server) Close() error {
	var errs []error
	s.closeClouds()
	if s.cloud != nil {
		errs = append(errs, s.cloud.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}
