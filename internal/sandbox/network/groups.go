package network

import (
	"cmp"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stackgate/stackgate/internal/sandbox/rest"
)

type securityGroup struct {
	header
	Stateful bool `json:"stateful"`
	Shared   bool `json:"shared"`
	Default  bool `json:"x-default"`
}

type securityGroupRule struct {
	header
	NoName          string    `json:"name,omitempty"` // hides the header's: a rule has no name
	GroupID         string    `json:"security_group_id"`
	Direction       string    `json:"direction"`
	EtherType       string    `json:"ethertype"`
	Protocol        *protocol `json:"protocol"`
	PortMin         *rest.Int `json:"port_range_min"`
	PortMax         *rest.Int `json:"port_range_max"`
	RemoteIPPrefix  *string   `json:"remote_ip_prefix"`
	RemoteGroupID   *string   `json:"remote_group_id"`
	RemoteAddressID *string   `json:"remote_address_group_id"`
}

// A protocol is a name or a number, as which clients also send it.
type protocol string

// UnmarshalJSONFrom reads a string or a number.
func (p *protocol) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	*p = protocol(strings.ToLower(strings.Trim(string(v), `"`)))
	return err
}

// defaultGroup gives the project's group "default" and makes it on first sight, as Neutron does.
func (s *Service) defaultGroup(project string) *securityGroup {
	for _, g := range s.state.Groups {
		if g.Default && g.ProjectID == project {
			return g
		}
	}
	g := &securityGroup{header: s.newHeader(project), Stateful: true, Default: true}
	g.Name, g.Description = "default", "Default security group"
	s.state.Groups[g.ID] = g
	s.openEgress(g)
	for _, ether := range []string{"IPv4", "IPv6"} {
		rule := &securityGroupRule{header: s.newHeader(project), GroupID: g.ID, Direction: "ingress", EtherType: ether, RemoteGroupID: &g.ID}
		s.state.Rules[rule.ID] = rule
	}
	return g
}

// openEgress gives a new group the rules that let everything out.
func (s *Service) openEgress(g *securityGroup) {
	for _, ether := range []string{"IPv4", "IPv6"} {
		rule := &securityGroupRule{header: s.newHeader(g.ProjectID), GroupID: g.ID, Direction: "egress", EtherType: ether}
		s.state.Rules[rule.ID] = rule
	}
}

func (s *Service) groups() *collection[securityGroup, *securityGroup] {
	return &collection[securityGroup, *securityGroup]{
		s: s, one: "security_group", many: "security_groups", path: "security-groups", kind: "SecurityGroup", notFound: "Security group %s does not exist",
		items:    func() map[string]*securityGroup { return s.state.Groups },
		post:     []string{"name", "description", "stateful"},
		put:      []string{"name", "description", "stateful"},
		defaults: func() securityGroup { return securityGroup{Stateful: true} },
		create: func(project string, g *securityGroup) error {
			if g.Name == "default" {
				return rest.TypedErrorf(http.StatusConflict, "SecurityGroupDefaultAlreadyExists", "Default security group already exists.")
			}
			if err := s.quota(project, "security_group"); err != nil {
				return err
			}
			s.openEgress(g)
			return nil
		},
		update: func(_ string, old, changed *securityGroup) error {
			if old.Default && changed.Name != old.Name {
				return rest.TypedErrorf(http.StatusConflict, "SecurityGroupCannotUpdateDefault", "Updating default security group not allowed.")
			}
			return nil
		},
		remove: s.removeGroup,
		view: func(g *securityGroup, m map[string]any) {
			rules := []any{}
			for _, rule := range s.rulesOf(g.ID) {
				if v, err := s.rules().members(rule); err == nil {
					rules = append(rules, v)
				}
			}
			m["security_group_rules"] = rules
		},
	}
}

