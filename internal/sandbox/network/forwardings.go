package network

import (
	"net/http"
	"slices"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// A forwarding leads one port number of a floating IP to one of a server's.
type forwarding struct {
	header
	NoName       string    `json:"name,omitempty"` // hides the header's: it has no name
	FloatingID   string    `json:"x-floating-ip"`
	Protocol     protocol  `json:"protocol"`
	InternalPort string    `json:"internal_port_id"`
	InternalIP   string    `json:"internal_ip_address"`
	Internal     *rest.Int `json:"internal_port"`
	External     *rest.Int `json:"external_port"`
}

// forwardings are those of one floating IP: the collection lies below it.
func (s *Service) forwardings(floatingID string) *collection[forwarding, *forwarding] {
	members := []string{"description", "protocol", "internal_port_id", "internal_ip_address", "internal_port", "external_port"}
	return &collection[forwarding, *forwarding]{
		s: s, one: "port_forwarding", many: "port_forwardings", path: "floatingips/" + floatingID + "/port_forwardings", kind: "PortForwarding",
		param:    "forwarding",
		notFound: "Port Forwarding %s could not be found.",
		items: func() map[string]*forwarding {
			if s.state.Forwardings[floatingID] == nil {
				s.state.Forwardings[floatingID] = map[string]*forwarding{}
			}
			return s.state.Forwardings[floatingID]
		},
		post: members, put: members,
		defaults: func() forwarding { return forwarding{FloatingID: floatingID} },
		create:   func(project string, f *forwarding) error { return s.checkForwarding(project, f) },
		update:   func(project string, _, changed *forwarding) error { return s.checkForwarding(project, changed) },
		remove: func(f *forwarding) error {
			delete(s.state.Forwardings[floatingID], f.ID)
			s.settleFloating(floatingID)
			return nil
		},
	}
}

func (s *Service) forwardingRoutes(rt *rest.Router) {
	const path = "/v2.0/floatingips/{id}/port_forwardings"
	type handler = func(*collection[forwarding, *forwarding], http.ResponseWriter, *rest.Request) error
	for route, f := range map[string]handler{
		"GET " + path: (*collection[forwarding, *forwarding]).list, "POST " + path: (*collection[forwarding, *forwarding]).post1,
		"GET " + path + "/{forwarding}":    (*collection[forwarding, *forwarding]).show,
		"PUT " + path + "/{forwarding}":    (*collection[forwarding, *forwarding]).put1,
		"DELETE " + path + "/{forwarding}": (*collection[forwarding, *forwarding]).delete,
	} {
		rt.Handle(route, func(w http.ResponseWriter, r *rest.Request) error {
			fip, err := s.floatingIPs().find(r.ProjectID, r.Param("id"))
			if err != nil {
				return err
			}
			return f(s.forwardings(fip.ID), w, r)
		})
	}
}

func (s *Service) checkForwarding(project string, f *forwarding) error {
	fip := s.state.FloatingIPs[f.FloatingID]
	if fip.PortID != nil {
		return rest.TypedErrorf(http.StatusConflict, "FipInUseByPort", "Floating IP %s is associated with port %s and has no room for port forwardings.", fip.ID, *fip.PortID)
	}
	p, err := s.ports().find(project, f.InternalPort)
	if err != nil {
		return err
	}
	target := floatingIP{}
	if f.InternalIP != "" {
		target.FixedIP = &f.InternalIP
	}
	fixed, err := fixedIPv4(p, &target)
	if err != nil {
		return err
	}
	f.InternalIP = fixed.IPAddress
	if err := checkForwardedPorts(f); err != nil {
		return err
	}
	rtr := s.routerBetween(fixed.SubnetID, fip.NetworkID)
	if rtr == nil {
		return rest.TypedErrorf(http.StatusNotFound, "ExternalGatewayForFloatingIPNotFound",
			"External network %s is not reachable from subnet %s.  Therefore, cannot associate Port %s with a Floating IP.", fip.NetworkID, fixed.SubnetID, p.ID)
	}
	for _, other := range s.state.Forwardings[fip.ID] {
		if other.ID != f.ID && other.Protocol == f.Protocol && *other.External == *f.External {
			return rest.TypedErrorf(http.StatusBadRequest, "BadRequest", "Bad port_forwarding request: A duplicate port forwarding entry with same attributes already exists.")
		}
	}
	fip.RouterID, fip.Status = &rtr.ID, "ACTIVE"
	return nil
}

func checkForwardedPorts(f *forwarding) error {
	if !slices.Contains([]protocol{"tcp", "udp", "sctp", "dccp", "icmp", "icmp6", "ipv6-icmp"}, f.Protocol) {
		return invalidInput("protocol", string(f.Protocol), "is not one that can be forwarded")
	}
	for name, n := range map[string]*rest.Int{"internal_port": f.Internal, "external_port": f.External} {
		if n == nil || *n < 1 || *n > 65535 {
			return invalidInput(name, "", "is not a valid port number")
		}
	}
	return nil
}

// settleFloating takes the router from a floating IP that leads nowhere any more.
func (s *Service) settleFloating(id string) {
	if f := s.state.FloatingIPs[id]; f != nil && f.PortID == nil && len(s.state.Forwardings[id]) == 0 {
		f.RouterID, f.Status = nil, "DOWN"
	}
}

// forwardingViews are what a floating IP shows of its forwardings.
func (s *Service) forwardingViews(floatingID string) []any {
	out := []any{}
	for _, f := range s.state.Forwardings[floatingID] {
		out = append(out, map[string]any{"id": f.ID, "protocol": f.Protocol, "internal_port_id": f.InternalPort, "internal_ip_address": f.InternalIP,
			"internal_port": f.Internal, "external_port": f.External})
	}
	return out
}

// dropForwardings takes the forwardings to a port that goes away.
func (s *Service) dropForwardings(portID string) {
	for fip, all := range s.state.Forwardings {
		for id, f := range all {
			if f.InternalPort == portID {
				delete(all, id)
			}
		}
		s.settleFloating(fip)
	}
}
