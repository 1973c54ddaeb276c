package gateway

import (
	"strings"
	"testing"
)

// Nova does other services' work under its own paths: by their roles, never by its own.
func TestOdd3_2_NovasProxies(t *testing.T) {
	w := everyRole(t)
	for _, path := range []string{"/images", "/images/detail", "/images/1", "/images/1/metadata", "/os-volumes", "/os-snapshots", "/os-networks",
		"/os-tenant-networks", "/os-floating-ips", "/os-floating-ip-pools", "/os-security-groups"} {
		w.oddly(t, "compute_manage",
			odd{"GET /compute/v2.1" + path, forbidden, ""},
			odd{"GET /compute/v2.1" + path + "\nX-OpenStack-Nova-API-Version: 2.1", forbidden, ""})
	}
	w.oddly(t, "compute_manage",
		odd{"DELETE /compute/v2.1/images/1", forbidden, ""},
		odd{"POST /compute/v2.1/os-volumes", forbidden, `{"volume":{"size":1}}`},
		odd{"POST /compute/v2.1/os-security-group-rules", forbidden, `{"security_group_rule":{}}`})
	w.oddly(t, "image_read", odd{"GET /compute/v2.1/images", ok, ""}, odd{"DELETE /compute/v2.1/images/1", forbidden, ""})
	w.oddly(t, "volume_read", odd{"GET /compute/v2.1/os-volumes", ok, ""})
	w.oddly(t, "network_manage", odd{"GET /compute/v2.1/os-networks", ok, ""}, odd{"POST /compute/v2.1/os-security-groups", forbidden, `{"security_group":{}}`})
	w.oddly(t, "network_secgroup_manage", odd{"POST /compute/v2.1/os-security-groups", ok, `{"security_group":{}}`})
}

// os-volumes_boot is the servers API under another name: the same roles, the same fields.
func TestOdd3_2_ServersUnderAnotherName(t *testing.T) {
	w := everyRole(t)
	boot := " /compute/v2.1/os-volumes_boot"
	w.oddly(t, "compute_read",
		odd{"GET" + boot, ok, ""},
		odd{"POST" + boot, forbidden, `{"server":{}}`},
		odd{"DELETE" + boot + "/1", forbidden, ""},
		odd{"POST" + boot + "/1/action", forbidden, `{"reboot":{"type":"HARD"}}`})
	w.oddly(t, "compute_snapshot_manage",
		odd{"POST" + boot + "/1/action", ok, `{"createImage":{"name":"x"}}`},
		odd{"POST" + boot + "/1/action", forbidden, `{"rebuild":{}}`})
	w.oddly(t, "compute_manage",
		odd{"POST" + boot, forbidden, `{"server":{"host":"h"}}`},
		odd{"POST" + boot, forbidden, `{"server":{"availability_zone":"nova:h"}}`},
		odd{"POST" + boot + "/1/action", forbidden, `{"os-resetState":{"state":"active"}}`})
}

// A call that is a member's but for a field, or that only looks like one.
func TestOdd3_2_NovasAdministratorsFields(t *testing.T) {
	w := newWorld(t)
	servers, action := "POST /compute/v2.1/servers", "POST /compute/v2.1/servers/1/action"
	w.oddly(t, "all",
		odd{servers, ok, `{"server":{"name":"x","availability_zone":"nova"}}`},
		odd{servers, forbidden, `{"server":{"availability_zone":"nova:host"}}`},
		odd{servers, forbidden, `{"server":{"availability_zone":"nova\u003ahost:node"}}`},
		odd{servers, forbidden, `{"server":{"h\u006fst":"h"}}`},
		odd{servers, forbidden, `{"server":{"hypervisor_hostname":null}}`},
		odd{servers, bad, `{"server":{"name":"x"},"server":{"host":"h"}}`},
		odd{servers, bad, `{"server":{"host":"h","host":"h"}}`},
		odd{action, forbidden, `{"evacuate":{}}`},
		odd{action, forbidden, `{"injectNetworkInfo":null}`},
		odd{action, forbidden, `{"os-resetState":{"state":"error"}}`},
		odd{action, forbidden, `{"shelveOffload":null}`},
		odd{action, forbidden, `{"unshelve":{"host":"h"}}`},
		odd{action, ok, `{"unshelve":null}`},
		odd{action, ok, `{"forceDelete":null}`},
		odd{action, ok, `{"addFloatingIp":{"address":"203.0.113.7"}}`},
		odd{"GET /compute/v2.1/servers/1/diagnostics", forbidden, ""},
		odd{"PUT /compute/v2.1/servers/1/os-volume_attachments/v1", forbidden, `{"volumeAttachment":{"volumeId":"v2"}}`},
		odd{"PUT /compute/v2.1/servers/1/os-volume_attachments/v1", ok, `{"volumeAttachment":{"volumeId":"v1","delete_on_termination":true}}`},
		odd{"GET /compute/v2.1/limits?tenant_id=" + projectB, forbidden, ""},
		odd{"GET /compute/v2.1/os-keypairs?user_id=u2", forbidden, ""},
		odd{"POST /compute/v2.1/os-keypairs", forbidden, `{"keypair":{"name":"x","user_id":"u2"}}`})
}

