package stackgate

import "testing"

// TestClientsShowWhyTheyAreRefused wants both generations of the openstack command to print our sentence, whatever the shape that each
// service's errors have.
func TestClientsShowWhyTheyAreRefused(t *testing.T) {
	eachClient(t, func(t *testing.T, c client) {
		d := startDev(t, t.TempDir())
		d.automator("supervisor", "infrastructureSupervisor")
		out, err := d.sh("supervisor", "set -eu; openstack() { "+c.openstack+` "$@"; }; `+waitFor+`
			says() { role=$1; right=$2; shift 2; fails "needs role $role on this project, which the right publicCloudProject:openstack:$right grants; this account has infrastructureSupervisor." "$@"; }
			says compute_manage computeOperator openstack server delete name_vm
			says volume_manage volumeOperator openstack volume create v --size 1
			says network_manage networkOperator openstack network create n
			says network_secgroup_manage networkSecurityOperator openstack security group create g
			fails "Forbidden (HTTP 403) (Request-ID: tx" openstack container list
			fails "administrator" openstack hypervisor list
			printf x >x.img
			fails "eeds role image_import on this project, which the right publicCloudProject:openstack:imageOperator grants" openstack image create i --file x.img
		`)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}
