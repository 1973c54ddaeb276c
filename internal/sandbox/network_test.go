package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
)

// id makes an object of network's and gives its id.
func (w *world) id(one, path, body string) string {
	w.t.Helper()
	return w.want(201, "network", "POST", "/v2.0/"+path, body).at(one + ".id").(string)
}

func TestAPrivateNetworkReachesOutThroughARouter(t *testing.T) {
	w := newWorld(t)
	_, _, external := w.ids()
	net := w.id("network", "networks", `{"network":{"name":"net"}}`)
	sub := w.want(201, "network", "POST", "/v2.0/subnets", fmt.Sprintf(`{"subnet":{"network_id":%q,"ip_version":4,"cidr":"10.0.0.0/24"}}`, net))
	if sub.at("subnet.gateway_ip") != "10.0.0.1" || sub.at("subnet.allocation_pools.0.start") != "10.0.0.2" || sub.at("subnet.allocation_pools.0.end") != "10.0.0.254" {
		t.Error(sub.text)
	}
	subID := sub.at("subnet.id").(string)
	port := w.id("port", "ports", fmt.Sprintf(`{"port":{"network_id":%q}}`, net))
	floating := fmt.Sprintf(`{"floatingip":{"floating_network_id":%q,"port_id":%q}}`, external, port)
	if a := w.want(404, "network", "POST", "/v2.0/floatingips", floating); a.at("NeutronError.type") != "ExternalGatewayForFloatingIPNotFound" {
		t.Error(a.text)
	}
	router := w.id("router", "routers", fmt.Sprintf(`{"router":{"name":"r","external_gateway_info":{"network_id":%q}}}`, external))
	w.want(200, "network", "PUT", "/v2.0/routers/"+router+"/add_router_interface", fmt.Sprintf(`{"subnet_id":%q}`, subID))
	w.want(400, "network", "PUT", "/v2.0/routers/"+router+"/add_router_interface", fmt.Sprintf(`{"subnet_id":%q}`, subID))
	fip := w.want(201, "network", "POST", "/v2.0/floatingips", floating)
	if fip.at("floatingip.fixed_ip_address") != "10.0.0.2" || fip.at("floatingip.router_id") != router || fip.at("floatingip.status") != "ACTIVE" {
		t.Error(fip.text)
	}
	id := fip.at("floatingip.id").(string)
	for _, c := range [][4]string{
		{"DELETE", "/v2.0/routers/" + router, "", "RouterInUse"},
		{"DELETE", "/v2.0/networks/" + net, "", "NetworkInUse"},
		{"DELETE", "/v2.0/subnets/" + subID, "", "SubnetInUse"},
		{"PUT", "/v2.0/routers/" + router + "/remove_router_interface", fmt.Sprintf(`{"subnet_id":%q}`, subID), "RouterInterfaceInUseByFloatingIP"},
		{"PUT", "/v2.0/routers/" + router, `{"router":{"external_gateway_info":null}}`, "RouterExternalGatewayInUseByFloatingIp"},
		{"POST", "/v2.0/floatingips", floating, "FloatingIPPortAlreadyAssociated"},
	} {
		if a := w.want(409, "network", c[0], c[1], c[2]); a.at("NeutronError.type") != c[3] {
			t.Errorf("%s %s: %s", c[0], c[1], a.text)
		}
	}
	if a := w.want(200, "network", "PUT", "/v2.0/floatingips/"+id, `{"floatingip":{"port_id":null}}`); a.at("floatingip.status") != "DOWN" || a.at("floatingip.fixed_ip_address") != nil {
		t.Error(a.text)
	}
	w.want(204, "network", "DELETE", "/v2.0/floatingips/"+id, "")
	w.want(200, "network", "PUT", "/v2.0/routers/"+router+"/remove_router_interface", fmt.Sprintf(`{"subnet_id":%q}`, subID))
	w.want(204, "network", "DELETE", "/v2.0/routers/"+router, "")
	w.want(204, "network", "DELETE", "/v2.0/ports/"+port, "")
	w.want(204, "network", "DELETE", "/v2.0/networks/"+net, "")
	w.want(404, "network", "GET", "/v2.0/subnets/"+subID, "")
}

