package network

import (
	"net/http"
	"net/netip"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

func (s *Service) floatingIPs() *collection[floatingIP, *floatingIP] {
	return &collection[floatingIP, *floatingIP]{
		s: s, one: "floatingip", many: "floatingips", path: "floatingips", kind: "FloatingIP", notFound: "Floating IP %s could not be found",
		items:  func() map[string]*floatingIP { return s.state.FloatingIPs },
		post:   []string{"description", "floating_network_id", "port_id", "fixed_ip_address", "subnet_id", "floating_ip_address", "dns_domain", "dns_name", "qos_policy_id"},
		put:    []string{"description", "port_id", "fixed_ip_address", "qos_policy_id"},
		create: s.createFloating,
		update: s.associate,
		remove: func(f *floatingIP) error {
			delete(s.state.Forwardings, f.ID)
			return nil
		},
		view: func(f *floatingIP, m map[string]any) {
			m["port_details"], m["port_forwardings"] = nil, s.forwardingViews(f.ID)
			if f.PortID != nil {
				if p := s.state.Ports[*f.PortID]; p != nil {
					m["port_details"] = map[string]any{"name": p.Name, "network_id": p.NetworkID, "mac_address": p.MAC,
						"admin_state_up": p.AdminStateUp, "status": p.Status, "device_id": p.DeviceID, "device_owner": p.DeviceOwner}
				}
			}
		},
	}
}

func (s *Service) createFloating(project string, f *floatingIP) error {
	n, ok := s.state.Networks[f.NetworkID]
	if !ok {
		return s.networks().missing(f.NetworkID)
	}
	if !n.External {
		return rest.TypedErrorf(http.StatusBadRequest, "BadRequest",
			"Bad floatingip request: Network %s is not a valid external network.", n.ID)
	}
	if f.Address != "" {
		return disallowed("create_floatingip:floating_ip_address")
	}
	if err := s.quota(project, "floatingip"); err != nil {
		return err
	}
	sn := s.subnetFor(n, fixedIP{SubnetID: f.SubnetID})
	if sn == nil || sn.IPVersion != 4 {
		return rest.TypedErrorf(http.StatusBadRequest, "BadRequest", "Bad floatingip request: Network %s does not contain any IPv4 subnet.", n.ID)
	}
	a, ok := s.freeAddr(sn, nil)
	if !ok {
		return rest.TypedErrorf(http.StatusConflict, "IpAddressGenerationFailure", "No more IP addresses available on network %s.", n.ID)
	}
	f.Address, f.SubnetID, f.Status = a, sn.ID, "DOWN"
	return s.associate(project, f, f)
}

// associate makes changed point where it says: at a port of the project's that a router joins to the floating network.
func (s *Service) associate(project string, _, changed *floatingIP) error {
	if len(s.state.Forwardings[changed.ID]) > 0 {
		return forwardsOnly(changed)
	}
	changed.RouterID, changed.Status = nil, "DOWN"
	if changed.PortID == nil || *changed.PortID == "" {
		changed.PortID, changed.FixedIP = nil, nil
		return nil
	}
	p, err := s.ports().find(project, *changed.PortID)
	if err != nil {
		return err
	}
	fixed, err := fixedIPv4(p, changed)
	if err != nil {
		return err
	}
	for _, f := range s.state.FloatingIPs {
		if f.ID != changed.ID && f.PortID != nil && *f.PortID == p.ID && *f.FixedIP == fixed.IPAddress {
			return rest.TypedErrorf(http.StatusConflict, "FloatingIPPortAlreadyAssociated",
				"Cannot associate floating IP %s (%s) with port %s using fixed IP %s, as that fixed IP already has a floating IP on external network %s.",
				changed.Address, changed.ID, p.ID, fixed.IPAddress, changed.NetworkID)
		}
	}
	rtr := s.routerBetween(fixed.SubnetID, changed.NetworkID)
	if rtr == nil {
		return rest.TypedErrorf(http.StatusNotFound, "ExternalGatewayForFloatingIPNotFound",
			"External network %s is not reachable from subnet %s.  Therefore, cannot associate Port %s with a Floating IP.",
			changed.NetworkID, fixed.SubnetID, p.ID)
	}
	changed.RouterID, changed.FixedIP, changed.Status = &rtr.ID, &fixed.IPAddress, "ACTIVE"
	return nil
}

// forwardsOnly keeps a floating IP with port forwardings from being a port's.
func forwardsOnly(changed *floatingIP) error {
	if changed.PortID != nil && *changed.PortID != "" {
		return rest.TypedErrorf(http.StatusConflict, "FipInUseByPortForwarding", "Floating IP %s has port forwardings, and is not associated with a port.", changed.ID)
	}
	changed.PortID, changed.FixedIP = nil, nil
	return nil
}

// fixedIPv4 gives the port's address that the floating IP is to lead to.
func fixedIPv4(p *port, f *floatingIP) (fixedIP, error) {
	for _, ip := range p.FixedIPs {
		a, err := netip.ParseAddr(ip.IPAddress)
		if err == nil && a.Is4() && (f.FixedIP == nil || *f.FixedIP == ip.IPAddress) {
			return ip, nil
		}
	}
	if f.FixedIP != nil {
		return fixedIP{}, rest.TypedErrorf(http.StatusBadRequest, "BadRequest",
			"Bad floatingip request: Port %s does not have fixed ip %s.", p.ID, *f.FixedIP)
	}
	return fixedIP{}, rest.TypedErrorf(http.StatusBadRequest, "BadRequest",
		"Bad floatingip request: Cannot add floating IP to port %s that has no fixed IPv4 addresses.", p.ID)
}

// routerBetween gives the router that has an interface in the subnet and its gateway on the external network.
func (s *Service) routerBetween(subnetID, externalID string) *router {
	for _, rtr := range s.state.Routers {
		if rtr.Gateway == nil || rtr.Gateway.NetworkID != externalID {
			continue
		}
		for _, p := range s.interfaces(rtr.ID) {
			for _, ip := range p.FixedIPs {
				if ip.SubnetID == subnetID {
					return rtr
				}
			}
		}
	}
	return nil
}

// releaseFloating takes floating IPs off a port that goes away.
func (s *Service) releaseFloating(portID string) {
	for _, f := range s.state.FloatingIPs {
		if f.PortID != nil && *f.PortID == portID {
			f.PortID, f.FixedIP, f.RouterID, f.Status = nil, nil, nil, "DOWN"
		}
	}
}
