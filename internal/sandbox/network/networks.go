package network

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

type network struct {
	header
	AdminStateUp        bool     `json:"admin_state_up"`
	Status              string   `json:"status"`
	Shared              bool     `json:"shared"`
	External            bool     `json:"router:external"`
	IsDefault           bool     `json:"is_default"`
	MTU                 rest.Int `json:"mtu"`
	PortSecurityEnabled bool     `json:"port_security_enabled"`
	DNSDomain           string   `json:"dns_domain"`
	QoSPolicyID         *string  `json:"qos_policy_id"`
}

type subnet struct {
	header
	NetworkID       string      `json:"network_id"`
	IPVersion       rest.Int    `json:"ip_version"`
	CIDR            string      `json:"cidr"`
	GatewayIP       *string     `json:"gateway_ip"`
	EnableDHCP      bool        `json:"enable_dhcp"`
	AllocationPools []pool      `json:"allocation_pools"`
	DNSNameservers  []string    `json:"dns_nameservers"`
	HostRoutes      []hostRoute `json:"host_routes"`
	IPv6AddressMode *string     `json:"ipv6_address_mode"`
	IPv6RAMode      *string     `json:"ipv6_ra_mode"`
	SubnetPoolID    *string     `json:"subnetpool_id"`
	DNSPublish      bool        `json:"dns_publish_fixed_ip"`
	PrefixLength    rest.Int    `json:"prefixlen,omitzero"` // asked of the pool
	NoGateway       bool        `json:"x-no-gateway"`       // gateway_ip was null
}

type pool struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type hostRoute struct {
	Destination string `json:"destination"`
	NextHop     string `json:"nexthop"`
}

// makeExtNet makes the external network, with one IPv4 and one IPv6 subnet. The addresses are from the ranges for benchmarks
// and documentation (RFC 2544, RFC 3849): nothing on any real network answers there.
func (s *Service) makeExtNet() {
	n := &network{header: s.newHeader("operator"), AdminStateUp: true, Status: "ACTIVE", Shared: true, External: true, MTU: 1500, PortSecurityEnabled: true}
	n.Name = ExtNet
	s.state.Networks[n.ID] = n
	for _, sub := range []struct {
		version rest.Int
		cidr    string
	}{{4, fmt.Sprintf("198.%d.0.0/16", 18+s.c.Index)}, {6, fmt.Sprintf("2001:db8:%x::/64", 1+s.c.Index)}} {
		sn := subnetDefaults()
		sn.header = s.newHeader("operator")
		sn.Name, sn.NetworkID, sn.IPVersion, sn.CIDR = fmt.Sprintf("%s-v%d", ExtNet, sub.version), n.ID, sub.version, sub.cidr
		prefix := netip.MustParsePrefix(sub.cidr)
		gw := prefix.Addr().Next().String()
		sn.GatewayIP, sn.AllocationPools = &gw, defaultPools(prefix, prefix.Addr().Next())
		s.state.Subnets[sn.ID] = &sn
	}
}

func (s *Service) networks() *collection[network, *network] {
	return &collection[network, *network]{
		s: s, one: "network", many: "networks", path: "networks", kind: "Network", notFound: "Network %s could not be found.",
		items: func() map[string]*network { return s.state.Networks },
		post:  []string{"name", "description", "admin_state_up", "mtu", "port_security_enabled", "dns_domain", "availability_zone_hints", "qos_policy_id"},
		put:   []string{"name", "description", "admin_state_up", "mtu", "port_security_enabled", "dns_domain", "qos_policy_id"},
		defaults: func() network {
			return network{AdminStateUp: true, Status: "ACTIVE", MTU: 1500, PortSecurityEnabled: true}
		},
		visible: func(project string, n *network) bool { return n.Shared || n.External || s.sharedWith(project, n.ID) },
		create:  func(project string, n *network) error { return s.quota(project, "network") },
		update:  func(_ string, _, _ *network) error { return nil },
		remove:  s.removeNetwork,
		view: func(n *network, m map[string]any) {
			subnets := []any{}
			for _, sn := range s.subnetsOf(n.ID) {
				subnets = append(subnets, sn.ID)
			}
			m["subnets"] = subnets
			m["availability_zone_hints"], m["availability_zones"] = []any{}, []any{"nova"}
			m["ipv4_address_scope"], m["ipv6_address_scope"] = nil, nil
		},
	}
}