func TestNetworkErrorsHaveNeutronsTypes(t *testing.T) {
	w := newWorld(t)
	_, _, external := w.ids()
	net := w.id("network", "networks", `{"network":{"name":"net"}}`)
	sub := w.id("subnet", "subnets", fmt.Sprintf(`{"subnet":{"network_id":%q,"ip_version":4,"cidr":"10.0.0.0/30"}}`, net))
	port := w.id("port", "ports", fmt.Sprintf(`{"port":{"network_id":%q}}`, net))
	group := w.id("security_group", "security-groups", `{"security_group":{"name":"g"}}`)
	rule := fmt.Sprintf(`{"security_group_rule":{"security_group_id":%q,"direction":"ingress","protocol":"tcp","port_range_min":22,"port_range_max":"22"}}`, group)
	w.id("security_group_rule", "security-group-rules", rule)
	standard := w.want(200, "network", "GET", "/v2.0/security-groups?name=default", "").at("security_groups.0.id").(string)
	badRule := func(members string) string {
		return fmt.Sprintf(`{"security_group_rule":{"security_group_id":%q,%s}}`, group, members)
	}
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		kind                     string
	}{
		{"an unknown network", "GET", "networks/nope", "", 404, "NetworkNotFound"},
		{"an unknown port", "DELETE", "ports/nope", "", 404, "PortNotFound"},
		{"an unknown router", "GET", "routers/nope", "", 404, "RouterNotFound"},
		{"an unknown group", "GET", "security-groups/nope", "", 404, "SecurityGroupNotFound"},
		{"a network that the operator owns", "DELETE", "networks/" + external, "", 403, "PolicyNotAuthorized"},
		{"its name", "PUT", "networks/" + external, `{"network":{"name":"mine"}}`, 403, "PolicyNotAuthorized"},
		{"a shared network", "POST", "networks", `{"network":{"shared":true}}`, 403, "PolicyNotAuthorized"},
		{"a provider network", "POST", "networks", `{"network":{"provider:network_type":"vlan"}}`, 403, "PolicyNotAuthorized"},
		{"a network for another project", "POST", "networks", `{"network":{"tenant_id":"1111"}}`, 403, "PolicyNotAuthorized"},
		{"a subnet on the operator's network", "POST", "subnets", fmt.Sprintf(`{"subnet":{"network_id":%q,"ip_version":4,"cidr":"10.9.0.0/24"}}`, external), 403, "PolicyNotAuthorized"},
		{"an unknown member", "POST", "networks", `{"network":{"colour":"red"}}`, 400, "HTTPBadRequest"},
		{"a read-only member", "PUT", "networks/" + net, `{"network":{"status":"DOWN"}}`, 400, "HTTPBadRequest"},
		{"a name that is no text", "POST", "networks", `{"network":{"name":1}}`, 400, "HTTPBadRequest"},
		{"no object", "POST", "networks", `{}`, 400, "HTTPBadRequest"},
		{"no JSON", "POST", "networks", `x`, 400, "HTTPBadRequest"},
		{"a range that is none", "POST", "subnets", fmt.Sprintf(`{"subnet":{"network_id":%q,"ip_version":4,"cidr":"ten"}}`, net), 400, "InvalidInput"},
		{"a range that overlaps", "POST", "subnets", fmt.Sprintf(`{"subnet":{"network_id":%q,"ip_version":4,"cidr":"10.0.0.0/8"}}`, net), 400, "InvalidInput"},
		{"a gateway outside", "POST", "subnets", fmt.Sprintf(`{"subnet":{"network_id":%q,"ip_version":4,"cidr":"10.1.0.0/24","gateway_ip":"10.2.0.1"}}`, net), 400, "InvalidInput"},
		{"an address that is taken", "POST", "ports", fmt.Sprintf(`{"port":{"network_id":%q,"fixed_ips":[{"ip_address":"10.0.0.2"}]}}`, net), 409, "IpAddressAlreadyAllocated"},
		{"an address of another range", "POST", "ports", fmt.Sprintf(`{"port":{"network_id":%q,"fixed_ips":[{"ip_address":"10.7.0.2"}]}}`, net), 400, "InvalidIpForNetwork"},
		{"an address too many", "POST", "ports", fmt.Sprintf(`{"port":{"network_id":%q}}`, net), 409, "IpAddressGenerationFailure"},
		{"a port with an unknown group", "PUT", "ports/" + port, `{"port":{"security_groups":["nope"]}}`, 404, "SecurityGroupNotFound"},
		{"a network in use", "DELETE", "networks/" + net, "", 409, "NetworkInUse"},
		{"a subnet in use", "DELETE", "subnets/" + sub, "", 409, "SubnetInUse"},
		{"a second default group", "POST", "security-groups", `{"security_group":{"name":"default"}}`, 409, "SecurityGroupDefaultAlreadyExists"},
		{"deleting the default group", "DELETE", "security-groups/" + standard, "", 409, "SecurityGroupCannotRemoveDefault"},
		{"a rule twice", "POST", "security-group-rules", rule, 409, "SecurityGroupRuleExists"},
		{"a rule for ports of no protocol", "POST", "security-group-rules", badRule(`"direction":"ingress","port_range_min":1,"port_range_max":2`), 400, "SecurityGroupProtocolRequiredWithPorts"},
		{"a rule with ports the wrong way round", "POST", "security-group-rules", badRule(`"direction":"ingress","protocol":"udp","port_range_min":2,"port_range_max":1`), 400, "SecurityGroupInvalidPortRange"},
		{"a rule of no direction", "POST", "security-group-rules", badRule(`"direction":"up"`), 400, "InvalidInput"},
		{"a rule for an odd protocol", "POST", "security-group-rules", badRule(`"direction":"ingress","protocol":"carrier pigeon"`), 400, "SecurityGroupRuleInvalidProtocol"},
		{"a rule of IPv4 for an IPv6 range", "POST", "security-group-rules", badRule(`"direction":"ingress","remote_ip_prefix":"::/0"`), 400, "SecurityGroupRuleParameterConflict"},
		{"a router to a network inside", "POST", "routers", fmt.Sprintf(`{"router":{"external_gateway_info":{"network_id":%q}}}`, net), 400, "BadRequest"},
		{"a floating IP of a network inside", "POST", "floatingips", fmt.Sprintf(`{"floatingip":{"floating_network_id":%q}}`, net), 400, "BadRequest"},
		{"another project's quota", "GET", "quotas/1111", "", 403, "PolicyNotAuthorized"},
		{"an unknown path", "GET", "frobs", "", 404, "HTTPNotFound"},
	} {
		if a := w.do("network", c.method, "/v2.0/"+c.path, c.body); a.status != c.status || a.at("NeutronError.type") != c.kind || a.at("NeutronError.message") == "" {
			t.Errorf("%s: %d %s", c.name, a.status, a.text)
		}
	}
	if a := w.want(200, "network", "GET", "/v2.0/ports/"+port, ""); a.at("port.security_groups.0") != standard {
		t.Errorf("a refused update changed the port: %s", a.text)
	}
}

