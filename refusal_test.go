package stackgate

import (
	"strings"
	"testing"
)

// TestTheClientShowsWhyItWasRefused lets an infrastructureSupervisor try what it may not do: the openstack command prints our sentence, and
// stackgate explain finds the request id that it prints beside it.
func TestTheClientShowsWhyItWasRefused(t *testing.T) {
	t.Parallel()
	eachClient(t, func(t *testing.T, c client) {
		t.Parallel()
		d := startDev(t, t.TempDir())
		d.automator("reader", "infrastructureSupervisor")
		needs := func(role, right string) string {
			return "needs role " + role + " on this project, which the right publicCloudProject:openstack:" + right + " grants; this account has infrastructureSupervisor."
		}
		for _, refused := range []struct{ command, says string }{
			{"keypair create k", "Policy doesn't allow os_compute_api:os-keypairs:create to be performed: " + needs("compute_manage", "computeOperator")},
			{"volume create v --size 1", " to be performed: " + needs("volume_manage", "volumeOperator")},
			{"network create n", "rule:create_network is disallowed by policy: " + needs("network_manage", "networkOperator")},
			{"security group create g", "rule:create_security_group is disallowed by policy: " + needs("network_secgroup_manage", "networkSecurityOperator")},
			{"image create --file openrc i", "You are not authorized to complete add_image action. Needs role image_import on this project, which the right "},
			{"container list", "Forbidden (HTTP 403) (Request-ID: tx"},
		} {
			out, err := d.sh("reader", c.openstack+" "+refused.command)
			if err == nil || !strings.Contains(out, refused.says) {
				t.Errorf("openstack %s: %v\n%s\nwant\n%s", refused.command, err, out, refused.says)
			}
			_, after, shown := strings.Cut(out, "(Request-ID: ")
			if id, _, ok := strings.Cut(after, ")"); shown && ok {
				if out := d.ok("admin.env", "stackgate explain "+id); !strings.Contains(out, "refused: missing role") || !strings.Contains(out, "stackgate policy create ") {
					t.Errorf("stackgate explain %s:\n%s", id, out)
				}
			}
		}
	})
}
