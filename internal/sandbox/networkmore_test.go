package sandbox_test

import (
	"fmt"
	"testing"
)

// privateNet makes a network with a subnet behind a router to Ext-Net, and gives the ids of network, subnet and router.
func (w *world) privateNet() (net, sub, router string) {
	w.t.Helper()
	_, _, external := w.ids()
	net = w.id("network", "networks", `{"network":{"name":"net"}}`)
	sub = w.id("subnet", "subnets", fmt.Sprintf(`{"subnet":{"network_id":%q,"ip_version":4,"cidr":"10.0.0.0/24"}}`, net))
	router = w.id("router", "routers", fmt.Sprintf(`{"router":{"external_gateway_info":{"network_id":%q}}}`, external))
	w.want(200, "network", "PUT", "/v2.0/routers/"+router+"/add_router_interface", fmt.Sprintf(`{"subnet_id":%q}`, sub))
	return net, sub, router
}

// refuses sends what must fail, and looks at Neutron's name for it.
func (w *world) refuses(cases [][4]string, statuses ...int) {
	w.t.Helper()
	for i, c := range cases {
		if a := w.do("network", c[0], "/v2.0/"+c[1], c[2]); a.status != statuses[i] || a.at("NeutronError.type") != c[3] {
			w.t.Errorf("%s %s %s: %d %s", c[0], c[1], c[2], a.status, a.text)
		}
	}
}

func TestATrunkHasPorts(t *testing.T) {
	w := newWorld(t)
	net, _, _ := w.privateNet()
	port := func() string { return w.id("port", "ports", fmt.Sprintf(`{"port":{"network_id":%q}}`, net)) }
	parent, a, b := port(), port(), port()
	trunk := w.id("trunk", "trunks", fmt.Sprintf(`{"trunk":{"port_id":%q,"sub_ports":[{"port_id":%q,"segmentation_id":5,"segmentation_type":"vlan"}]}}`, parent, a))
	sub := func(port string, tag int) string {
		return fmt.Sprintf(`{"sub_ports":[{"port_id":%q,"segmentation_id":%d,"segmentation_type":"vlan"}]}`, port, tag)
	}
	w.refuses([][4]string{
		{"POST", "trunks", fmt.Sprintf(`{"trunk":{"port_id":%q}}`, parent), "TrunkPortInUse"},
		{"PUT", "trunks/" + trunk + "/add_subports", sub(b, 5), "DuplicateSubPort"},
		{"PUT", "trunks/" + trunk + "/add_subports", sub(parent, 6), "PortInUse"},
		{"PUT", "trunks/" + trunk + "/remove_subports", sub(b, 6), "SubPortNotFound"},
		{"DELETE", "ports/" + parent, "", "PortInUseAsTrunkParent"},
		{"DELETE", "ports/" + a, "", "PortInUseAsSubPort"},
		{"GET", "trunks/nope", "", "TrunkNotFound"},
	}, 409, 409, 409, 404, 409, 409, 404)
	if got := w.want(200, "network", "PUT", "/v2.0/trunks/"+trunk+"/add_subports", sub(b, 6)); got.at("sub_ports.1.port_id") != b {
		t.Error(got.text)
	}
	if got := w.want(200, "network", "GET", "/v2.0/ports/"+b, ""); got.at("port.device_owner") != "trunk:subport" || got.at("port.device_id") != trunk {
		t.Error(got.text)
	}
	w.want(200, "network", "PUT", "/v2.0/trunks/"+trunk+"/remove_subports", sub(a, 5))
	w.want(204, "network", "DELETE", "/v2.0/ports/"+a, "")
	if got := w.want(200, "network", "GET", "/v2.0/trunks/"+trunk+"/get_subports", ""); got.at("sub_ports.0.port_id") != b || got.at("sub_ports.1") != nil {
		t.Error(got.text)
	}
	w.want(204, "network", "DELETE", "/v2.0/trunks/"+trunk, "")
	w.want(204, "network", "DELETE", "/v2.0/ports/"+parent, "")
	if got := w.want(200, "network", "GET", "/v2.0/ports/"+b, ""); got.at("port.device_owner") != "" {
		t.Error(got.text)
	}
}

