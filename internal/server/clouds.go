package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stackgate/stackgate/internal/cloud"
	"github.com/stackgate/stackgate/internal/gateway"
	"github.com/stackgate/stackgate/internal/iam"
	"github.com/stackgate/stackgate/internal/keystone"
	"github.com/stackgate/stackgate/internal/rbac"
)

// A Cloud is a real OpenStack behind the gateway.
type Cloud struct {
	cloud.Config             // but for Public, Identity, Transport, Logger and Changed, which are ours
	TLS          *tls.Config // nil: the system's authorities
	Limits       CloudLimits
	Closed       []string // names of operations that are turned off, with * for any text
}

// CloudLimits are how long things may take, and how many there may be. 0 is the default.
type CloudLimits struct {
	Connect time.Duration // to connect; 10 seconds
	Answer  time.Duration // until an answer begins, once the request is sent; 2 minutes
	Idle    time.Duration // how long nothing may move in a body; 2 minutes
	AtOnce  int           // calls under way to one service of a region; 1024
}

func (l *CloudLimits) fill() {
	if l.Answer == 0 {
		l.Answer = 2 * time.Minute
	}
	if l.Idle == 0 {
		l.Idle = 2 * time.Minute
	}
	if l.AtOnce == 0 {
		l.AtOnce = 1024
	}
}

// A realCloud is one of them at work.
type realCloud struct {
	*cloud.Cloud
	c         Cloud
	transport *http.Transport
}

// clouds are all of them, and what follows from what they have now.
type clouds struct {
	list    []*realCloud
	mu      sync.Mutex // one rebuild at a time
	proxies map[spot]*gateway.Proxy
	now     atomic.Pointer[scene]
}

// A spot is a service in a region of a cloud.
type spot struct {
	cloud           *realCloud
	region, service string
}

// A scene is what is behind the gateway at a moment. It is not changed once made, but for the catalogs that are made when they are needed.
type scene struct {
	regions  []string // with aliases, sorted
	behind   gateway.Clouds
	away     bool // a cloud could not be asked yet: there may be regions that nobody knows
	of       map[string]*realCloud
	catalogs sync.Map // from which clouds serve a project, to *keystone.Catalog
}

// openClouds makes them and logs in. A cloud that cannot be reached is left for later, one whose credential cannot be used stops the server.
func (s *Server) openClouds(ctx context.Context) error {
	s.clouds.proxies = map[spot]*gateway.Proxy{}
	for _, c := range s.c.Clouds {
		r, err := s.newCloud(c)
		if err != nil {
			return err
		}
		s.clouds.list = append(s.clouds.list, r)
	}
	s.rebuild()
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(s.clouds.list))
	for i, c := range s.clouds.list {
		wg.Go(func() {
			var away error
			if away, errs[i] = c.Open(ctx); away != nil {
				s.c.Logger.Error("the cloud cannot be used yet, and is tried again", "cloud", c.Name(), "error", away.Error())
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, s.collisions())...)
}

// startTime is how long the start of the server waits for clouds.
const startTime = time.Minute

func (s *Server) newCloud(c Cloud) (*realCloud, error) {
	c.Config.Logger, c.Config.Changed = s.c.Logger, s.rebuild
	return newCloud(s.c.PublicURL, c)
}

func newCloud(publicURL string, c Cloud) (*realCloud, error) {
	c.Limits.fill()
	r := &realCloud{c: c, transport: gateway.NewTransport(c.Limits.Connect, c.TLS)}
	c.Config.Public, c.Config.Identity, c.Config.Transport = serviceURLs(publicURL), publicURL+"/v3", r.transport
	var err error
	r.Cloud, err = cloud.New(c.Config)
	return r, err
}

// Inspect examines a cloud as the start of a server would, without one.
func Inspect(ctx context.Context, publicURL string, c Cloud, log *slog.Logger) (*cloud.Report, error) {
	c.Logger = log
	r, err := newCloud(strings.TrimRight(publicURL, "/"), c)
	if err != nil {
		return nil, err
	}
	defer r.transport.CloseIdleConnections()
	return r.Cloud.Inspect(ctx), nil
}

// collisions refuses two regions of one name.
func (s *Server) collisions() error {
	owner := map[string]string{}
	if s.c.Sandbox != nil {
		for _, region := range s.sortedRegions() {
			owner[region] = "the embedded cloud"
		}
	}
	for _, c := range s.clouds.list {
		for region := range c.Places() {
			if other := owner[region]; other != "" {
				return fmt.Errorf("cloud %s: the region %s is there already, in %s: give it another name with rename", c.Name(), region, other)
			}
			if !usable(region) {
				return fmt.Errorf("cloud %s: a region cannot be called %q here: give it another name with rename, or leave it out of regions", c.Name(), region)
			}
			owner[region] = c.Name()
		}
	}
	return nil
}

// usable reports whether a region's name can be the first segment of our paths.
func usable(region string) bool {
	taken := []string{"v1", "v2", "v3", "1.0", "auth", "role-adapter", "healthz", "readyz", "OS-FEDERATION", ".", ".."}
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
	}
	return region != "" && !slices.Contains(taken, region) && strings.IndexFunc(region, func(r rune) bool { return !ok(r) }) < 0
}

