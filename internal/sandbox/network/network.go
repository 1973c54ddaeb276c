// Package network pretends to be Neutron in one region: networks, subnets and what they are cut from, ports, routers, floating IPs, security groups, trunks.
//
// One struct per resource is both what is stored and what is on the wire. A create decodes the client's members over the
// defaults, an update over the present values; which members a client may send is a list per resource, as in Neutron's
// attribute map. Compute uses the same objects through methods: Plug, Ports, Unplug.
package network

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// ExtNet is the name of the external network that every project shares.
const ExtNet = "Ext-Net"

// Config configures a Service.
type Config struct {
	Region    string           // "GRA1"
	Index     int              // of the region; regions with different indexes hand out different public addresses
	Dir       string           // where the state is kept; "" keeps it in memory
	Now       func() time.Time // nil: time.Now
	PublicURL string           // root of the service in this region, without version
}

// A Service is one region's Neutron.
type Service struct {
	c      Config
	store  rest.Store
	router *rest.Router

	mu    sync.Mutex // guards state
	state state
}

// state is everything the service knows.
type state struct {
	Networks    map[string]*network
	Subnets     map[string]*subnet
	Ports       map[string]*port
	Routers     map[string]*router
	FloatingIPs map[string]*floatingIP
	Groups      map[string]*securityGroup
	Rules       map[string]*securityGroupRule
	Trunks      map[string]*trunk
	Pools       map[string]*subnetPool
	Shares      map[string]*share

	AddressScopes map[string]*addressScope
	AddressGroups map[string]*addressGroup
	Forwardings   map[string]map[string]*forwarding // by the floating IP's id

	Seq int // of the last object made: lists are in order of creation
}

// A header is what all resources have.
type header struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	ProjectID   string   `json:"project_id"`
	TenantID    string   `json:"tenant_id"`
	CreatedAt   string   `json:"created_at"`
	UpdatedAt   string   `json:"updated_at"`
	Revision    int      `json:"revision_number"`
	Tags        []string `json:"tags"`
	Seq         int      `json:"x-seq"` // never shown
}

func (h *header) head() *header { return h }

// New makes a Service with what was saved, or with Ext-Net alone. Errors: the saved state cannot be read.
func New(c Config) (*Service, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Service{c: c, store: rest.NewStore(c.Dir, "network", c.Region)}
	if err := s.store.Load(&s.state); err != nil {
		return nil, err
	}
	s.state.fill()
	if len(s.state.Networks) == 0 {
		s.makeExtNet()
	}
	s.router = s.routes()
	return s, nil
}

func (st *state) fill() {
	fill(&st.Networks)
	fill(&st.Subnets)
	fill(&st.Ports)
	fill(&st.Routers)
	fill(&st.FloatingIPs)
	fill(&st.Groups)
	fill(&st.Rules)
	fill(&st.Trunks)
	fill(&st.Pools)
	fill(&st.Shares)
	fill(&st.AddressScopes)
	fill(&st.AddressGroups)
	if st.Forwardings == nil {
		st.Forwardings = map[string]map[string]*forwarding{}
	}
}

func fill[T any](m *map[string]*T) {
	if *m == nil {
		*m = map[string]*T{}
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := rest.IdentityOf(r); id.ProjectID != "" {
		s.defaultGroup(id.ProjectID)
	}
	s.router.ServePath(w, r, strings.TrimSuffix(r.URL.EscapedPath(), ".json"))
}

// header makes the common members of a new object of a project.
func (s *Service) newHeader(project string) header {
	s.state.Seq++
	now := rest.Time(s.c.Now())
	return header{ID: rest.NewID(), ProjectID: project, TenantID: project, CreatedAt: now, UpdatedAt: now, Tags: []string{}, Seq: s.state.Seq}
}

func (s *Service) touch(h *header) {
	h.UpdatedAt = rest.Time(s.c.Now())
	h.Revision++
}

func (s *Service) routes() *rest.Router {
	rt := rest.NewRouter(rest.NeutronError)
	rt.Handle("GET /", s.versions)
	rt.Handle("GET /v2.0", s.version)
	s.resourceRoutes(rt)
	s.actionRoutes(rt)
	s.infoRoutes(rt)
	return rt
}

func (s *Service) versionDocument() map[string]any {
	return map[string]any{"id": "v2.0", "status": "CURRENT",
		"links": []map[string]string{{"rel": "self", "href": rest.ExternalURL(s.c.PublicURL, "/v2.0/")}}}
}

func (s *Service) versions(w http.ResponseWriter, r *rest.Request) error {
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"versions": []any{s.versionDocument()}})
}

// version lists the collections, as Neutron does for its version's root.
func (s *Service) version(w http.ResponseWriter, r *rest.Request) error {
	var resources []map[string]any
	for _, many := range []string{"networks", "subnets", "ports", "routers", "floatingips", "security-groups", "security-group-rules", "subnetpools",
		"address-scopes", "address-groups", "rbac-policies", "trunks", "quotas", "extensions"} {
		resources = append(resources, map[string]any{
			"name": strings.TrimSuffix(many, "s"), "collection": many,
			"links": []map[string]string{{"rel": "self", "href": rest.ExternalURL(s.c.PublicURL, "/v2.0/"+many)}},
		})
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"resources": resources})
}