func TestAFloatingIPForwardsSinglePorts(t *testing.T) {
	w := newWorld(t)
	net, _, router := w.privateNet()
	_, _, external := w.ids()
	port := w.id("port", "ports", fmt.Sprintf(`{"port":{"network_id":%q}}`, net))
	fip := w.id("floatingip", "floatingips", fmt.Sprintf(`{"floatingip":{"floating_network_id":%q}}`, external))
	path := "floatingips/" + fip + "/port_forwardings"
	body := func(protocol string, from, to int) string {
		return fmt.Sprintf(`{"port_forwarding":{"protocol":%q,"external_port":%d,"internal_port":%d,"internal_port_id":%q,"internal_ip_address":"10.0.0.2"}}`, protocol, from, to, port)
	}
	id := w.id("port_forwarding", path, body("tcp", 2222, 22))
	w.id("port_forwarding", path, body("udp", 2222, 22))
	w.refuses([][4]string{
		{"POST", path, body("tcp", 2222, 23), "BadRequest"},
		{"POST", path, body("tcp", 0, 23), "InvalidInput"},
		{"POST", path, body("gre", 1, 23), "InvalidInput"},
		{"PUT", "floatingips/" + fip, fmt.Sprintf(`{"floatingip":{"port_id":%q}}`, port), "FipInUseByPortForwarding"},
		{"GET", path + "/nope", "", "PortForwardingNotFound"},
		{"GET", "floatingips/nope/port_forwardings", "", "FloatingIPNotFound"},
	}, 400, 400, 400, 409, 404, 404)
	if got := w.want(200, "network", "PUT", "/v2.0/"+path+"/"+id, `{"port_forwarding":{"internal_port":24}}`); got.at("port_forwarding.internal_port") != 24.0 || got.at("port_forwarding.external_port") != 2222.0 {
		t.Error(got.text)
	}
	got := w.want(200, "network", "GET", "/v2.0/floatingips/"+fip, "")
	if got.at("floatingip.status") != "ACTIVE" || got.at("floatingip.router_id") != router || got.at("floatingip.port_forwardings.1") == nil {
		t.Error(got.text)
	}
	w.want(204, "network", "DELETE", "/v2.0/"+path+"/"+id, "")
	w.want(204, "network", "DELETE", "/v2.0/ports/"+port, "") // and the other forwarding with it
	got = w.want(200, "network", "GET", "/v2.0/floatingips/"+fip, "")
	if got.at("floatingip.status") != "DOWN" || got.at("floatingip.router_id") != nil || got.at("floatingip.port_forwardings.0") != nil {
		t.Error(got.text)
	}
	w.want(204, "network", "DELETE", "/v2.0/floatingips/"+fip, "")
}

