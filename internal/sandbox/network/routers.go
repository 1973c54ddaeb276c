package network

import (
	"net/http"
	"net/netip"
	"slices"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// What Neutron writes into a port that a router uses.
const (
	ownerInterface = "network:router_interface"
	ownerGateway   = "network:router_gateway"
)

type router struct {
	header
	AdminStateUp bool         `json:"admin_state_up"`
	Status       string       `json:"status"`
	Gateway      *gatewayInfo `json:"external_gateway_info"`
	Routes       []hostRoute  `json:"routes"`
	Distributed  bool         `json:"distributed"`
	HA           bool         `json:"ha"`
	FlavorID     *string      `json:"flavor_id"`
}

type gatewayInfo struct {
	NetworkID        string    `json:"network_id"`
	EnableSNAT       *bool     `json:"enable_snat,omitempty"`
	ExternalFixedIPs []fixedIP `json:"external_fixed_ips,omitempty"`
}

type floatingIP struct {
	header
	Address   string  `json:"floating_ip_address"`
	NetworkID string  `json:"floating_network_id"`
	RouterID  *string `json:"router_id"`
	PortID    *string `json:"port_id"`
	FixedIP   *string `json:"fixed_ip_address"`
	Status    string  `json:"status"`
	SubnetID  string  `json:"subnet_id"`
	DNSDomain string  `json:"dns_domain"`
	DNSName   string  `json:"dns_name"`
	QoSPolicy *string `json:"qos_policy_id"`
	NoName    string  `json:"name,omitempty"` // hides the header's: a floating IP has no name
}

func (s *Service) routers() *collection[router, *router] {
	members := []string{"name", "description", "admin_state_up", "external_gateway_info", "routes", "availability_zone_hints"}
	return &collection[router, *router]{
		s: s, one: "router", many: "routers", path: "routers", kind: "Router", notFound: "Router %s could not be found",
		items: func() map[string]*router { return s.state.Routers },
		post:  append(slices.Clone(members), "flavor_id"),
		put:   members,
		defaults: func() router {
			return router{AdminStateUp: true, Status: "ACTIVE", Routes: []hostRoute{}}
		},
		create: s.createRouter,
		update: s.updateRouter,
		remove: s.removeRouter,
		view: func(_ *router, m map[string]any) {
			m["availability_zone_hints"], m["availability_zones"] = []any{}, []any{"nova"}
		},
	}
}

func (s *Service) createRouter(project string, r *router) error {
	if err := s.quota(project, "router"); err != nil {
		return err
	}
	return s.setGateway(r)
}

func (s *Service) updateRouter(_ string, old, changed *router) error {
	if changed.Gateway == nil || old.Gateway == nil || changed.Gateway.NetworkID != old.Gateway.NetworkID {
		if changed.Gateway == nil && s.hasFloating(old.ID) {
			return rest.TypedErrorf(http.StatusConflict, "RouterExternalGatewayInUseByFloatingIp",
				"Gateway cannot be updated for router %s, since a gateway to external network %s is required by one or more floating IPs.",
				old.ID, old.Gateway.NetworkID)
		}
		return s.setGateway(changed)
	}
	changed.Gateway = old.Gateway
	return nil
}

func (s *Service) hasFloating(routerID string) bool {
	for _, f := range s.state.FloatingIPs {
		if f.RouterID != nil && *f.RouterID == routerID {
			return true
		}
	}
	return false
}

// setGateway replaces the router's gateway port by one for what the router now says.
func (s *Service) setGateway(r *router) error {
	if r.Gateway != nil {
		n, ok := s.state.Networks[r.Gateway.NetworkID]
		if !ok {
			return s.networks().missing(r.Gateway.NetworkID)
		}
		if !n.External {
			return rest.TypedErrorf(http.StatusBadRequest, "BadRequest", "Bad router request: Network %s is not an external network.", n.ID)
		}
		p := s.newPort("", n.ID, r.ID, ownerGateway)
		if err := s.placeFixedIPs(n, p); err != nil {
			return err
		}
		s.dropGateway(r.ID)
		s.state.Ports[p.ID] = p
		yes := true
		r.Gateway.EnableSNAT, r.Gateway.ExternalFixedIPs = &yes, p.FixedIPs
		return nil
	}
	s.dropGateway(r.ID)
	return nil
}

func (s *Service) dropGateway(routerID string) {
	for _, p := range s.portsWhere(func(p *port) bool { return p.DeviceID == routerID && p.DeviceOwner == ownerGateway }) {
		delete(s.state.Ports, p.ID)
	}
}

// newPort makes a port that the service itself uses.
func (s *Service) newPort(project, networkID, device, owner string) *port {
	return &port{header: s.newHeader(project), NetworkID: networkID, MAC: newMAC(), AdminStateUp: true, Status: "ACTIVE", DeviceID: device,
		DeviceOwner: owner, SecurityGroups: []string{}, AddressPairs: []addressPair{}, ExtraDHCP: []dhcpOption{}}
}

func (s *Service) removeRouter(r *router) error {
	if len(s.interfaces(r.ID)) > 0 {
		return rest.TypedErrorf(http.StatusConflict, "RouterInUse", "Router %s still has ports", r.ID)
	}
	if s.hasFloating(r.ID) {
		return rest.TypedErrorf(http.StatusConflict, "RouterInUse", "Router %s still has floating IPs", r.ID)
	}
	s.dropGateway(r.ID)
	return nil
}

func (s *Service) interfaces(routerID string) []*port {
	return s.portsWhere(func(p *port) bool { return p.DeviceID == routerID && p.DeviceOwner == ownerInterface })
}

func (s *Service) actionRoutes(rt *rest.Router) {
	rt.Handle("PUT /v2.0/routers/{id}/add_router_interface", s.addInterface)
	rt.Handle("PUT /v2.0/routers/{id}/remove_router_interface", s.removeInterface)
	rt.Handle("PUT /v2.0/routers/{id}/add_extraroutes", s.extraRoutes(true))
	rt.Handle("PUT /v2.0/routers/{id}/remove_extraroutes", s.extraRoutes(false))
	s.trunkRoutes(rt)
	s.forwardingRoutes(rt)
	s.addressRoutes(rt)
}

type interfaceRequest struct {
	SubnetID string `json:"subnet_id"`
	PortID   string `json:"port_id"`
}

func (s *Service) addInterface(w http.ResponseWriter, r *rest.Request) error {
	rtr, err := s.routers().findOwn(r.ProjectID, r.Param("id"), "add_router_interface")
	if err != nil {
		return err
	}
	var in interfaceRequest
	if err := rest.Read(w, r, &in); err != nil {
		return err
	}
	var p *port
	switch {
	case in.SubnetID != "" && in.PortID != "":
		return rest.TypedErrorf(http.StatusBadRequest, "BadRequest", "Bad router request: Cannot specify both subnet-id and port-id.")
	case in.PortID != "":
		p, err = s.interfaceOfPort(r.ProjectID, in.PortID)
	case in.SubnetID != "":
		p, err = s.interfaceOfSubnet(r.ProjectID, rtr, in.SubnetID)
	default:
		err = rest.TypedErrorf(http.StatusBadRequest, "BadRequest", "Bad router request: Either subnet_id or port_id must be specified.")
	}
	if err != nil {
		return err
	}
	if err := s.noOverlap(rtr, p); err != nil {
		return err
	}
	p.DeviceID, p.DeviceOwner, p.Status = rtr.ID, ownerInterface, "ACTIVE"
	s.state.Ports[p.ID] = p
	return s.writeInterface(w, r, rtr, p)
}

func (s *Service) interfaceOfPort(project, id string) (*port, error) {
	p, err := s.ports().find(project, id)
	if err != nil {
		return nil, err
	}
	if p.DeviceID != "" {
		return nil, rest.TypedErrorf(http.StatusConflict, "PortInUse",
			"Unable to complete operation on port %s for network %s. Port already has an attached device %s.", p.ID, p.NetworkID, p.DeviceID)
	}
	if len(p.FixedIPs) == 0 {
		return nil, rest.TypedErrorf(http.StatusBadRequest, "BadRequest", "Bad router request: Router port must have at least one fixed IP.")
	}
	return p, nil
}

func (s *Service) interfaceOfSubnet(project string, rtr *router, id string) (*port, error) {
	sn, err := s.subnets().find(project, id)
	if err != nil {
		return nil, err
	}
	if sn.GatewayIP == nil {
		return nil, rest.TypedErrorf(http.StatusBadRequest, "BadRequest", "Bad router request: Subnet for router interface must have a gateway IP.")
	}
	p := s.newPort(project, sn.NetworkID, rtr.ID, ownerInterface)
	p.FixedIPs = []fixedIP{{SubnetID: sn.ID}}
	if err := s.noOverlap(rtr, p); err != nil { // told before the address's being taken, by that same router
		return nil, err
	}
	p.FixedIPs = nil
	placed, err := s.placeFixedIP(s.state.Networks[sn.NetworkID], p, fixedIP{sn.ID, *sn.GatewayIP})
	p.FixedIPs = []fixedIP{placed}
	return p, err
}

// noOverlap refuses an interface into a subnet whose addresses the router already reaches.
func (s *Service) noOverlap(rtr *router, p *port) error {
	for _, ip := range p.FixedIPs {
		mine := s.state.Subnets[ip.SubnetID]
		for _, other := range s.interfaces(rtr.ID) {
			for _, oip := range other.FixedIPs {
				sn := s.state.Subnets[oip.SubnetID]
				if sn.ID == mine.ID {
					return rest.TypedErrorf(http.StatusBadRequest, "BadRequest", "Bad router request: Router already has a port on subnet %s.", sn.ID)
				}
				if netip.MustParsePrefix(sn.CIDR).Overlaps(netip.MustParsePrefix(mine.CIDR)) {
					return rest.TypedErrorf(http.StatusBadRequest, "BadRequest",
						"Bad router request: Cidr %s of subnet %s overlaps with cidr %s of subnet %s.", mine.CIDR, mine.ID, sn.CIDR, sn.ID)
				}
			}
		}
	}
	return nil
}

func (s *Service) removeInterface(w http.ResponseWriter, r *rest.Request) error {
	rtr, err := s.routers().findOwn(r.ProjectID, r.Param("id"), "remove_router_interface")
	if err != nil {
		return err
	}
	var in interfaceRequest
	if err := rest.Read(w, r, &in); err != nil {
		return err
	}
	if in.SubnetID == "" && in.PortID == "" {
		return rest.TypedErrorf(http.StatusBadRequest, "BadRequest", "Bad router request: Either subnet_id or port_id must be specified.")
	}
	for _, p := range s.interfaces(rtr.ID) {
		onSubnet := slices.ContainsFunc(p.FixedIPs, func(ip fixedIP) bool { return ip.SubnetID == in.SubnetID })
		if (in.PortID != "" && p.ID != in.PortID) || (in.SubnetID != "" && !onSubnet) {
			continue
		}
		if s.floatingNeeds(rtr.ID, p) {
			return rest.TypedErrorf(http.StatusConflict, "RouterInterfaceInUseByFloatingIP",
				"Router interface for subnet %s on router %s cannot be deleted, as it is required by one or more floating IPs.", p.FixedIPs[0].SubnetID, rtr.ID)
		}
		delete(s.state.Ports, p.ID)
		return s.writeInterface(w, r, rtr, p)
	}
	if in.PortID != "" {
		return rest.TypedErrorf(http.StatusNotFound, "RouterInterfaceNotFound", "Router %s does not have an interface with id %s", rtr.ID, in.PortID)
	}
	return rest.TypedErrorf(http.StatusNotFound, "RouterInterfaceNotFoundForSubnet",
		"Router %s has no interface on subnet %s", rtr.ID, in.SubnetID)
}

// floatingNeeds says whether a floating IP reaches its port through the router's interface p.
func (s *Service) floatingNeeds(routerID string, p *port) bool {
	for _, f := range s.state.FloatingIPs {
		if f.RouterID != nil && *f.RouterID == routerID && f.PortID != nil && s.state.Ports[*f.PortID].NetworkID == p.NetworkID {
			return true
		}
	}
	return false
}

func (s *Service) writeInterface(w http.ResponseWriter, r *rest.Request, rtr *router, p *port) error {
	var ids []string
	for _, ip := range p.FixedIPs {
		ids = append(ids, ip.SubnetID)
	}
	return rest.WriteJSON(w, r, http.StatusOK, map[string]any{"id": rtr.ID, "tenant_id": rtr.ProjectID, "project_id": rtr.ProjectID,
		"port_id": p.ID, "network_id": p.NetworkID, "subnet_id": ids[0], "subnet_ids": ids, "tags": rtr.Tags})
}

// extraRoutes adds or removes static routes.
func (s *Service) extraRoutes(add bool) rest.Handler {
	return func(w http.ResponseWriter, r *rest.Request) error {
		rtr, err := s.routers().findOwn(r.ProjectID, r.Param("id"), "update")
		if err != nil {
			return err
		}
		var in struct {
			Router struct {
				Routes []hostRoute `json:"routes"`
			} `json:"router"`
		}
		if err := rest.Read(w, r, &in); err != nil {
			return err
		}
		rtr.Routes = slices.DeleteFunc(slices.Clone(rtr.Routes), func(h hostRoute) bool { return slices.Contains(in.Router.Routes, h) })
		if add {
			rtr.Routes = append(rtr.Routes, in.Router.Routes...)
		}
		s.touch(&rtr.header)
		return s.routers().write(w, r, http.StatusOK, rtr)
	}
}