func (s *Service) removeNetwork(n *network) error {
	if slices.ContainsFunc(s.portsOn(n.ID), func(p *port) bool { return p.DeviceOwner != "network:dhcp" }) {
		return rest.TypedErrorf(http.StatusConflict, "NetworkInUse",
			"Unable to complete operation on network %s. There are one or more ports still in use on the network.", n.ID)
	}
	for _, sn := range s.subnetsOf(n.ID) {
		delete(s.state.Subnets, sn.ID)
	}
	maps.DeleteFunc(s.state.Shares, func(_ string, p *share) bool { return p.ObjectID == n.ID })
	return nil
}

func (s *Service) subnetsOf(networkID string) []*subnet {
	var out []*subnet
	for _, sn := range s.state.Subnets {
		if sn.NetworkID == networkID {
			out = append(out, sn)
		}
	}
	slices.SortFunc(out, func(a, b *subnet) int { return a.Seq - b.Seq })
	return out
}

func subnetDefaults() subnet {
	unset := "" // null says: no gateway
	return subnet{GatewayIP: &unset, EnableDHCP: true, DNSNameservers: []string{}, HostRoutes: []hostRoute{}}
}

func (s *Service) subnets() *collection[subnet, *subnet] {
	return &collection[subnet, *subnet]{
		s: s, one: "subnet", many: "subnets", path: "subnets", kind: "Subnet", notFound: "Subnet %s could not be found.",
		items: func() map[string]*subnet { return s.state.Subnets },
		post: []string{"name", "description", "network_id", "ip_version", "cidr", "gateway_ip", "enable_dhcp", "allocation_pools", "dns_nameservers",
			"host_routes", "ipv6_address_mode", "ipv6_ra_mode", "dns_publish_fixed_ip", "subnetpool_id", "prefixlen"},
		put:      []string{"name", "description", "gateway_ip", "enable_dhcp", "allocation_pools", "dns_nameservers", "host_routes", "dns_publish_fixed_ip"},
		defaults: subnetDefaults,
		visible: func(project string, sn *subnet) bool {
			n := s.state.Networks[sn.NetworkID]
			return n != nil && (n.Shared || s.sharedWith(project, n.ID))
		},
		create: s.createSubnet,
		update: s.updateSubnet,
		remove: s.removeSubnet,
		view: func(_ *subnet, m map[string]any) {
			m["service_types"], m["segment_id"] = []any{}, nil
		},
	}
}

func (s *Service) createSubnet(project string, sn *subnet) error {
	n, err := s.networks().findOwn(project, sn.NetworkID, "create_subnet:on")
	if err != nil {
		return err
	}
	if sn.SubnetPoolID != nil {
		if err := s.cut(project, sn); err != nil {
			return err
		}
	}
	sn.PrefixLength = 0
	prefix, err := netip.ParsePrefix(sn.CIDR)
	if err != nil {
		return invalidInput("cidr", sn.CIDR, "is not a valid IP subnet")
	}
	prefix = prefix.Masked()
	sn.CIDR = prefix.String()
	if sn.IPVersion == 0 || int(sn.IPVersion) != version(prefix.Addr()) {
		return rest.TypedErrorf(http.StatusBadRequest, "BadRequest",
			"Invalid input for operation: cidr '%s' does not match the ip_version '%d'.", sn.CIDR, sn.IPVersion)
	}
	for _, other := range s.subnetsOf(n.ID) {
		if netip.MustParsePrefix(other.CIDR).Overlaps(prefix) {
			return rest.TypedErrorf(http.StatusBadRequest, "InvalidInput",
				"Invalid input for operation: Requested subnet with cidr: %s for network: %s overlaps with another subnet.", sn.CIDR, n.ID)
		}
	}
	if err := s.quota(project, "subnet"); err != nil {
		return err
	}
	sn.NoGateway = sn.GatewayIP == nil
	return placeGateway(sn, prefix)
}