func TestSubnetsAreCutFromAPool(t *testing.T) {
	w := newWorld(t)
	scope := w.id("address_scope", "address-scopes", `{"address_scope":{"name":"s","ip_version":4}}`)
	made := w.want(201, "network", "POST", "/v2.0/subnetpools", fmt.Sprintf(`{"subnetpool":{"name":"p","address_scope_id":%q,"default_prefixlen":"26",
		"prefixes":["10.8.128.0/17","10.8.0.0/17","10.7.0.0/30","10.8.3.0/24"]}}`, scope))
	pool := made.at("subnetpool.id").(string)
	if made.at("subnetpool.prefixes.0") != "10.7.0.0/30" || made.at("subnetpool.prefixes.1") != "10.8.0.0/16" || made.at("subnetpool.prefixes.2") != nil || made.at("subnetpool.min_prefixlen") != 8.0 {
		t.Error(made.text)
	}
	cut := func(members string) string {
		net := w.id("network", "networks", `{"network":{}}`)
		return fmt.Sprintf(`{"subnet":{"network_id":%q,"subnetpool_id":%q%s}}`, net, pool, members)
	}
	for _, c := range [][2]string{
		{"", "10.8.0.0/26"}, {`,"ip_version":4`, "10.8.0.64/26"}, {`,"prefixlen":24`, "10.8.1.0/24"}, {`,"prefixlen":26`, "10.8.0.128/26"},
		{`,"cidr":"10.8.200.0/24","ip_version":4`, "10.8.200.0/24"}, {`,"prefixlen":31`, "10.7.0.0/31"}, {`,"prefixlen":17`, ""}, {`,"prefixlen":18`, "10.8.64.0/18"},
	} {
		a := w.do("network", "POST", "/v2.0/subnets", cut(c[0]))
		if c[1] == "" && a.at("NeutronError.type") != "SubnetAllocationError" || c[1] != "" && (a.at("subnet.cidr") != c[1] || a.at("subnet.subnetpool_id") != pool) {
			t.Errorf("%s: want %s: %d %s", c[0], c[1], a.status, a.text)
		}
	}
	w.refuses([][4]string{
		{"POST", "subnets", cut(`,"cidr":"10.8.200.0/25","ip_version":4`), "SubnetAllocationError"},
		{"POST", "subnets", cut(`,"cidr":"10.9.0.0/24","ip_version":4`), "SubnetAllocationError"},
		{"POST", "subnets", cut(`,"prefixlen":7`), "MinPrefixSubnetAllocationError"},
		{"POST", "subnetpools", `{"subnetpool":{"name":"p","prefixes":["10.0.0.0/8","fd00::/8"]}}`, "PrefixVersionMismatch"},
		{"POST", "subnetpools", `{"subnetpool":{"name":"p","prefixes":[]}}`, "EmptySubnetPoolPrefixList"},
		{"POST", "subnetpools", `{"subnetpool":{"name":"p","prefixes":["10.0.0.0/8"],"shared":true}}`, "PolicyNotAuthorized"},
		{"PUT", "subnetpools/" + pool, `{"subnetpool":{"prefixes":["10.8.0.0/16"]}}`, "IllegalSubnetPoolPrefixUpdate"},
		{"DELETE", "subnetpools/" + pool, "", "SubnetPoolDeleteError"},
		{"DELETE", "address-scopes/" + scope, "", "AddressScopeInUse"},
	}, 409, 409, 400, 400, 400, 403, 400, 400, 409)
	last := w.want(201, "network", "POST", "/v2.0/subnetpools", `{"subnetpool":{"name":"last","prefixes":["255.255.255.254/31"],"default_prefixlen":32}}`).at("subnetpool.id").(string)
	for _, status := range []int{201, 201, 409} { // to the last address there is
		net := w.id("network", "networks", `{"network":{}}`)
		w.want(status, "network", "POST", "/v2.0/subnets", fmt.Sprintf(`{"subnet":{"network_id":%q,"subnetpool_id":%q,"gateway_ip":null}}`, net, last))
	}
}

