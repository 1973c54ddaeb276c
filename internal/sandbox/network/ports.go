package network

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

type port struct {
	header
	NetworkID           string        `json:"network_id"`
	MAC                 string        `json:"mac_address"`
	FixedIPs            []fixedIP     `json:"fixed_ips"`
	AdminStateUp        bool          `json:"admin_state_up"`
	Status              string        `json:"status"`
	DeviceID            string        `json:"device_id"`
	DeviceOwner         string        `json:"device_owner"`
	SecurityGroups      []string      `json:"security_groups"`
	AddressPairs        []addressPair `json:"allowed_address_pairs"`
	ExtraDHCP           []dhcpOption  `json:"extra_dhcp_opts"`
	PortSecurityEnabled bool          `json:"port_security_enabled"`
	DNSName             string        `json:"dns_name"`
	QoSPolicyID         *string       `json:"qos_policy_id"`
	ByCompute           bool          `json:"x-by-compute"` // made for a server, and gone with it
}

type fixedIP struct {
	SubnetID  string `json:"subnet_id,omitempty"`
	IPAddress string `json:"ip_address,omitempty"`
}

type addressPair struct {
	IPAddress string `json:"ip_address"`
	MAC       string `json:"mac_address,omitempty"`
}

type dhcpOption struct {
	Name      string   `json:"opt_name"`
	Value     string   `json:"opt_value"`
	IPVersion rest.Int `json:"ip_version,omitzero"`
}

func (s *Service) ports() *collection[port, *port] {
	common := []string{"name", "description", "admin_state_up", "fixed_ips", "device_id", "device_owner", "security_groups", "allowed_address_pairs",
		"extra_dhcp_opts", "port_security_enabled", "dns_name", "qos_policy_id"}
	return &collection[port, *port]{
		s: s, one: "port", many: "ports", path: "ports", kind: "Port", notFound: "Port %s could not be found.",
		items: func() map[string]*port { return s.state.Ports },
		post:  append(slices.Clone(common), "network_id", "mac_address"),
		put:   common,
		defaults: func() port {
			return port{AdminStateUp: true, Status: "DOWN", PortSecurityEnabled: true, AddressPairs: []addressPair{}, ExtraDHCP: []dhcpOption{}}
		},
		create: s.createPort,
		update: s.updatePort,
		remove: s.removePort,
		view: func(p *port, m map[string]any) {
			m["binding:vnic_type"] = "normal"
			m["dns_assignment"] = []any{}
		},
	}
}

// portsOn gives the ports of a network in order of creation.
func (s *Service) portsOn(networkID string) []*port {
	return s.portsWhere(func(p *port) bool { return p.NetworkID == networkID })
}