func TestNetworkQuota(t *testing.T) {
	w := newWorld(t)
	for i := range 9 { // and the default group
		w.id("security_group", "security-groups", fmt.Sprintf(`{"security_group":{"name":"g%d"}}`, i))
	}
	if a := w.want(409, "network", "POST", "/v2.0/security-groups", `{"security_group":{"name":"g10"}}`); a.at("NeutronError.type") != "OverQuota" {
		t.Error(a.text)
	}
	a := w.want(409, "network", "POST", "/v2.0/security-groups", `{"security_groups":[{"name":"a"},{"name":"b"}]}`)
	if a.at("NeutronError.message") != "Quota exceeded for resources: ['security_group']." {
		t.Error(a.text)
	}
	if a := w.want(200, "network", "GET", "/v2.0/quotas/"+project+"/details", ""); a.at("quota.security_group.used") != 10.0 {
		t.Error(a.text)
	}
}

func TestNetworkListsFilterSortAndPage(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"b", "c", "a"} {
		w.id("network", "networks", fmt.Sprintf(`{"network":{"name":%q}}`, name))
	}
	names := func(query string) (out string) {
		for query != "" {
			a := w.want(200, "network", "GET", "/v2.0/networks?"+query, "")
			for _, n := range a.at("networks").([]any) {
				out += n.(map[string]any)["name"].(string) + " "
			}
			link, _ := a.at("networks_links.0.href").(string)
			_, query, _ = strings.Cut(link, "?")
		}
		return strings.TrimSpace(out)
	}
	for query, want := range map[string]string{
		"name=a": "a", "name=a&name=b": "b a", "router:external=True": "Ext-Net", "router:external=False&sort_key=name": "a b c",
		"router:external=false&sort_key=name&sort_dir=desc": "c b a", "limit=1&router:external=False": "b c a", "shared=true": "Ext-Net", "name=nope": "",
	} {
		if got := names(query); got != want {
			t.Errorf("%s gives %q, want %q", query, got, want)
		}
	}
	a := w.want(200, "network", "GET", "/v2.0/networks?name=a&fields=id&fields=name", "")
	if n := a.at("networks.0").(map[string]any); len(n) != 2 || n["name"] != "a" {
		t.Error(a.text)
	}
}

func TestTagsOfANetwork(t *testing.T) {
	w := newWorld(t)
	path := "/v2.0/networks/" + w.id("network", "networks", `{"network":{"name":"n"}}`) + "/tags"
	w.want(200, "network", "PUT", path, `{"tags":["red","blue"]}`)
	w.want(201, "network", "PUT", path+"/green", "")
	w.want(204, "network", "DELETE", path+"/red", "")
	w.want(404, "network", "GET", path+"/red", "")
	if a := w.want(200, "network", "GET", "/v2.0/networks?tags=green,blue", ""); a.at("networks.0.name") != "n" {
		t.Error(a.text)
	}
}
