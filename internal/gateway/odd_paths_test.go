package gateway

import (
	"strings"
	"testing"
)

// One spelling of a path is the canonical one. The others reach no service, whether it would take them or not.
func TestOdd3_1_5_PathForms(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/compute/v2.1/servers/1", "/volume/v3/" + projectA + "/volumes/1", "/image/v2/images/1", "/network/v2.0/networks/1", "/ai-training/v1/job/1"} {
		service, rest, _ := strings.Cut(path[1:], "/")
		base, id := path[:len(path)-2], path[len(path)-2:]
		up, last := strings.LastIndexByte(base, '/'), len(base)-1
		w.oddly(t, "all",
			odd{"GET " + path, ok, ""},
			odd{"CONNECT " + path, bad, ""},
			odd{"GET " + path + "/", bad, ""},
			odd{"GET " + base + "/", bad, ""},
			odd{"GET /" + service + "//" + rest, bad, ""},
			odd{"GET " + base + "/" + id, bad, ""},
			odd{"GET " + path + "//", bad, ""},
			odd{"GET " + base + "/." + id, bad, ""},
			odd{"GET " + base + "/x/.." + id, bad, ""},
			odd{"GET " + path + "/..", bad, ""},
			odd{"GET " + path + "/.", bad, ""},
			odd{"GET " + base + "/%2e%2e" + id, bad, ""},
			odd{"GET " + base + "/%2E" + id, bad, ""},
			odd{"GET " + base + "%2F1", bad, ""},
			odd{"GET " + base + "%2f1", bad, ""},
			odd{"GET " + base + "%5C1", bad, ""},
			odd{"GET " + base + "\\1", bad, ""},
			odd{"GET " + path + ";x=1", bad, ""},
			odd{"GET " + base + ";/1", bad, ""},
			odd{"GET " + path + "%3Bx", bad, ""},
			odd{"GET " + path + "%23", bad, ""},
			odd{"GET " + path + "%3Fx", bad, ""},
			odd{"GET " + path + "%00", bad, ""},
			odd{"GET " + path + "%0d%0aX-Roles:admin", bad, ""},
			odd{"GET " + path + "%25", bad, ""},
			odd{"GET " + path + "%C0%AE", bad, ""},
			odd{"GET " + base[:last] + "%" + hexOf(base[last]) + id, bad, ""},
			odd{"GET " + base + ".json", forbidden, ""},
			odd{"GET " + base + ".xml", forbidden, ""},
			odd{"GET " + base + ".json" + id, forbidden, ""},
			odd{"GET " + base[:up+1] + strings.ToUpper(base[up+1:]) + id, forbidden, ""},
			odd{"GET " + base[:up+1] + strings.ToUpper(base[up+1:up+2]) + base[up+2:] + id, forbidden, ""},
			odd{"GET /" + service + "/" + strings.ToUpper(rest[:1]) + rest[1:], forbidden, ""},
			odd{"get " + path, forbidden, ""})
	}
	w.oddly(t, "all",
		odd{"GET /volume/v3/" + projectA + "/volumes/1.json", forbidden, ""},
		odd{"POST /volume/v3/" + projectA + "/volumes/1/action.json", forbidden, `{"os-extend":{"new_size":2}}`},
		odd{"GET /network/v2.0/networks/1.json", absent, ""},
		odd{"GET /network/v2.0/networks/1.JSON", absent, ""},
		odd{"GET /network/v2.0/networks/1.xml", absent, ""},
		odd{"GET /network/v2.0/security-groups/1.anything", absent, ""},
		odd{"GET /network/v2.0/floatingips/198.18.0.3", absent, ""},
		odd{"GET /network/v2.0/frobs/1.json", forbidden, ""},
		odd{"DELETE /network/v2.0/networks/1.json", forbidden, ""},
		odd{"PUT /network/v2.0/networks/1/tags/v1.2", forbidden, ""},
		odd{"GET /image/v2/images/1.json", ok, ""}, // here it is part of the id
		odd{"GET /compute/v2.1/servers/1.json", ok, ""})
}

func hexOf(c byte) string { return string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]) }

// Neutron's router takes a hyphen for an underscore, and every extension's collections below every extension's prefix.
func TestOdd3_1_5_NeutronsOtherNames(t *testing.T) {
	w := newWorld(t)
	for _, collection := range []string{"security_groups", "security_group_rules", "address_groups", "floating_ips", "port-forwardings", "rbac_policies",
		"log/security-groups", "log/security_groups", "policies", "qos/security-groups", "vpn/security-groups", "fwaas/networks", "sfc/policies",
		"logs", "vpnservices", "port_pairs", "metering/metering_labels", "metering_labels", "service_profiles"} {
		w.oddly(t, "all", odd{"GET /network/v2.0/" + collection, forbidden, ""}, odd{"GET /network/v2.0/" + collection + "/1", forbidden, ""})
	}
	w.oddly(t, "all", odd{"GET /network/v2.0/security-groups", ok, ""}, odd{"GET /network/v2.0/qos/policies", ok, ""})
}

