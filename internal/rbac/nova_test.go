package rbac

import "testing"

// TestNova is what only a part of a call to Nova decides.
func TestNova(t *testing.T) {
	tab := table(t)
	compute, manage := RolesOf(ComputeManage, ComputeRead), RolesOf(ComputeManage)
	snapshots := RolesOf(ComputeManage, ComputeSnapshotManage)
	const action = "POST /v2.1/servers/1/action"
	for _, c := range []struct {
		name, call, body string
		verdict          Verdict
		field            string
		roles            Roles // Judged: exactly these may
	}{
		{"the limits", "GET /v2.1/limits?reserved=1", "", Judged, "", AllRoles},
		{"the limits of one's own project by name", "GET /v2.1/limits?tenant_id=" + own, "", AdminOnly, "tenant_id", 0},
		{"what another project used", "GET /v2.1/os-simple-tenant-usage/1e1e", "", OtherProject, "the path", 0},
		{"what one's own project used", "GET /v2.1/os-simple-tenant-usage/" + own + "?detailed=1", "", Judged, "", compute},
		{"another project's quota", "GET /v2.1/" + own + "/os-quota-sets/1e1e/detail", "", OtherProject, "the path", 0},
		{"one's own quota", "GET /v2.1/" + own + "/os-quota-sets/" + own + "/detail", "", Judged, "", AllRoles},
		{"zones with their hosts", "GET /v2.1/os-availability-zone/detail", "", Judged, "", 0},
		{"deleted servers", "GET /v2.1/servers/detail?status=DELETED", "", AdminOnly, "status", 0},
		{"servers by host", "GET /v2.1/servers?sort_key=name&sort_key=host", "", AdminOnly, "sort_key", 0},
		{"another project's servers", "GET /v2.1/servers?project_id=1e1e", "", OtherProject, "project_id", 0},
		{"a user's servers", "GET /v2.1/servers?user_id=u", "", Judged, "", RolesOf(ComputeManage, ComputeSnapshotManage, ComputeRead)},
		{"a server where a hypervisor is", "POST /v2.1/servers", `{"server":{"hypervisor_hostname":"h"}}`, AdminOnly, "server.hypervisor_hostname", 0},
		{"a server with hints", "POST /v2.1/servers", `{"server":{},"os:scheduler_hints":{"group":"g"}}`, Judged, "", manage},
		{"a server on a host by the old name", "POST /v2.1/os-volumes_boot", `{"server":{"availability_zone":":h"}}`, AdminOnly, "server.availability_zone", 0},
		{"an image of a server that everybody sees", action, `{"createImage":{"name":"n","metadata":{"visibility":"public"}}}`, AdminOnly, "createImage.metadata.visibility", 0},
		{"an image of a server for another project", action, `{"createImage":{"metadata":{"instance_owner":"1e1e"}}}`, OtherProject, "createImage.metadata.instance_owner", 0},
		{"an image of a server with other metadata", action, `{"createImage":{"metadata":{"visible":"public"}}}`, Judged, "", snapshots},
		{"an image by the old name", "POST /v2.1/os-volumes_boot/1/action", `{"createImage":{"name":"n"}}`, Judged, "", snapshots},
		{"a backup for another project", action, `{"createBackup":{"metadata":{"owner":"1e1e"}}}`, OtherProject, "createBackup.metadata.owner", 0},
		{"unshelve", action, `{"unshelve":null}`, Judged, "", manage},
		{"unshelve in a zone", action, `{"unshelve":{"availability_zone":null}}`, Judged, "", manage},
		{"what the old name does not have", "POST /v2.1/os-volumes_boot/1/action", `{"shelve":null}`, Unknown, "shelve", 0},
		{"a migration is a manager's", action, `{"migrate":{"host":"h"}}`, Judged, "", 0},
		{"a console that was removed", action, `{"os-getRDPConsole":{"type":"rdp-html5"}}`, Judged, "", 0},
		{"the output of a console", action, `{"os-getConsoleOutput":{}}`, Judged, "", manage},
		{"a password", "GET /v2.1/servers/1/os-server-password", "", Judged, "", manage},
		{"another user's key pairs", "GET /v2.1/os-keypairs?user_id=u", "", AdminOnly, "user_id", 0},
		{"another user's key pair", "DELETE /v2.1/os-keypairs/k?user_id=u", "", AdminOnly, "user_id", 0},
		{"a key pair for another user", "POST /v2.1/os-keypairs", `{"keypair":{"name":"k","user_id":"u"}}`, AdminOnly, "keypair.user_id", 0},
		{"a key pair that is called like a file", "GET /v2.1/os-keypairs/my.json", "", Judged, "", compute},
		{"all projects' server groups", "GET /v2.1/os-server-groups?all_projects=False", "", AdminOnly, "all_projects", 0},
		{"all projects' security groups", "GET /v2.1/os-security-groups?all_tenants=0", "", AdminOnly, "all_tenants", 0},
		{"a server for another project", "POST /v2.1/servers", `{"server":{"name":"n","tenant_id":"1e1e"}}`, OtherProject, "server.tenant_id", 0},
		{"another project's server by the old name", "POST /v2.1/os-volumes_boot", `{"server":{"project_id":"1e1e"}}`, OtherProject, "server.project_id", 0},
		{"a server that says whose it is", "POST /v2.1/servers", `{"server":{"name":"n","metadata":{"project_id":"1e1e"}}}`, Judged, "", manage},
		{"an image published by its metadata", "PUT /v2.1/images/1/metadata/visibility", `{"meta":{"visibility":"public"}}`, AdminOnly, "meta.visibility", 0},
		{"an image given away by its metadata", "POST /v2.1/images/1/metadata", `{"metadata":{"owner":"1e1e"}}`, OtherProject, "metadata.owner", 0},
		{"a snapshot by way of Nova", "POST /v2.1/os-snapshots", `{"snapshot":{"volume_id":"v"}}`, Judged, "", RolesOf(VolumeManage, VolumeSnapshotManage)},
		{"a host rebooted by reading", "GET /v2.1/os-hosts/h/reboot", "", Judged, "", 0},
		{"something removed", "GET /v2.1/os-cells/detail", "", Judged, "", 0},
		{"the other prefix", "GET /v2/servers", "", Unknown, "", 0},
		{"a slash at the end of a version", "GET /v2.1/", "", Judged, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := ask(t, tab, Compute, c.call, c.body)
			if d.Verdict != c.verdict || d.Field != c.field {
				t.Fatalf("%s, field %q, reason %q; want %s, %q", d.Verdict, d.Field, d.Reason, c.verdict, c.field)
			}
			if d.Verdict == Judged && d.Operation.Needs() != c.roles {
				t.Errorf("%s needs %b, want %b", d.Operation.Name(), d.Operation.Needs(), c.roles)
			}
		})
	}
}

func TestNovasVersionDocumentsArePublic(t *testing.T) {
	for _, call := range []string{"GET /", "HEAD /", "GET /v2.1", "GET /v2.1/", "GET /v2", "GET /v2/"} {
		if d := ask(t, table(t), Compute, call, ""); d.Verdict != Judged || !d.Open() {
			t.Errorf("%s: %s", call, d.Verdict)
		}
	}
	if d := ask(t, table(t), Compute, "GET /v2.1/versions/v2.1", ""); d.Open() || !d.Allows(RolesOf(ImageRead)) {
		t.Error("a version by its id wants a token and no more")
	}
}