// Cinder says several things twice, and deletes by POST.
func TestOdd3_3_CindersTwins(t *testing.T) {
	w := everyRole(t)
	v := " /volume/v3/" + projectA
	w.oddly(t, "volume_read",
		odd{"GET" + v + "/os-volume-transfer", ok, ""},
		odd{"GET" + v + "/volume-transfers", ok, ""},
		odd{"POST" + v + "/os-volume-transfer/1/accept", forbidden, `{"accept":{"auth_key":"k"}}`},
		odd{"POST" + v + "/volume-transfers/1/accept", forbidden, `{"accept":{"auth_key":"k"}}`},
		odd{"POST" + v + "/consistencygroups/1/delete", forbidden, `{"consistencygroup":{"force":false}}`},
		odd{"POST" + v + "/groups/1/action", forbidden, `{"delete":{"delete-volumes":true}}`},
		odd{"DELETE" + v + "/cgsnapshots/1", forbidden, ""},
		odd{"DELETE" + v + "/group_snapshots/1", forbidden, ""})
	w.oddly(t, "all",
		odd{"POST" + v + "/manageable_snapshots", forbidden, `{"snapshot":{}}`},
		odd{"POST" + v + "/os-snapshot-manage", forbidden, `{"snapshot":{}}`},
		odd{"POST" + v + "/manageable_volumes", forbidden, `{"volume":{}}`},
		odd{"POST" + v + "/os-volume-manage", forbidden, `{"volume":{}}`},
		odd{"POST" + v + "/types/1/action", forbidden, `{"addProjectAccess":{"project":"p"}}`},
		odd{"POST" + v + "/types/1/action", forbidden, `{"delete":null}`},
		odd{"GET" + v + "/types/default", ok, ""})
}

// Snapshots are a role's of its own; what overwrites a volume is not its business.
func TestOdd3_3_CindersRolesAndFields(t *testing.T) {
	w := everyRole(t)
	v := " /volume/v3/" + projectA
	w.oddly(t, "volume_snapshot_manage",
		odd{"POST" + v + "/snapshots", ok, `{"snapshot":{"volume_id":"1"}}`},
		odd{"POST" + v + "/backups", ok, `{"backup":{"volume_id":"1"}}`},
		odd{"POST" + v + "/backups/1/restore", forbidden, `{"restore":{"volume_id":"1"}}`},
		odd{"POST" + v + "/volumes/1/action", forbidden, `{"revert":{"snapshot_id":"1"}}`},
		odd{"POST" + v + "/snapshots/1/action", forbidden, `{"os-reset_status":{"status":"error"}}`})
	w.oddly(t, "volume_manage",
		odd{"POST" + v + "/backups/1/restore", ok, `{"restore":{"volume_id":"1"}}`},
		odd{"POST" + v + "/volumes/1/action", ok, `{"revert":{"snapshot_id":"1"}}`},
		odd{"POST" + v + "/volumes/1/action", ok, `{"os-attach":{"instance_uuid":"1","mountpoint":"/dev/vdb"}}`},
		odd{"POST" + v + "/volumes/1/action", forbidden, `{"os-force_delete":null}`},
		odd{"POST" + v + "/volumes/1/action", forbidden, `{"os-volume_upload_image":{"image_name":"x","visibility":"public"}}`},
		odd{"POST" + v + "/volumes/1/action", ok, `{"os-volume_upload_image":{"image_name":"x","visibility":"private"}}`},
		odd{"DELETE" + v + "/volumes/1?force=True", forbidden, ""},
		odd{"DELETE" + v + "/volumes/1?f%6frce=1", forbidden, ""},
		odd{"DELETE" + v + "/volumes/1?a=1;force=True", bad, ""},
		odd{"DELETE" + v + "/volumes/1", ok, ""})
}

