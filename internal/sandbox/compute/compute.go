// Package compute pretends to be Nova in one region: servers and all that belongs to them, with microversions.
//
// A server's life needs no goroutine. What an action started is a pending change with a time; every request first settles
// those whose time has come. Images, volumes and ports are those of the region's other services, through their methods.
package compute

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/image"
	"github.com/stackgate/stackgate/internal/sandbox/network"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
	"github.com/stackgate/stackgate/internal/sandbox/volume"
)

// Config configures a Service.
type Config struct {
	Region    string           // "GRA1"
	Dir       string           // where the state is kept; "" keeps it in memory
	Now       func() time.Time // nil: time.Now
	PublicURL string           // root of the service in this region, without version
	Images    *image.Service
	Network   *network.Service
	Volumes   *volume.Service
	Quotas    map[string]int // overrides of DefaultQuotas; nil: none
}

// A Service is one region's Nova.
type Service struct {
	c       Config
	store   rest.Store
	router  *rest.Router
	flavors []flavor

	mu    sync.Mutex // guards state
	state state
}

// state is everything the service knows.
type state struct {
	Servers  map[string]*server
	Keypairs map[string]map[string]*keypair // by user, by name: keypairs belong to users
	Groups   map[string]*serverGroup
	Gone     map[string][]usage // by project: what deleted servers used
	Seeded   map[string]bool    // projects that got their first server
	Seq      int                // of the last object made
}

// New makes a Service with what was saved. Errors: the saved state cannot be read.
func New(c Config) (*Service, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Service{c: c, store: rest.NewStore(c.Dir, "compute", c.Region), flavors: flavorsOf(c.Region)}
	if err := s.store.Load(&s.state); err != nil {
		return nil, err
	}
	s.state.fill()
	s.router = s.routes()
	return s, nil
}

func (st *state) fill() {
	if st.Servers == nil {
		st.Servers = map[string]*server{}
	}
	if st.Keypairs == nil {
		st.Keypairs = map[string]map[string]*keypair{}
	}
	if st.Groups == nil {
		st.Groups = map[string]*serverGroup{}
	}
	if st.Gone == nil {
		st.Gone = map[string][]usage{}
	}
	if st.Seeded == nil {
		st.Seeded = map[string]bool{}
	}
}

// Close saves the state.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.Save(&s.state)
}

// ServeHTTP implements http.Handler for what lies below the service's root. One request is served at a time.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest.SetRequestID(w, r, "X-Compute-Request-Id")
	path := r.URL.EscapedPath()
	root, below := splitVersion(path)
	if below == "" {
		s.versionDocuments(w, r, root)
		return
	}
	below, err := stripProject(rest.IdentityOf(r).ProjectID, below)
	if err != nil {
		rest.NovaError(w, r, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	s.router.ServePath(w, r, below)
}

// splitVersion gives "v2.1" or "v2" and the path below it; below is "" for the version documents themselves.
func splitVersion(path string) (root, below string) {
	root, below, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if below != "" {
		below = "/" + below
	}
	return root, below
}

// stripProject takes a leading project id off the path. It must be the caller's.
func stripProject(project, path string) (string, error) {
	first, below, more := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !isProject(first) {
		return path, nil
	}
	if first != project {
		return "", rest.Errorf(http.StatusBadRequest,
			"Malformed request URL: URL's project_id '%s' doesn't match Context's project_id '%s'", first, project)
	}
	if !more {
		return "/", nil
	}
	return "/" + below, nil
}

// isProject matches what Nova's routes take for a project id: [0-9a-f-]+.
func isProject(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdef-") == ""
}

// A call is a request with its microversion.
type call struct {
	*rest.Request
	version   int // minor: 90 in 2.90
	requestID string
}

type handler func(w http.ResponseWriter, c *call) error

type (
	adder      func(pattern string, h handler)           // adds a route of all microversions
	sinceAdder func(from int, pattern string, h handler) // adds a route that exists since one
)

// routes lists what is served. Each route has the microversions in which it exists; outside it is 404.
func (s *Service) routes() *rest.Router {
	rt := rest.NewRouter(rest.NovaError)
	on := func(pattern string, h handler) { rt.Handle(pattern, s.versioned(h, 1)) }
	since := func(from int, pattern string, h handler) { rt.Handle(pattern, s.versioned(h, from)) }
	s.serverRoutes(on, since)
	s.belongingRoutes(on, since)
	s.proxyRoutes(on)
	s.projectRoutes(on)
	return rt
}

// settle brings every server to where it would be by now.
func (s *Service) settle() {
	now := s.c.Now()
	for id, v := range s.state.Servers {
		if v.Pending == nil || now.Before(v.Pending.At) {
			continue
		}
		if v.Pending.Gone {
			s.state.Gone[v.ProjectID] = append(s.state.Gone[v.ProjectID], usageOf(v, v.Pending.At))
			delete(s.state.Servers, id)
			continue
		}
		s.joinVolumes(v)
		v.arrive()
	}
}

// serversOf gives a project's servers, newest first, as Nova lists them.
func (s *Service) serversOf(project string) []*server {
	var out []*server
	for _, v := range s.state.Servers {
		if v.ProjectID == project {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b *server) int { return cmp.Compare(b.Seq, a.Seq) })
	return out
}

// find gives a project's server.
func (s *Service) find(c *call) (*server, error) {
	v, ok := s.state.Servers[c.Param("id")]
	if !ok || v.ProjectID != c.ProjectID {
		return nil, rest.Errorf(http.StatusNotFound, "Instance %s could not be found.", c.Param("id"))
	}
	return v, nil
}

func (s *Service) nextSeq() int {
	s.state.Seq++
	return s.state.Seq
}

// link gives the address of something of ours, with the project id if the client used one.
func (s *Service) link(c *call, path string) string {
	if _, below := splitVersion(c.URL.EscapedPath()); strings.HasPrefix(below, "/"+c.ProjectID+"/") && c.ProjectID != "" {
		return rest.ExternalURL(s.c.PublicURL, fmt.Sprintf("/v2.1/%s%s", c.ProjectID, path))
	}
	return rest.ExternalURL(s.c.PublicURL, "/v2.1"+path)
}

func (s *Service) links(c *call, path string) []map[string]string {
	self := s.link(c, path)
	return []map[string]string{{"rel": "self", "href": self}, {"rel": "bookmark", "href": strings.Replace(self, "/v2.1/", "/", 1)}}
}