func (s *Service) portsWhere(want func(*port) bool) []*port {
	var out []*port
	for _, p := range s.state.Ports {
		if want(p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *port) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

func (s *Service) createPort(project string, p *port) error {
	n, err := s.networks().find(project, p.NetworkID)
	if err != nil {
		return err
	}
	if err := s.quota(project, "port"); err != nil {
		return err
	}
	if err := s.placeMAC(p); err != nil {
		return err
	}
	if err := s.checkGroups(project, p); err != nil {
		return err
	}
	return s.placeFixedIPs(n, p)
}

func (s *Service) placeMAC(p *port) error {
	if p.MAC == "" {
		p.MAC = newMAC()
		return nil
	}
	if hw, err := net.ParseMAC(p.MAC); err != nil || len(hw) != 6 {
		return invalidInput("mac_address", p.MAC, "is not a valid MAC address")
	}
	p.MAC = strings.ToLower(p.MAC)
	for _, other := range s.portsOn(p.NetworkID) {
		if other.MAC == p.MAC {
			return rest.TypedErrorf(http.StatusConflict, "MacAddressInUse",
				"Unable to complete operation for network %s. The mac address %s is in use.", p.NetworkID, p.MAC)
		}
	}
	return nil
}

// newMAC makes an address with the prefix that Neutron's default configuration uses.
func newMAC() string {
	b := make([]byte, 3)
	_, _ = rand.Read(b) // never fails
	return fmt.Sprintf("fa:16:3e:%02x:%02x:%02x", b[0], b[1], b[2])
}

// checkGroups gives a port the project's default group if the client named none.
func (s *Service) checkGroups(project string, p *port) error {
	if !p.PortSecurityEnabled {
		if len(p.SecurityGroups) > 0 {
			return rest.TypedErrorf(http.StatusConflict, "PortSecurityAndIPRequiredForSecurityGroups",
				"Port security must be enabled and port must have an IP address in order to use security groups.")
		}
		p.SecurityGroups = []string{}
		return nil
	}
	if p.SecurityGroups == nil {
		p.SecurityGroups = []string{s.defaultGroup(project).ID}
	}
	for _, id := range p.SecurityGroups {
		if _, err := s.groups().find(project, id); err != nil {
			return err
		}
	}
	return nil
}

// placeFixedIPs gives the port the addresses asked for, or one of each IP version that the network has.
func (s *Service) placeFixedIPs(n *network, p *port) error {
	if p.FixedIPs == nil {
		p.FixedIPs = []fixedIP{}
		return s.oneOfEach(n, p)
	}
	wanted := p.FixedIPs
	p.FixedIPs = make([]fixedIP, 0, len(wanted))
	for _, ip := range wanted {
		placed, err := s.placeFixedIP(n, p, ip)
		if err != nil {
			return err
		}
		p.FixedIPs = append(p.FixedIPs, placed)
	}
	return nil
}

// oneOfEach takes the first subnet of each IP version that has an address left.
func (s *Service) oneOfEach(n *network, p *port) error {
	for _, v := range []rest.Int{4, 6} {
		found, exhausted := false, ""
		for _, sn := range s.subnetsOf(n.ID) {
			if sn.IPVersion != v || found {
				continue
			}
			if a, ok := s.freeAddr(sn, p); ok {
				p.FixedIPs, found = append(p.FixedIPs, fixedIP{sn.ID, a}), true
			} else {
				exhausted = sn.NetworkID
			}
		}
		if !found && exhausted != "" {
			return rest.TypedErrorf(http.StatusConflict, "IpAddressGenerationFailure", "No more IP addresses available on network %s.", exhausted)
		}
	}
	return nil
}

func (s *Service) placeFixedIP(n *network, p *port, ip fixedIP) (fixedIP, error) {
	sn := s.subnetFor(n, ip)
	if sn == nil {
		return fixedIP{}, rest.TypedErrorf(http.StatusBadRequest, "InvalidIpForNetwork",
			"IP address %s is not a valid IP for any of the subnets on the specified network.", cmp.Or(ip.IPAddress, ip.SubnetID))
	}
	if ip.IPAddress == "" {
		a, ok := s.freeAddr(sn, p)
		if !ok {
			return fixedIP{}, rest.TypedErrorf(http.StatusConflict, "IpAddressGenerationFailure", "No more IP addresses available on network %s.", n.ID)
		}
		return fixedIP{sn.ID, a}, nil
	}
	ip.IPAddress = netip.MustParseAddr(ip.IPAddress).String() // subnetFor has parsed it
	if s.taken(sn, p)[ip.IPAddress] {
		return fixedIP{}, rest.TypedErrorf(http.StatusConflict, "IpAddressAlreadyAllocated",
			"IP address %s already allocated in subnet %s", ip.IPAddress, sn.ID)
	}
	return fixedIP{sn.ID, ip.IPAddress}, nil
}

// subnetFor gives the network's subnet that was named or that holds the address; nil if there is none.
func (s *Service) subnetFor(n *network, ip fixedIP) *subnet {
	for _, sn := range s.subnetsOf(n.ID) {
		if ip.SubnetID != "" && sn.ID != ip.SubnetID {
			continue
		}
		if ip.IPAddress == "" {
			return sn
		}
		if a, err := netip.ParseAddr(ip.IPAddress); err == nil && netip.MustParsePrefix(sn.CIDR).Contains(a) {
			return sn
		}
	}
	return nil
}

// taken gives the addresses of a subnet that others than p use.
func (s *Service) taken(sn *subnet, p *port) map[string]bool {
	used := map[string]bool{}
	if sn.GatewayIP != nil && (p == nil || !strings.HasPrefix(p.DeviceOwner, "network:router")) {
		used[*sn.GatewayIP] = true
	}
	for _, other := range s.state.Ports {
		for _, ip := range other.FixedIPs {
			if ip.SubnetID == sn.ID && (p == nil || other.ID != p.ID) {
				used[ip.IPAddress] = true
			}
		}
	}
	for _, f := range s.state.FloatingIPs {
		if f.SubnetID == sn.ID {
			used[f.Address] = true
		}
	}
	if p != nil {
		for _, ip := range p.FixedIPs {
			used[ip.IPAddress] = true
		}
	}
	return used
}

// freeAddr gives the first address of the pools that nobody has.
func (s *Service) freeAddr(sn *subnet, p *port) (string, bool) {
	used := s.taken(sn, p)
	for _, pl := range sn.AllocationPools {
		end := netip.MustParseAddr(pl.End)
		for a := netip.MustParseAddr(pl.Start); a.IsValid() && !end.Less(a); a = a.Next() {
			if !used[a.String()] {
				return a.String(), true
			}
		}
	}
	return "", false
}

func (s *Service) updatePort(project string, old, changed *port) error {
	if changed.FixedIPs == nil {
		changed.FixedIPs = old.FixedIPs
	}
	if !slices.Equal(old.FixedIPs, changed.FixedIPs) {
		n := s.state.Networks[old.NetworkID]
		if err := s.placeFixedIPs(n, changed); err != nil {
			return err
		}
	}
	if err := s.checkGroups(project, changed); err != nil {
		return err
	}
	if !strings.HasPrefix(old.DeviceOwner, "network:") {
		changed.Status = portStatus(changed)
	}
	return nil
}

func portStatus(p *port) string {
	if p.DeviceID != "" && p.AdminStateUp {
		return "ACTIVE"
	}
	return "DOWN"
}

func (s *Service) removePort(p *port) error {
	if p.DeviceOwner == ownerInterface || p.DeviceOwner == ownerGateway {
		return rest.TypedErrorf(http.StatusConflict, "ServicePortInUse",
			"Port %s cannot be deleted directly via the port API: has device owner %s.", p.ID, p.DeviceOwner)
	}
	if err := s.usedByTrunk(p.ID); err != nil {
		return err
	}
	s.releaseFloating(p.ID)
	s.dropForwardings(p.ID)
	return nil
}