// Importing is not changing; publishing, giving away and pointing elsewhere is the administrator's, in a creation as in a patch.
func TestOdd3_4_Glance(t *testing.T) {
	w := everyRole(t)
	image, create := " /image/v2/images/1", "POST /image/v2/images"
	w.oddly(t, "image_import",
		odd{create, ok, `{"name":"x"}`},
		odd{"PUT" + image + "/file\nContent-Type: application/octet-stream", ok, "data"},
		odd{"PUT" + image + "/stage", ok, "data"},
		odd{"POST" + image + "/import", ok, `{"method":{"name":"glance-direct"}}`},
		odd{"POST" + image + "/import", forbidden, `{"method":{"name":"copy-image"}}`},
		odd{"PATCH" + image, forbidden, `[{"op":"replace","path":"/name","value":"x"}]`},
		odd{"DELETE" + image, forbidden, ""},
		odd{create, forbidden, `{"visibility":"public"}`},
		odd{create, forbidden, `{"visibilit\u0079":"publi\u0063"}`},
		odd{create, forbidden, `{"owner":"` + projectB + `"}`})
	w.oddly(t, "image_manage",
		odd{"PATCH" + image, ok, `[{"op":"replace","path":"/visibility","value":"community"}]`},
		odd{"PATCH" + image, forbidden, `[{"op":"replace","path":"/visibility","value":"public"}]`},
		odd{"PATCH" + image, forbidden, `[{"op":"add","path":"/name","value":"x"},{"op":"replace","path":"/visibility","value":"public"}]`},
		odd{"PATCH" + image, forbidden, `[{"replace":"/visibility","value":"public"}]`},
		odd{"PATCH" + image, forbidden, `[{"op":"replace","path":"//visibility","value":"public"}]`},
		odd{"PATCH" + image, forbidden, `[{"op":"replace","path":"/owner","value":"` + projectB + `"}]`},
		odd{"PATCH" + image, forbidden, `[{"op":"remove","path":"/locations/0"}]`},
		odd{"PATCH" + image, bad, `[{"op":"replace","path":"/name","path":"/visibility","value":"public"}]`},
		odd{"DELETE /image/v2/stores/s/1", forbidden, ""},
		odd{"GET /image/v2/tasks", forbidden, ""},
		odd{"GET /image/v2/cache", forbidden, ""})
	w.oddly(t, "image_read", odd{"GET" + image + "/file", ok, ""}, odd{"PUT" + image + "/members/" + projectA, forbidden, `{"status":"accepted"}`})
}

// In Neutron the role often is in the body: of one resource, and of each in a list.
func TestOdd3_5_NeutronsFields(t *testing.T) {
	w := newWorld(t)
	for _, resource := range []struct{ name, members string }{
		{"network", `provider:network_type|router:external|shared|is_default|segments|tenant_id|project_id`},
		{"port", `binding:host_id|binding:profile|hints|trusted|data_plane_status|tenant_id|project_id`},
		{"router", `distributed|ha|tenant_id|project_id`},
		{"subnet", `segment_id|service_types|tenant_id|project_id`},
	} {
		w.members(t, resource.name, resource.members)
	}
	w.oddly(t, "all",
		odd{"POST /network/v2.0/networks", ok, `{"network":{"name":"x","tenant_id":"` + projectA + `","project_id":"` + projectA + `"}}`},
		odd{"POST /network/v2.0/networks", forbidden, `{"network":{"tenant_id":"` + projectA + `","project_id":"` + projectB + `"}}`},
		odd{"POST /network/v2.0/networks", bad, `{"network":{"tenant_id":"` + projectA + `","tenant_id":"` + projectB + `"}}`},
		odd{"PUT /network/v2.0/routers/1", forbidden, `{"router":{"external_gateway_info":{"network_id":"1","enable_snat":false}}}`},
		odd{"PUT /network/v2.0/routers/1/add_external_gateways", forbidden, `{"router":{"external_gateways":[{"network_id":"1"},{"network_id":"2","external_fixed_ips":[]}]}}`},
		odd{"POST /network/v2.0/rbac-policies", forbidden, `{"rbac_policy":{"object_type":"network","object_id":"1","action":"access_as_shared","target_tenant":"*"}}`},
		odd{"POST /network/v2.0/rbac-policies", forbidden, `{"rbac_policy":{"object_type":"network","object_id":"1","action":"access_as_shared","target_project":"\u002a"}}`})
}

// members wants each member refused: alone, as null, with its name escaped, and in the second element of a list.
func (w *world) members(t *testing.T, resource, members string) {
	t.Helper()
	post := "POST /network/v2.0/" + resource + "s"
	for member := range strings.SplitSeq(members, "|") {
		escaped := `\u00` + hexOf(member[0]) + member[1:]
		w.oddly(t, "all",
			odd{post, forbidden, `{"` + resource + `":{"name":"x","` + member + `":"` + projectB + `"}}`},
			odd{post, forbidden, `{"` + resource + `":{"` + member + `":null}}`},
			odd{post, forbidden, `{"` + resource + `":{"` + escaped + `":"1"}}`},
			odd{post, forbidden, `{"` + resource + `s":[{"name":"x"},{"` + member + `":"1"}]}`})
	}
}