// placeGateway settles the gateway, which is the first address unless the client chose, and the pools, which are the rest.
func placeGateway(sn *subnet, prefix netip.Prefix) error {
	gw := prefix.Addr().Next()
	if sn.NoGateway {
		gw = netip.Addr{}
	} else if sn.GatewayIP != nil && *sn.GatewayIP != "" {
		var err error
		if gw, err = netip.ParseAddr(*sn.GatewayIP); err != nil || !prefix.Contains(gw) {
			return rest.TypedErrorf(http.StatusBadRequest, "InvalidInput", "Invalid input for operation: Gateway is not valid on subnet.")
		}
	}
	sn.GatewayIP = nil
	if gw.IsValid() {
		text := gw.String()
		sn.GatewayIP = &text
	}
	if sn.AllocationPools == nil {
		sn.AllocationPools = defaultPools(prefix, gw)
	}
	return checkPools(sn, prefix)
}

// defaultPools gives all usable addresses but the gateway.
func defaultPools(prefix netip.Prefix, gateway netip.Addr) []pool {
	first, last := prefix.Addr(), lastAddr(prefix)
	if prefix.Bits() < prefix.Addr().BitLen()-1 {
		first = first.Next()
		if prefix.Addr().Is4() {
			last = last.Prev()
		}
	}
	if !gateway.IsValid() || gateway.Less(first) || last.Less(gateway) {
		return []pool{{first.String(), last.String()}}
	}
	pools := []pool{}
	if first.Less(gateway) {
		pools = append(pools, pool{first.String(), gateway.Prev().String()})
	}
	if gateway.Less(last) {
		pools = append(pools, pool{gateway.Next().String(), last.String()})
	}
	return pools
}

func checkPools(sn *subnet, prefix netip.Prefix) error {
	for _, p := range sn.AllocationPools {
		start, err1 := netip.ParseAddr(p.Start)
		end, err2 := netip.ParseAddr(p.End)
		if err1 != nil || err2 != nil || end.Less(start) {
			return rest.TypedErrorf(http.StatusBadRequest, "InvalidAllocationPool", "The allocation pool %s-%s is not valid.", p.Start, p.End)
		}
		if !prefix.Contains(start) || !prefix.Contains(end) {
			return rest.TypedErrorf(http.StatusBadRequest, "OutOfBoundsAllocationPool",
				"The allocation pool %s-%s spans beyond the subnet cidr %s.", p.Start, p.End, sn.CIDR)
		}
		if sn.GatewayIP != nil {
			if gw := netip.MustParseAddr(*sn.GatewayIP); !gw.Less(start) && !end.Less(gw) {
				return rest.TypedErrorf(http.StatusConflict, "GatewayConflictWithAllocationPools",
					"Gateway ip %s conflicts with allocation pool %s-%s.", gw, p.Start, p.End)
			}
		}
	}
	return nil
}

func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b) // it has an address's length: it came from one
	return a
}

func version(a netip.Addr) int {
	if a.Is4() {
		return 4
	}
	return 6
}

func invalidInput(name, value, why string) error {
	return rest.TypedErrorf(http.StatusBadRequest, "InvalidInput", "Invalid input for %s. Reason: '%s' %s.", name, value, why)
}

func (s *Service) updateSubnet(_ string, _, changed *subnet) error {
	prefix := netip.MustParsePrefix(changed.CIDR)
	changed.NoGateway = changed.GatewayIP == nil
	return placeGateway(changed, prefix)
}

func (s *Service) removeSubnet(sn *subnet) error {
	for _, p := range s.portsOn(sn.NetworkID) {
		if slices.ContainsFunc(p.FixedIPs, func(ip fixedIP) bool { return ip.SubnetID == sn.ID }) {
			return rest.TypedErrorf(http.StatusConflict, "SubnetInUse",
				"Unable to complete operation on subnet %s: One or more ports have an IP allocation from this subnet.", sn.ID)
		}
	}
	return nil
}