func (s *Service) rulesOf(groupID string) []*securityGroupRule {
	var out []*securityGroupRule
	for _, r := range s.state.Rules {
		if r.GroupID == groupID {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *securityGroupRule) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

func (s *Service) removeGroup(g *securityGroup) error {
	if g.Default {
		return rest.TypedErrorf(http.StatusConflict, "SecurityGroupCannotRemoveDefault", "Insufficient rights for removing default security group.")
	}
	if len(s.portsWhere(func(p *port) bool { return slices.Contains(p.SecurityGroups, g.ID) })) > 0 {
		return rest.TypedErrorf(http.StatusConflict, "SecurityGroupInUse", "Security Group %s in use.", g.ID)
	}
	for id, r := range s.state.Rules {
		if r.GroupID == g.ID || r.RemoteGroupID != nil && *r.RemoteGroupID == g.ID {
			delete(s.state.Rules, id)
		}
	}
	return nil
}

func (s *Service) rules() *collection[securityGroupRule, *securityGroupRule] {
	return &collection[securityGroupRule, *securityGroupRule]{
		s: s, one: "security_group_rule", many: "security_group_rules", path: "security-group-rules", kind: "SecurityGroupRule",
		notFound: "Security group rule %s does not exist",
		items:    func() map[string]*securityGroupRule { return s.state.Rules },
		post: []string{"description", "security_group_id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max",
			"remote_ip_prefix", "remote_group_id", "remote_address_group_id"},
		put:      []string{"description"},
		defaults: func() securityGroupRule { return securityGroupRule{EtherType: "IPv4"} },
		create:   s.createRule,
		update:   func(string, *securityGroupRule, *securityGroupRule) error { return nil },
		remove:   func(*securityGroupRule) error { return nil },
		view: func(r *securityGroupRule, m map[string]any) {
			g := s.state.Groups[r.GroupID]
			m["belongs_to_default_sg"] = g != nil && g.Default
			m["normalized_cidr"] = m["remote_ip_prefix"]
		},
	}
}

func (s *Service) createRule(project string, r *securityGroupRule) error {
	if _, err := s.groups().find(project, r.GroupID); err != nil {
		return err
	}
	if r.Direction != "ingress" && r.Direction != "egress" {
		return invalidInput("direction", r.Direction, "is not in ['ingress', 'egress']")
	}
	if err := checkRule(r); err != nil {
		return err
	}
	if r.RemoteGroupID != nil {
		if _, err := s.groups().find(project, *r.RemoteGroupID); err != nil {
			return err
		}
	}
	if r.RemoteAddressID != nil {
		if _, err := s.addressGroups().find(project, *r.RemoteAddressID); err != nil {
			return err
		}
	}
	for _, other := range s.rulesOf(r.GroupID) {
		if sameRule(other, r) {
			return rest.TypedErrorf(http.StatusConflict, "SecurityGroupRuleExists",
				"Security group rule already exists. Rule id is %s.", other.ID)
		}
	}
	return s.quota(project, "security_group_rule")
}

// checkRule judges what a rule says by itself and brings its prefix into canonical form.
func checkRule(r *securityGroupRule) error {
	switch strings.ToLower(r.EtherType) {
	case "ipv4":
		r.EtherType = "IPv4"
	case "ipv6":
		r.EtherType = "IPv6"
	default:
		return invalidInput("ethertype", r.EtherType, "is not in ['IPv4', 'IPv6']")
	}
	if remotes(r) > 1 {
		return rest.TypedErrorf(http.StatusBadRequest, "SecurityGroupMultipleRemoteEntitiesSpecified",
			"Only one of remote_ip_prefix, remote_group_id or remote_address_group_id may be specified.")
	}
	if r.Protocol != nil && (*r.Protocol == "any" || *r.Protocol == "") {
		r.Protocol = nil
	}
	if err := checkPrefix(r); err != nil {
		return err
	}
	return checkPorts(r)
}

// remotes counts the ways in which a rule says who is at the other end.
func remotes(r *securityGroupRule) (n int) {
	for _, v := range []*string{r.RemoteIPPrefix, r.RemoteGroupID, r.RemoteAddressID} {
		if v != nil {
			n++
		}
	}
	return n
}

func checkPrefix(r *securityGroupRule) error {
	if r.RemoteIPPrefix == nil {
		return nil
	}
	p, err := netip.ParsePrefix(*r.RemoteIPPrefix)
	if a, err2 := netip.ParseAddr(*r.RemoteIPPrefix); err2 == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil {
		return invalidInput("remote_ip_prefix", *r.RemoteIPPrefix, "is not a valid IP subnet")
	}
	if p.Addr().Is4() != (r.EtherType == "IPv4") {
		return rest.TypedErrorf(http.StatusBadRequest, "SecurityGroupRuleParameterConflict", "Conflicting value ethertype %s for CIDR %s", r.EtherType, p)
	}
	text := p.String()
	r.RemoteIPPrefix = &text
	return nil
}

func checkPorts(r *securityGroupRule) error {
	if r.Protocol != nil && !isProtocol(string(*r.Protocol)) {
		return rest.TypedErrorf(http.StatusBadRequest, "SecurityGroupRuleInvalidProtocol",
			"Security group rule protocol %s not supported. Only protocol values [None, 'ah', 'dccp', 'egp', 'esp', 'gre', 'icmp', 'icmpv6', 'igmp', "+
				"'ospf', 'pgm', 'rsvp', 'sctp', 'tcp', 'udp', 'udplite', 'vrrp'] and integer representations [0 to 255] are supported.", string(*r.Protocol))
	}
	if r.PortMin == nil && r.PortMax == nil {
		return nil
	}
	if r.Protocol == nil {
		return rest.TypedErrorf(http.StatusBadRequest, "SecurityGroupProtocolRequiredWithPorts", "Must also specify protocol if port range is given.")
	}
	icmp := strings.Contains(string(*r.Protocol), "icmp") || *r.Protocol == "1" || *r.Protocol == "58"
	most := rest.Int(65535)
	if icmp {
		most = 255
	}
	if icmp && r.PortMin == nil {
		return rest.TypedErrorf(http.StatusBadRequest, "SecurityGroupMissingIcmpType", "ICMP code (port-range-max) %d is provided but ICMP type (port-range-min) is missing.", *r.PortMax)
	}
	for name, v := range map[string]*rest.Int{"port_range_min": r.PortMin, "port_range_max": r.PortMax} {
		if v != nil && (*v < 0 || *v > most) {
			return invalidInput(name, strconv.Itoa(int(*v)), "is not a valid port number")
		}
	}
	if !icmp && (r.PortMin == nil || r.PortMax == nil || *r.PortMin > *r.PortMax) {
		return rest.TypedErrorf(http.StatusBadRequest, "SecurityGroupInvalidPortRange", "For TCP/UDP protocols, port_range_min must be <= port_range_max")
	}
	return nil
}

func isProtocol(p string) bool {
	if n, err := strconv.Atoi(p); err == nil {
		return n >= 0 && n <= 255
	}
	return slices.Contains([]string{"ah", "dccp", "egp", "esp", "gre", "icmp", "icmpv6", "ipv6-icmp", "igmp", "ipip", "ipv6-encap", "ipv6-frag", "ipv6-nonxt", "ipv6-opts",
		"ipv6-route", "ospf", "pgm", "rsvp", "sctp", "tcp", "udp", "udplite", "vrrp"}, p)
}

func sameRule(a, b *securityGroupRule) bool {
	return a.Direction == b.Direction && a.EtherType == b.EtherType && sameValue(a.Protocol, b.Protocol) && sameValue(a.PortMin, b.PortMin) &&
		sameValue(a.PortMax, b.PortMax) && sameValue(a.RemoteIPPrefix, b.RemoteIPPrefix) && sameValue(a.RemoteGroupID, b.RemoteGroupID) &&
		sameValue(a.RemoteAddressID, b.RemoteAddressID)
}

func sameValue[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}
