package rbac

import (
	"encoding/json"
	"strings"
	"testing"
)

const own = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"

func table(t testing.TB) *Table {
	t.Helper()
	tab, err := NewTable()
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func target(t testing.TB, s Service, raw string) Target {
	t.Helper()
	tgt, reason := ParseTarget(s, raw)
	if reason != "" {
		t.Fatalf("%s %s: %s", s, raw, reason)
	}
	return tgt
}

// ask classifies "METHOD target" for the token's project; a body counts as read.
func ask(t testing.TB, tab *Table, s Service, call, body string, header ...string) Decision {
	t.Helper()
	method, raw, _ := strings.Cut(call, " ")
	h := map[string][]string{}
	for i := 0; i+1 < len(header); i += 2 {
		h[header[i]] = append(h[header[i]], header[i+1])
	}
	return tab.Classify(Request{Target: target(t, s, raw), Method: method, Header: h, Project: own, Body: []byte(body), HasBody: body != ""})
}

func TestEveryLineIsReachedByItsOwnCall(t *testing.T) {
	tab := table(t)
	prefix := map[Service]string{Compute: "/v2.1/" + own, Volume: "/v3/" + own, Image: "/v2", Network: "/v2.0", ObjectStore: "/v1/AUTH_" + own, AITraining: "/v1"}
	fill := strings.NewReplacer("{project}", own, "{member}", own, "{object...}", "a//b", "{", "x-", "}", "")
	for _, op := range tab.Operations() {
		query, header, body := callOf(op)
		raw := prefix[op.Service] + fill.Replace(op.Path) + query
		if op.Prefixes[0] == "" {
			raw = fill.Replace(op.Path) + query
		}
		switch op.Rule {
		case "swift:info", "swift:healthcheck", "swift:crossdomain", "swift:endpoints", "swift:recon", "ai:docs":
			continue // outside of the prefix
		}
		if op.Path == "/" || op.Path == "/versions" {
			continue // the same
		}
		d := ask(t, tab, op.Service, op.Method+" "+raw, body, header...)
		if d.Operation != op || d.Verdict != Judged {
			t.Errorf("%s %s %s: verdict %d, operation %+v, field %q", op.Method, raw, body, d.Verdict, d.Operation, d.Field)
		}
		for r := range numRoles {
			want := op.Access == Public || op.Access == AnyRole || op.Access == ByRole && op.Roles.Has(r)
			if got := d.Allows(RolesOf(r)) || d.Open(); got != want {
				t.Errorf("%s %s with %s: %v, want %v", op.Method, raw, r, got, want)
			}
		}
		if d.Allows(0) {
			t.Errorf("%s %s: allowed without any role", op.Method, raw)
		}
	}
}

// callOf gives what tells a call of op from others of its path.
func callOf(op *Operation) (query string, header []string, body string) {
	members := map[string]any{}
	if op.Action != "" {
		members[op.Action] = map[string]any{}
	}
	for _, c := range op.when {
		switch c.place {
		case inQuery:
			query += map[bool]string{true: "?", false: "&"}[query == ""] + c.name + "=" + c.value
		case inHeader:
			header = append(header, c.name, c.value)
		default:
			setMember(members, c.path, c.value)
		}
	}
	text, _ := json.Marshal(members)
	return query, header, string(text)
}

func setMember(members map[string]any, path []string, value string) {
	for ; len(path) > 1; path = path[1:] {
		inner, ok := members[path[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
			members[path[0]] = inner
		}
		members = inner
	}
	members[path[0]] = value
}

func TestReadersOnlyRead(t *testing.T) {
	readers := RolesOf(ComputeRead, ImageRead, VolumeRead, NetworkRead, NetworkSecgroupRead, AITrainingRead)
	for _, op := range table(t).Operations() {
		if op.Access == ByRole && op.Method != "GET" && op.Roles.Intersects(readers) {
			t.Errorf("%s %s is open to a reader", op.Method, op.Path)
		}
	}
}

func TestCalls(t *testing.T) {
	tab := table(t)
	const P = own
	cases := []struct {
		name    string
		service Service
		call    string
		body    string
		verdict Verdict
		field   string
		roles   Roles // Judged: exactly these may
	}{
		{"the list of servers", Compute, "GET /v2.1/servers/detail?deleted=False", "", Judged, "", RolesOf(ComputeManage, ComputeSnapshotManage, ComputeRead)},
		{"the same with the project in the path", Compute, "GET /v2.1/" + P + "/servers/detail", "", Judged, "", RolesOf(ComputeManage, ComputeSnapshotManage, ComputeRead)},
		{"another project in the path", Compute, "GET /v2.1/1e1e/servers/detail", "", OtherProject, "the path", 0},
		{"a project that is only a zero", Compute, "GET /v2.1/0/servers/detail", "", OtherProject, "the path", 0},
		{"all tenants' servers", Compute, "GET /v2.1/servers?all_tenants=1", "", AdminOnly, "all_tenants", 0},
		{"all tenants' servers, escaped", Compute, "GET /v2.1/servers?%61ll_tenants=%31", "", AdminOnly, "all_tenants", 0},
		{"all tenants' servers, said first no then yes", Compute, "GET /v2.1/servers?all_tenants=0&all_tenants=1", "", AdminOnly, "all_tenants", 0},
		{"all tenants without a value", Compute, "GET /v2.1/servers?all_tenants", "", AdminOnly, "all_tenants", 0},
		{"all tenants, but no", Compute, "GET /v2.1/servers?all_tenants=False", "", Judged, "", RolesOf(ComputeManage, ComputeSnapshotManage, ComputeRead)},
		{"an action before its body", Compute, "POST /v2.1/servers/1/action", "", NeedsBody, "", 0},
		{"a snapshot of a server", Compute, "POST /v2.1/servers/1/action", `{"createImage":{"name":"x"}}`, Judged, "", RolesOf(ComputeManage, ComputeSnapshotManage)},
		{"the same with an escaped letter", Compute, "POST /v2.1/servers/1/action", `{"\u0063reateImage":{}}`, Judged, "", RolesOf(ComputeManage, ComputeSnapshotManage)},
		{"an action in other letters", Compute, "POST /v2.1/servers/1/action", `{"CreateImage":{}}`, Unknown, "CreateImage", 0},
		{"two actions", Compute, "POST /v2.1/servers/1/action", `{"createImage":{},"reboot":{}}`, Malformed, "", 0},
		{"one action twice", Compute, "POST /v2.1/servers/1/action", `{"createImage":{},"createImage":{}}`, Malformed, "", 0},
		{"a duplicate deep inside", Compute, "POST /v2.1/servers/1/action", `{"createImage":{"a":1,"a":2}}`, Malformed, "", 0},
		{"something behind the action", Compute, "POST /v2.1/servers/1/action", `{"createImage":{}} {"reboot":{}}`, Malformed, "", 0},
		{"no action", Compute, "POST /v2.1/servers/1/action", `{}`, Malformed, "", 0},
		{"a list instead of an action", Compute, "POST /v2.1/servers/1/action", `["reboot"]`, Malformed, "", 0},
		{"a nest of brackets", Compute, "POST /v2.1/servers/1/action", strings.Repeat("[", 1000) + strings.Repeat("]", 1000), Malformed, "", 0},
		{"an administrator's action", Compute, "POST /v2.1/servers/1/action", `{"evacuate":{}}`, Judged, "", 0},
		{"an unknown action", Compute, "POST /v2.1/servers/1/action", `{"explode":null}`, Unknown, "explode", 0},
		{"a server in a zone", Compute, "POST /v2.1/servers", `{"server":{"availability_zone":"nova"}}`, Judged, "", RolesOf(ComputeManage)},
		{"a server on a host by its zone", Compute, "POST /v2.1/servers", `{"server":{"availability_zone":"nova:h1"}}`, AdminOnly, "server.availability_zone", 0},
		{"a server on a host, null", Compute, "POST /v2.1/servers", `{"server":{"host":null}}`, AdminOnly, "server.host", 0},
		{"a server on a host, the member's name escaped", Compute, "POST /v2.1/os-volumes_boot", `{"server":{"h\u006fst":"h1"}}`, AdminOnly, "server.host", 0},
		{"unshelve on a host", Compute, "POST /v2.1/servers/1/action", `{"unshelve":{"host":"h"}}`, AdminOnly, "unshelve.host", 0},
		{"a swap of volumes", Compute, "PUT /v2.1/servers/1/os-volume_attachments/v1", `{"volumeAttachment":{"volumeId":"v2"}}`, AdminOnly, "volumeAttachment.volumeId", 0},
		{"an attachment's flag", Compute, "PUT /v2.1/servers/1/os-volume_attachments/v1", `{"volumeAttachment":{"volumeId":"v1","delete_on_termination":true}}`, Judged, "", RolesOf(ComputeManage)},
		{"Nova's way to images", Compute, "GET /v2.1/images", "", Judged, "", RolesOf(ImageManage, ImageRead)},
		{"Nova's way to security groups", Compute, "POST /v2.1/os-security-groups", "", Judged, "", RolesOf(NetworkSecgroupManage)},
		{"a format suffix on a collection", Compute, "GET /v2.1/servers/detail.json", "", Unknown, "", 0},
		{"a format suffix on a member", Volume, "GET /v3/" + P + "/volumes/1.json", "", Unknown, "", 0},
		{"a format suffix on a server's id", Compute, "GET /v2.1/servers/0e44cc9c-e052-415d-afbf-469b0d384170.json", "", Unknown, "", 0},
		{"a format suffix on an image's id", Image, "DELETE /v2/images/70a599e0-31e7-49b7-b260-868f441e862b.XML", "", Unknown, "", 0},
		{"a server that is called like an id, nearly", Compute, "GET /v2.1/servers/0e44cc9c-e052-415d-afbf-469b0d384170.example", "", Judged, "", RolesOf(ComputeManage, ComputeSnapshotManage, ComputeRead)},
		{"a format suffix on an action", Volume, "POST /v3/" + P + "/volumes/1/action.json", "", Unknown, "", 0},
		{"flavors", Compute, "GET /v2.1/flavors/detail?is_public=None", "", Judged, "", AllRoles},
		{"the quota of another project", Volume, "GET /v3/" + P + "/os-quota-sets/1e1e", "", OtherProject, "the path", 0},
		{"the quota of one's own", Volume, "GET /v3/" + P + "/os-quota-sets/" + P + "?usage=True", "", Judged, "", AllRoles},
		{"a forced deletion", Volume, "DELETE /v3/" + P + "/volumes/1?force=True", "", AdminOnly, "force", 0},
		{"a volume for nobody's project, as old clients say it", Volume, "POST /v3/" + P + "/volumes", `{"volume":{"size":1,"project_id":null}}`, Judged, "", RolesOf(VolumeManage)},
		{"a volume for another project", Volume, "POST /v3/" + P + "/volumes", `{"volume":{"size":1,"project_id":"1e1e"}}`, OtherProject, "volume.project_id", 0},
		{"a backup restored", Volume, "POST /v3/" + P + "/backups/1/restore", "", Judged, "", RolesOf(VolumeManage)},
		{"a backup made", Volume, "POST /v3/" + P + "/backups", "", Judged, "", RolesOf(VolumeManage, VolumeSnapshotManage)},
		{"a volume published as an image", Volume, "POST /v3/" + P + "/volumes/1/action", `{"os-volume_upload_image":{"visibility":"public"}}`, AdminOnly, "os-volume_upload_image.visibility", 0},
		{"a volume as an image for everybody who knows its id", Volume, "POST /v3/" + P + "/volumes/1/action", `{"os-volume_upload_image":{"visibility":"community"}}`, Judged, "", RolesOf(VolumeManage)},
		{"a snapshot in the other spelling", Volume, "POST /v3/cgsnapshots", `{}`, Judged, "", RolesOf(VolumeManage, VolumeSnapshotManage)},
		{"a volume set back to a snapshot", Volume, "POST /v3/" + P + "/volumes/1/action", `{"revert":{"snapshot_id":"s"}}`, Judged, "", RolesOf(VolumeManage)},
		{"an image's properties read by a POST", Volume, "POST /v3/" + P + "/volumes/1/action", `{"os-show_image_metadata":null}`, Judged, "", RolesOf(VolumeManage)},
		{"a default type, which is no id", Volume, "GET /v3/" + P + "/types/default", "", Judged, "", RolesOf(VolumeManage, VolumeRead)},
		{"qualities of service changed by a GET", Volume, "GET /v3/" + P + "/qos-specs/1/disassociate_all", "", Judged, "", 0},
		{"an image published", Image, "POST /v2/images", `{"visibility":"public"}`, AdminOnly, "visibility", 0},
		{"an image made", Image, "POST /v2/images", `{"visibility":"private"}`, Judged, "", RolesOf(ImageManage, ImageImport)},
		{"an image for everybody who knows its id", Image, "POST /v2/images", `{"visibility":"community"}`, Judged, "", RolesOf(ImageManage)},
		{"an image opened to everybody who knows its id", Image, "PATCH /v2/images/1", `[{"op":"replace","path":"/visibility","value":"community"}]`, Judged, "", RolesOf(ImageManage)},
		{"an image for everybody and for somebody else", Image, "POST /v2/images", `{"visibility":"community","owner":"1e1e"}`, OtherProject, "owner", 0},
		{"where an image's data lies", Image, "GET /v2/images/1/locations", "", Judged, "", 0},
		{"an image for somebody else", Image, "POST /v2/images", `{"owner":"1e1e"}`, OtherProject, "owner", 0},
		{"an image published later", Image, "PATCH /v2/images/1", `[{"op":"replace","path":"/visibility","value":"public"}]`, AdminOnly, "visibility", 0},
		{"an image published under a name with a space", Image, "PATCH /v2/images/1", `[{"op":"replace","path":"/ visibility","value":"public"}]`, AdminOnly, "visibility", 0},
		{"an image given away under a name with a separator", Image, "PATCH /v2/images/1", `[{"op":"replace","path":"/owner\u001f","value":"1e1e"}]`, AdminOnly, "owner", 0},
		{"an image shared with oneself", Image, "PUT /v2/images/1/members/" + P, `{"status":"accepted"}`, Judged, "", RolesOf(ImageManage)},
		{"an image accepted for another project", Image, "PUT /v2/images/1/members/1e1e", `{"status":"accepted"}`, OtherProject, "the path", 0},
		{"an image shared with another project no longer", Image, "DELETE /v2/images/1/members/1e1e", "", Judged, "", RolesOf(ImageManage)},
		{"an image published in the first patch format", Image, "PATCH /v2/images/1", `[{"replace":"/visibility","value":"public"}]`, AdminOnly, "visibility", 0},
		{"an image's data elsewhere, too", Image, "PATCH /v2/images/1", `[{"op":"add","path":"/locations/-","value":{"url":"http://x"}}]`, Judged, "", RolesOf(ImageManage)},
		{"an image's data no longer there", Image, "PATCH /v2/images/1", `[{"op":"remove","path":"/locations/0"}]`, AdminOnly, "locations", 0},
		{"an image's data only elsewhere", Image, "PATCH /v2/images/1", `[{"op":"replace","path":"/locations","value":[]}]`, AdminOnly, "locations", 0},
		{"another project's images", Image, "GET /v2/images?owner=1e1e", "", OtherProject, "owner", 0},
		{"an image renamed", Image, "PATCH /v2/images/1", `[{"op":"replace","path":"/name","value":"public"}]`, Judged, "", RolesOf(ImageManage)},
		{"a copy between stores", Image, "POST /v2/images/1/import", `{"method":{"name":"copy-image"}}`, AdminOnly, "method.name", 0},
		{"a shared network", Network, "POST /v2.0/networks", `{"network":{"shared":false}}`, AdminOnly, "network.shared", 0},
		{"the second of two networks on the wire", Network, "POST /v2.0/networks", `{"networks":[{"name":"a"},{"provider:network_type":"vlan"}]}`, AdminOnly, "networks.provider:*", 0},
		{"a network for another project", Network, "POST /v2.0/networks", `{"network":{"tenant_id":"1e1e"}}`, OtherProject, "tenant_id", 0},
		{"a network for no project", Network, "POST /v2.0/networks", `{"network":{"project_id":null}}`, OtherProject, "project_id", 0},
		{"the second of two networks for another project", Network, "POST /v2.0/networks", `{"networks":[{"project_id":"` + P + `"},{"project_id":"1e1e"}]}`, OtherProject, "project_id", 0},
		{"the second of two networks on the wire, wrapped", Network, "POST /v2.0/networks", `{"networks":[{"name":"a"},{"network":{"provider:network_type":"vlan"}}]}`, AdminOnly, "networks.network.provider:*", 0},
		{"a wrapped network for another project", Network, "POST /v2.0/networks", `{"networks":[{"network":{"project_id":"1e1e"}}]}`, OtherProject, "project_id", 0},
		{"a wrapped network for one's own", Network, "POST /v2.0/networks", `{"networks":[{"network":{"project_id":"` + P + `"}}]}`, Judged, "", RolesOf(NetworkManage)},
		{"a network shared with all, wrapped", Network, "POST /v2.0/rbac-policies", `{"rbac_policy":{"target_tenant":"` + P + `"},"rbac_policies":[{"rbac_policy":{"target_tenant":"*"}}]}`, AdminOnly, "rbac_policies.rbac_policy.target_tenant", 0},
		{"a firewall policy for everybody, wrapped", Network, "POST /v2.0/fwaas/firewall_policies", `{"firewall_policies":[{"firewall_policy":{"shared":true}}]}`, AdminOnly, "firewall_policies.firewall_policy.shared", 0},
		{"another project's association, deep in the stadium", Network, "POST /v2.0/bgpvpn/bgpvpns/1/network_associations", `{"network_association":{"tenant_id":"1e1e"}}`, OtherProject, "tenant_id", 0},
		{"a network for one's own project", Network, "POST /v2.0/networks", `{"network":{"project_id":"` + P + `"}}`, Judged, "", RolesOf(NetworkManage)},
		{"a port on a host", Network, "PUT /v2.0/ports/1", `{"port":{"binding:host_id":"h"}}`, AdminOnly, "port.binding:host_id", 0},
		{"a port's kind", Network, "POST /v2.0/ports", `{"port":{"binding:vnic_type":"normal"}}`, Judged, "", RolesOf(NetworkManage)},
		{"a gateway without translation", Network, "PUT /v2.0/routers/1", `{"router":{"external_gateway_info":{"enable_snat":false}}}`, AdminOnly, "router.external_gateway_info.enable_snat", 0},
		{"a second gateway without translation", Network, "PUT /v2.0/routers/1/add_external_gateways", `{"router":{"external_gateways":[{"network_id":"n"},{"enable_snat":false}]}}`, AdminOnly, "router.external_gateways.*.enable_snat", 0},
		{"a second gateway taken off by its address", Network, "PUT /v2.0/routers/1/remove_external_gateways", `{"router":{"external_gateways":[{"network_id":"n","external_fixed_ips":[]}]}}`, Judged, "", RolesOf(NetworkManage)},
		{"a port with a MAC address of one's own", Network, "POST /v2.0/ports", `{"port":{"mac_address":"fa:16:3e:00:00:01"}}`, Judged, "", RolesOf(NetworkManage)},
		{"a port's MAC address changed", Network, "PUT /v2.0/ports/1", `{"port":{"mac_address":"fa:16:3e:00:00:01"}}`, AdminOnly, "port.mac_address", 0},
		{"a firewall policy for everybody", Network, "POST /v2.0/fwaas/firewall_policies", `{"firewall_policy":{"shared":null}}`, AdminOnly, "firewall_policy.shared", 0},
		{"where a BGPVPN's routes go", Network, "PUT /v2.0/bgpvpn/bgpvpns/1", `{"bgpvpn":{"route_targets":[]}}`, AdminOnly, "bgpvpn.route_targets", 0},
		{"a policy's tags as the SDK has them", Network, "PUT /v2.0/policies/1/tags", "{}", Judged, "", 0},
		{"policies without their prefix", Network, "GET /v2.0/policies", "", Unknown, "", 0},
		{"the quota in detail as the SDK has it", Network, "GET /v2.0/quotas/" + P + "/details.json", "", Judged, "", AllRoles},
		{"the quota of another project in detail", Network, "GET /v2.0/quotas/1e1e/details.json", "", OtherProject, "the path", 0},
		{"security groups are not network_read's", Network, "GET /v2.0/security-groups?fields=id&fields=name", "", Judged, "", RolesOf(NetworkSecgroupManage, NetworkSecgroupRead)},
		{"the other spelling of a collection", Network, "GET /v2.0/security_groups", "", Unknown, "", 0},
		{"a foreign prefix", Network, "GET /v2.0/log/security-groups", "", Unknown, "", 0},
		{"a collection by pecan's word for it, where an id is due", Network, "POST /v2.0/local-ips/index/port_associations", `{"local_ip":{}}`, Unknown, "", 0},
		{"the same with what another release may not have", Network, "POST /v2.0/networks/index/tags", `{"network":{"shared":true}}`, Unknown, "", 0},
		{"a network that is called so", Network, "GET /v2.0/networks/index", "", Judged, "", RolesOf(NetworkManage, NetworkRead)},
		{"a tag that is called so", Network, "PUT /v2.0/networks/1/tags/index", "{}", Judged, "", RolesOf(NetworkManage)},
		{"agents", Network, "GET /v2.0/agents", "", Judged, "", 0},
		{"a topology made by reading", Network, "GET /v2.0/auto-allocated-topology/" + P, "", Judged, "", RolesOf(NetworkManage)},
		{"a security group shared", Network, "POST /v2.0/rbac-policies", `{"rbac_policies":[{"object_type":"security_group"}]}`, AdminOnly, "rbac_policies.object_type", 0},
		{"a network shared with all", Network, "POST /v2.0/rbac-policies", `{"rbac_policy":{"target_tenant":"*"}}`, AdminOnly, "rbac_policy.target_tenant", 0},
		{"the same with a slash", ObjectStore, "GET /v1/AUTH_" + P + "/", "", Judged, "", RolesOf(ObjectstoreAll)},
		{"command by a GET", AITraining, "GET /v1/job/1/exec?command=sh", "", Judged, "", RolesOf(AITrainingAll)},
		{"a server with a format", Compute, "GET /v2.1/servers/0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0ff0.json", "", Unknown, "", 0},
		{"an image with a format", Image, "DELETE /v2/images/0F0F0F0F-0F0F-0F0F-0F0F-0F0F0F0F0FF0.XML", "", Unknown, "", 0},
		{"a job with a format", AITraining, "GET /v1/job/0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0ff0.json", "", Unknown, "", 0},
		{"a key pair whose name ends so", Compute, "GET /v2.1/os-keypairs/laptop.json", "", Judged, "", RolesOf(ComputeManage, ComputeRead)},
		{"an unknown path", Compute, "GET /v2.1/os-nothing", "", Unknown, "", 0},
		{"an unknown method", Compute, "TRACE /v2.1/servers", "", Unknown, "", 0},
		{"a method in other letters", Compute, "get /v2.1/servers", "", Unknown, "", 0},
		{"upper case", Compute, "GET /V2.1/servers", "", Unknown, "", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := ask(t, tab, c.service, c.call, c.body)
			if d.Verdict == Judged && c.verdict == Judged {
				if got := d.Operation.Needs(); got != c.roles {
					t.Errorf("%s needs %b, want %b", d.Operation.Rule, got, c.roles)
				}
				return
			}
			if d.Verdict != c.verdict || d.Field != c.field {
				t.Errorf("verdict %d, field %q, reason %q; want %d, %q", d.Verdict, d.Field, d.Reason, c.verdict, c.field)
			}
		})
	}
}

func TestAllTenantsIsTakenOutForCinder(t *testing.T) {
	d := ask(t, table(t), Volume, "GET /v3/"+own+"/volumes/detail?all_tenants=1&name=N", "")
	if !d.Dropped || d.Query != "name=N" || d.Verdict != Judged {
		t.Errorf("%+v", d)
	}
	d = ask(t, table(t), Volume, "GET /v3/"+own+"/volumes/detail?all_tenants=False&name=N", "")
	if d.Dropped || d.Query != "all_tenants=False&name=N" || d.Verdict != Judged {
		t.Errorf("all tenants, but no: %+v", d)
	}
}

func TestNullIsNoImage(t *testing.T) {
	tab := table(t)
	for body, want := range map[string]string{
		`{"volume":{"size":1,"imageRef":null}}`: "volume:create", `{"volume":{"size":1,"image_id":null,"imageRef":null}}`: "volume:create",
		`{"volume":{"size":1,"imageRef":"i"}}`: "volume:create_from_image", `{"volume":{"size":1,"image_id":"i"}}`: "volume:create_from_image",
	} {
		if d := ask(t, tab, Volume, "POST /v3/volumes", body); d.Operation == nil || d.Operation.Rule != want {
			t.Errorf("%s: %+v, want %s", body, d.Operation, want)
		}
	}
}

func TestLinesThatAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no roles":                  "GET /x rule",
		"an unknown role":           "GET /x rule compute_reed",
		"no rule":                   "GET /x !?a !?b",
		"an unreachable line":       "GET /x rule any\nGET /x [?a] rule any",
		"an action twice":           "POST /x [a] rule any\nPOST /x [a] rule any",
		"an unknown test":           "GET /x !?a!nobody rule any",
		"a test without value":      "GET /x !?a= rule any",
		"a patch of nothing":        "PATCH /x !patch():/a rule any",
		"a patch without a member":  "PATCH /x !patch(add):a rule any",
		"a condition on nothing":    "GET /x !? rule any",
		"a segment that has a name": "GET /x !/a!project rule any",
		"a project that is an id":   "GET /x/{id} rule any\nGET /x/{project} rule any",
		"an id that is a project":   "GET /x/{project} rule any\nGET /x/{id} rule any",
		"roles and nobody together": "GET /x rule compute_read nobody",
		"nobody and roles together": "GET /x rule nobody compute_read",
		"two actions":               "POST /x [a] [b] rule any",
		"an action without a body":  "GET /x [a] rule any",
		"a member without a body":   "DELETE /x [.a] rule any",
		"nothing that tells":        "POST /x [] rule any",
		"an action beside none":     "POST /x [a] rule any\nPOST /x rule any",
		"a method in small letters": "get /x rule any",
		"a path without a slash":    "GET x rule any",
		"a prefix without a slash":  "prefix v2.1",
		"an unknown service":        "service identity",
	} {
		tab := &Table{roots: map[Service]*node{}}
		if err := tab.add(File{"x.txt", "service compute\n" + text}, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