// rebuild makes the scene anew. The sandbox's regions win over a cloud's, and an earlier cloud's over a later one's.
func (s *Server) rebuild() {
	s.clouds.mu.Lock()
	defer s.clouds.mu.Unlock()
	n := &scene{behind: gateway.Clouds{}, of: map[string]*realCloud{}}
	if s.cloud != nil {
		n.regions = s.sortedRegions()
		for _, region := range n.regions {
			n.behind[region] = s.sandboxServices(region)
		}
	}
	for _, c := range s.clouds.list {
		places := c.Places()
		n.away = n.away || len(places) == 0
		for region, services := range places {
			if n.behind[region] == nil && usable(region) {
				n.behind[region], n.of[region] = s.proxiesOf(c, region, services), c
				n.regions = append(n.regions, region)
			}
		}
	}
	slices.Sort(n.regions)
	s.clouds.now.Store(n)
}

// proxiesOf gives the proxies of a region, which stay the same as long as there is the region.
func (s *Server) proxiesOf(c *realCloud, region string, names []string) gateway.Services {
	out := gateway.Services{}
	for _, name := range names {
		at := spot{c, region, name}
		if s.clouds.proxies[at] == nil {
			s.clouds.proxies[at] = c.proxy(region, name)
		}
		out[rbac.Service(name)] = s.clouds.proxies[at]
	}
	return out
}

func (c *realCloud) proxy(region, service string) *gateway.Proxy {
	conf := gateway.ProxyConfig{
		Service: rbac.Service(service), Transport: c.transport, Answer: c.c.Limits.Answer, Idle: c.c.Limits.Idle, AtOnce: c.c.Limits.AtOnce,
		Way: func(ctx context.Context, project string, credential bool) (gateway.Way, error) {
			return c.way(ctx, project, region, service, credential)
		},
	}
	if len(c.c.Closed) > 0 {
		conf.Closed = c.closed
	}
	p, err := gateway.NewProxy(conf)
	if err != nil {
		panic(err) // there is no URL that could be wrong
	}
	return p
}

// way is the cloud's, in the gateway's words.
func (c *realCloud) way(ctx context.Context, project, region, service string, credential bool) (gateway.Way, error) {
	w, err := c.Way(ctx, project, region, service, credential)
	if errors.Is(err, cloud.ErrNotServed) {
		return gateway.Way{}, gateway.NotServed{Message: "This project has no such service in region " + region + ", as far as the gateway serves it."}
	}
	if err != nil {
		return gateway.Way{}, err
	}
	return gateway.Way{
		Scheme: w.Scheme, Host: w.Host, Prefix: w.Prefix, Token: w.Token, Renew: w.Renew, Answer: w.Answer, Plain: !w.Verbatim,
	}, nil
}

func (c *realCloud) closed(operation string) bool {
	return slices.ContainsFunc(c.c.Closed, func(pattern string) bool {
		ok, _ := path.Match(pattern, operation) // checked with the configuration
		return ok
	})
}

// catalogOf is what tokens of a project list, as it is now.
func (s *Server) catalogOf(project iam.ProjectID) *keystone.Catalog {
	n := s.clouds.now.Load()
	var key strings.Builder
	for _, c := range s.clouds.list {
		if project == "" || c.Serves(string(project)) {
			key.WriteString(c.Name() + "\n")
		}
	}
	if known, ok := n.catalogs.Load(key.String()); ok {
		return known.(*keystone.Catalog)
	}
	made, err := keystone.NewCatalog(s.catalog(n, func(c *realCloud) bool { return project == "" || c.Serves(string(project)) }))
	if err != nil {
		s.c.Logger.Error("no catalog can be made", slog.String("error", err.Error())) // what it is made of was checked at the start
		made, _ = keystone.NewCatalog([]keystone.Service{s.identityEntry([]string{"RegionOne"})})
	}
	n.catalogs.Store(key.String(), made)
	return made
}

// runClouds keeps up with the clouds until ctx ends.
func (s *Server) runClouds(ctx context.Context) {
	for _, c := range s.clouds.list {
		go c.Run(ctx)
	}
}

// cloudsAway reports whether there are clouds that could not be asked yet, and has them asked.
func (s *Server) cloudsAway() bool {
	if !s.clouds.now.Load().away {
		return false
	}
	for _, c := range s.clouds.list {
		if len(c.Places()) == 0 {
			c.Wake()
		}
	}
	return true
}

func (s *Server) closeClouds() {
	for _, c := range s.clouds.list {
		c.transport.CloseIdleConnections()
	}
}
