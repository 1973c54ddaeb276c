package network

import (
	"cmp"
	"net/http"
	"net/netip"
	"slices"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

// A Wish is one network interface that a server is to have.
type Wish struct {
	NetworkID string
	PortID    string   // an existing port; then the rest is ignored
	Addresses []string // fixed addresses asked for; none means one of each IP version
}

// An Interface is a server's port as compute shows it.
type Interface struct {
	PortID      string
	NetworkID   string
	NetworkName string
	MAC         string
	Status      string
	Addresses   []Address
	Groups      []string // names of security groups
}

// An Address is one address under which an interface is reached.
type Address struct {
	Addr     string
	Version  int
	SubnetID string
	Floating bool
}

// Available gives the networks that a server of the project gets when it names none: the project's own and the shared ones.
func (s *Service) Available(project string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id, n := range s.state.Networks {
		if (n.ProjectID == project || n.Shared) && len(s.subnetsOf(id)) > 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// External gives the id of Ext-Net.
func (s *Service) External() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, n := range s.state.Networks {
		if n.External {
			return id
		}
	}
	return ""
}

// Plug gives a server of the project the interfaces wished for, all or none. groups are names or ids of security groups; none
// means "default". Errors are *rest.Error in the words of compute, which asks.
func (s *Service) Plug(project, server string, wishes []Wish, groups []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids, err := s.groupIDs(project, groups)
	if err != nil {
		return err
	}
	var made []*port
	for _, wish := range wishes {
		p, err := s.plug(project, server, wish, ids)
		if err != nil {
			for _, p := range made {
				s.unplug(p)
			}
			return err
		}
		made = append(made, p)
	}
	return nil
}

func (s *Service) groupIDs(project string, groups []string) ([]string, error) {
	var ids []string
	for _, name := range groups {
		g, err := s.groupNamed(project, name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, g.ID)
	}
	if ids == nil {
		ids = []string{s.defaultGroup(project).ID}
	}
	return ids, nil
}

// groupNamed finds a project's security group by id or by name.
func (s *Service) groupNamed(project, name string) (*securityGroup, error) {
	s.defaultGroup(project)
	var found []*securityGroup
	for id, g := range s.state.Groups {
		if g.ProjectID == project && id == name {
			return g, nil
		}
		if g.ProjectID == project && g.Name == name {
			found = append(found, g)
		}
	}
	switch len(found) {
	case 0:
		return nil, rest.Errorf(http.StatusNotFound, "Security group %s not found for project %s.", name, project)
	case 1:
		return found[0], nil
	}
	return nil, rest.Errorf(http.StatusConflict, "Multiple security groups found matching '%s'. Use an ID to be more specific.", name)
}

func (s *Service) plug(project, server string, wish Wish, groups []string) (*port, error) {
	if wish.PortID != "" {
		return s.plugPort(project, server, wish.PortID)
	}
	n, err := s.networks().find(project, wish.NetworkID)
	if err != nil {
		return nil, rest.Errorf(http.StatusBadRequest, "Network %s could not be found.", wish.NetworkID)
	}
	if len(s.subnetsOf(n.ID)) == 0 {
		return nil, rest.Errorf(http.StatusBadRequest, "Network %s requires a subnet in order to boot instances on.", n.ID)
	}
	if err := s.quota(project, "port"); err != nil {
		return nil, rest.Errorf(http.StatusForbidden, "Maximum number of ports exceeded")
	}
	p := s.newPort(project, n.ID, server, "compute:nova")
	p.SecurityGroups, p.PortSecurityEnabled, p.ByCompute = groups, true, true
	for _, a := range wish.Addresses {
		p.FixedIPs = append(p.FixedIPs, fixedIP{IPAddress: a})
	}
	if err := s.placeFixedIPs(n, p); err != nil {
		return nil, rest.Errorf(http.StatusBadRequest, "%s", err)
	}
	s.state.Ports[p.ID] = p
	return p, nil
}

func (s *Service) plugPort(project, server, id string) (*port, error) {
	p, err := s.ports().find(project, id)
	if err != nil {
		return nil, rest.Errorf(http.StatusBadRequest, "Port id %s could not be found.", id)
	}
	if p.DeviceID != "" {
		return nil, rest.Errorf(http.StatusConflict, "Port %s is still in use.", id)
	}
	if len(p.FixedIPs) == 0 {
		return nil, rest.Errorf(http.StatusBadRequest, "Port %s requires a FixedIP in order to be used.", id)
	}
	p.DeviceID, p.DeviceOwner, p.Status = server, "compute:nova", "ACTIVE"
	s.touch(&p.header)
	return p, nil
}

func (s *Service) serverPorts(server string) []*port {
	return s.portsWhere(func(p *port) bool { return p.DeviceID == server })
}

// Interfaces gives a server's interfaces in the order in which it got them.
func (s *Service) Interfaces(server string) []Interface {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Interface
	for _, p := range s.serverPorts(server) {
		out = append(out, s.face(p))
	}
	return out
}

func (s *Service) face(p *port) Interface {
	i := Interface{PortID: p.ID, NetworkID: p.NetworkID, MAC: p.MAC, Status: p.Status}
	if n := s.state.Networks[p.NetworkID]; n != nil {
		i.NetworkName = n.Name
	}
	for _, ip := range p.FixedIPs {
		i.Addresses = append(i.Addresses, Address{Addr: ip.IPAddress, Version: versionOf(ip.IPAddress), SubnetID: ip.SubnetID})
	}
	for _, f := range s.state.FloatingIPs {
		if f.PortID != nil && *f.PortID == p.ID {
			i.Addresses = append(i.Addresses, Address{Addr: f.Address, Version: 4, SubnetID: f.SubnetID, Floating: true})
		}
	}
	for _, id := range p.SecurityGroups {
		if g := s.state.Groups[id]; g != nil {
			i.Groups = append(i.Groups, g.Name)
		}
	}
	return i
}

func versionOf(addr string) int {
	if a, err := netip.ParseAddr(addr); err == nil {
		return version(a)
	}
	return 4
}

// Unplug takes one interface from a server: a port that compute made goes, one that the user made is free again. It says
// whether there was such an interface.
func (s *Service) Unplug(server, portID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.state.Ports[portID]
	if p == nil || p.DeviceID != server {
		return false
	}
	s.unplug(p)
	return true
}

// UnplugAll takes all interfaces from a server that goes away.
func (s *Service) UnplugAll(server string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.serverPorts(server) {
		s.unplug(p)
	}
}

func (s *Service) unplug(p *port) {
	if p.ByCompute {
		s.releaseFloating(p.ID)
		delete(s.state.Ports, p.ID)
		return
	}
	p.DeviceID, p.DeviceOwner, p.Status = "", "", "DOWN"
	s.touch(&p.header)
}

// Group is a security group as compute shows it.
type Group struct{ ID, Name, Description string }

// Groups gives the security groups of a server's interfaces, each once.
func (s *Service) Groups(server string) []Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Group
	for _, p := range s.serverPorts(server) {
		for _, id := range p.SecurityGroups {
			g := s.state.Groups[id]
			if g != nil && !slices.ContainsFunc(out, func(o Group) bool { return o.ID == id }) {
				out = append(out, Group{g.ID, g.Name, g.Description})
			}
		}
	}
	return out
}

// ProjectGroups gives a project's security groups, by name.
func (s *Service) ProjectGroups(project string) []Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Group
	for _, g := range s.state.Groups {
		if g.ProjectID == project {
			out = append(out, Group{g.ID, g.Name, g.Description})
		}
	}
	slices.SortFunc(out, func(a, b Group) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out
}

// AddGroup puts a security group, by name or id, on all of a server's interfaces.
func (s *Service) AddGroup(project, server, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupNamed(project, name)
	if err != nil {
		return err
	}
	ports := s.serverPorts(server)
	if len(ports) == 0 {
		return rest.Errorf(http.StatusBadRequest, "instance_id %s could not be found as device id on any ports", server)
	}
	for _, p := range ports {
		if !slices.Contains(p.SecurityGroups, g.ID) {
			p.SecurityGroups = append(slices.Clone(p.SecurityGroups), g.ID)
			s.touch(&p.header)
		}
	}
	return nil
}

// RemoveGroup takes a security group, by name or id, off all of a server's interfaces.
func (s *Service) RemoveGroup(project, server, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupNamed(project, name)
	if err != nil {
		return err
	}
	had := false
	for _, p := range s.serverPorts(server) {
		if at := slices.Index(p.SecurityGroups, g.ID); at >= 0 {
			p.SecurityGroups, had = slices.Delete(slices.Clone(p.SecurityGroups), at, at+1), true
			s.touch(&p.header)
		}
	}
	if !had {
		return rest.Errorf(http.StatusNotFound, "Security group %s not associated with the instance %s", name, server)
	}
	return nil
}

// Counts gives how many of a kind ("floatingip", "security_group", …) a project has and may have.
func (s *Service) Counts(project, kind string) (used, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used(project, kind), limits()[kind]
}

// SeedPort makes the interface of a seeded server, with addresses that need not lie in any subnet. It does nothing when the
// server has one.
func (s *Service) SeedPort(project, server, networkID string, addresses []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.serverPorts(server)) > 0 {
		return
	}
	p := s.newPort(project, networkID, server, "compute:nova")
	p.SecurityGroups, p.PortSecurityEnabled, p.ByCompute = []string{s.defaultGroup(project).ID}, true, true
	subnets := s.subnetsOf(networkID)
	for _, a := range addresses {
		ip := fixedIP{IPAddress: a}
		for _, sn := range subnets {
			if int(sn.IPVersion) == versionOf(a) {
				ip.SubnetID = sn.ID
			}
		}
		p.FixedIPs = append(p.FixedIPs, ip)
	}
	s.state.Ports[p.ID] = p
}