// A version has one name in the path; one said by media type, or not at all, is none.
func TestOdd3_1_5_Versions(t *testing.T) {
	w := newWorld(t)
	w.oddly(t, "all",
		odd{"GET /image/images", forbidden, ""},
		odd{"GET /image/images\nAccept: application/vnd.openstack.images-v2", forbidden, ""},
		odd{"GET /image/v2.0/images", forbidden, ""},
		odd{"GET /image/v2.15/images", forbidden, ""},
		odd{"GET /image/v1/images", forbidden, ""},
		odd{"GET /image/v3/images", forbidden, ""},
		odd{"GET /compute/servers\nAccept: application/vnd.openstack.compute+json;version=2.1", forbidden, ""},
		odd{"GET /compute/v2.0/servers", forbidden, ""},
		odd{"GET /compute/v2.10/servers", forbidden, ""},
		odd{"GET /compute/v3/servers", forbidden, ""},
		odd{"GET /compute/v2.1/servers", ok, ""},
		odd{"GET /volume/v2/" + projectA + "/volumes", forbidden, ""},
		odd{"GET /volume/v3.0/" + projectA + "/volumes", forbidden, ""},
		odd{"GET /network/v2/networks", forbidden, ""},
		odd{"GET /network/v2.0.0/networks", forbidden, ""},
		odd{"GET /object-store/v1.0/AUTH_" + projectA, forbidden, ""},
		odd{"GET /object-store/v2/AUTH_" + projectA, forbidden, ""},
		odd{"GET /ai-training/job", forbidden, ""},
		odd{"GET /ai-training/v2/job", forbidden, ""})
}

// What asks for everybody's resources is refused, or taken out where services ignore it and clients always send it.
func TestOdd3_1_8_EverybodysResources(t *testing.T) {
	w := newWorld(t)
	w.oddly(t, "all",
		odd{"GET /compute/v2.1/servers?all_tenants=1", forbidden, ""},
		odd{"GET /compute/v2.1/servers?all_tenants", forbidden, ""},
		odd{"GET /compute/v2.1/servers?all%5Ftenants=1", forbidden, ""},
		odd{"GET /compute/v2.1/servers?all_tenants=0&all_tenants=1", forbidden, ""},
		odd{"GET /compute/v2.1/servers?name=x;all_tenants=1", bad, ""},
		odd{"GET /compute/v2.1/os-server-groups?all_projects=1", forbidden, ""},
		odd{"GET /network/v2.0/networks?tenant_id=" + projectB, forbidden, ""},
		odd{"GET /network/v2.0/networks?project_id=" + projectA + "&project_id=" + projectB, forbidden, ""})
	for _, query := range []string{"all_tenants=1&name=a", "name=a&all_tenants=True", "all%5Ftenants=1&name=a&all_tenants"} {
		resp, _ := w.ask(t, "GET", "/GRA1/volume/v3/"+projectA+"/volumes/detail?"+query, "X-Auth-Token: all")
		if line, _, _ := strings.Cut(w.last(), "\r\n"); resp.StatusCode != ok || line != "GET /v3/"+projectA+"/volumes/detail?name=a HTTP/1.1" {
			t.Errorf("%s: %d, the cloud got %q", query, resp.StatusCode, line)
		}
	}
}

// What OpenStack gives to managers is no role's here, whatever a role's name says.
func TestOdd3_1_10_TheManagersCalls(t *testing.T) {
	w := newWorld(t)
	action := "POST /compute/v2.1/servers/1/action"
	w.oddly(t, "all",
		odd{action, forbidden, `{"migrate":null}`},
		odd{action, forbidden, `{"os-migrateLive":{"block_migration":"auto","host":null}}`},
		odd{"GET /compute/v2.1/servers/1/migrations", forbidden, ""},
		odd{"DELETE /compute/v2.1/servers/1/migrations/2", forbidden, ""},
		odd{"POST /network/v2.0/qos/policies", forbidden, `{"policy":{"name":"x"}}`},
		odd{"PUT /network/v2.0/qos/policies/1", forbidden, `{"policy":{"name":"x"}}`},
		odd{"DELETE /network/v2.0/qos/policies/1", forbidden, ""},
		odd{"POST /network/v2.0/qos/policies/1/bandwidth_limit_rules", forbidden, `{"bandwidth_limit_rule":{"max_kbps":1}}`},
		odd{"POST /network/v2.0/log/logs", forbidden, `{"log":{"resource_type":"security_group"}}`},
		odd{"POST /network/v2.0/metering/metering-labels", forbidden, `{"metering_label":{"name":"x"}}`},
		odd{"GET /network/v2.0/quotas", forbidden, ""},
		odd{"PUT /network/v2.0/ports/1", forbidden, `{"port":{"mac_address":"fa:16:3e:00:00:01"}}`},
		odd{"POST /network/v2.0/floatingips", forbidden, `{"floatingip":{"floating_network_id":"1","floating_ip_address":"203.0.113.7"}}`})
}