func TestAddressGroupsAreForRules(t *testing.T) {
	w := newWorld(t)
	id := w.id("address_group", "address-groups", `{"address_group":{"name":"g","addresses":["10.0.0.7","10.1.0.1/16"]}}`)
	got := w.want(200, "network", "PUT", "/v2.0/address-groups/"+id+"/add_addresses", `{"address_group":{"addresses":["fd00::/64","10.0.0.7/32"]}}`)
	if got.at("address_group.addresses.0") != "10.0.0.7/32" || got.at("address_group.addresses.1") != "10.1.0.0/16" || got.at("address_group.addresses.2") != "fd00::/64" || got.at("address_group.addresses.3") != nil {
		t.Error(got.text)
	}
	group := w.id("security_group", "security-groups", `{"security_group":{"name":"g"}}`)
	rule := func(members string) string {
		return fmt.Sprintf(`{"security_group_rule":{"security_group_id":%q,"direction":"ingress",%s}}`, group, members)
	}
	ruleID := w.id("security_group_rule", "security-group-rules", rule(fmt.Sprintf(`"remote_address_group_id":%q`, id)))
	w.refuses([][4]string{
		{"PUT", "address-groups/" + id + "/remove_addresses", `{"address_group":{"addresses":["10.9.0.0/16"]}}`, "AddressesNotFound"},
		{"PUT", "address-groups/" + id + "/add_addresses", `{"address_group":{"addresses":["ten"]}}`, "InvalidInput"},
		{"DELETE", "address-groups/" + id, "", "AddressGroupInUse"},
		{"POST", "security-group-rules", rule(`"remote_address_group_id":"nope"`), "AddressGroupNotFound"},
		{"POST", "security-group-rules", rule(fmt.Sprintf(`"remote_address_group_id":%q,"remote_group_id":%q`, id, group)), "SecurityGroupMultipleRemoteEntitiesSpecified"},
		{"POST", "security-group-rules", rule(fmt.Sprintf(`"remote_address_group_id":%q`, id)), "SecurityGroupRuleExists"},
	}, 404, 400, 409, 404, 400, 409)
	w.want(204, "network", "DELETE", "/v2.0/security-group-rules/"+ruleID, "")
	w.want(200, "network", "PUT", "/v2.0/address-groups/"+id+"/remove_addresses", `{"address_group":{"addresses":["10.0.0.7"]}}`)
	w.want(204, "network", "DELETE", "/v2.0/address-groups/"+id, "")
}

func TestAShareLetsAnotherProjectSeeANetwork(t *testing.T) {
	w := newWorld(t)
	const other = "1f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	net, sub, _ := w.privateNet()
	sees := func(want int) {
		t.Helper()
		for _, path := range []string{"/v2.0/networks/" + net, "/v2.0/subnets/" + sub} {
			if a := w.as(other, "GRA1", "network", "GET", path, "", ""); a.status != want {
				t.Errorf("%s: %d %s", path, a.status, a.text)
			}
		}
	}
	body := func(kind, id, target string) string {
		return fmt.Sprintf(`{"rbac_policy":{"object_type":%q,"object_id":%q,"action":"access_as_shared","target_tenant":%q}}`, kind, id, target)
	}
	sees(404)
	id := w.id("rbac_policy", "rbac-policies", body("network", net, other))
	sees(200)
	if a := w.as(other, "GRA1", "network", "DELETE", "/v2.0/networks/"+net, "", ""); a.status != 403 {
		t.Error(a.text)
	}
	w.refuses([][4]string{
		{"POST", "rbac-policies", body("network", net, other), "DuplicatePolicyError"},
		{"POST", "rbac-policies", body("network", net, "*"), "PolicyNotAuthorized"},
		{"POST", "rbac-policies", body("network", "nope", other), "NetworkNotFound"},
		{"POST", "rbac-policies", body("cat", net, other), "InvalidInput"},
	}, 409, 403, 404, 400)
	w.want(204, "network", "DELETE", "/v2.0/rbac-policies/"+id, "")
	sees(404)
}

func TestAServerGroupKeepsItsRule(t *testing.T) {
	w := newWorld(t)
	a := w.want(200, "compute", "POST", "/v2.1/os-server-groups", `{"server_group":{"name":"g","policy":"anti-affinity","rules":{"max_server_per_host":2}}}`)
	if a = w.want(200, "compute", "GET", "/v2.1/os-server-groups/"+a.at("server_group.id").(string), ""); a.at("server_group.rules.max_server_per_host") != 2.0 {
		t.Error(a.text)
	}
	w.want(400, "compute", "POST", "/v2.1/os-server-groups", `{"server_group":{"name":"g","policy":"affinity","rules":{"max_server_per_host":2}}}`)
}
