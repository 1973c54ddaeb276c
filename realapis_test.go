package stackgate

import (
	"strings"
	"testing"

	"github.com/stackgate/stackgate/internal/realcloud"
)

// A rack is a front before the real APIs of Nova, Cinder and Neutron, and a real Glance for their images.
type rack struct {
	*front
	nova, cinder *realcloud.API
}

func startRack(t testing.TB) *rack {
	t.Helper()
	realcloud.Need(t, append([]string{"openstack", "apache2", "curl"}, realcloud.GlancePrograms...)...)
	nova := backend{"nova", "compute", "/v2.1", realcloud.FreePort(t)}
	cinder := backend{"cinder", "volumev3", "/v3/%(project_id)s", realcloud.FreePort(t)}
	neutron := backend{"neutron", "network", "", realcloud.FreePort(t)}
	glance := backend{"glance", "image", "", realcloud.FreePort(t)}
	r := &rack{front: startKeystoneOf(t, nova, cinder, neutron, glance)}
	r.ok("admin-of-the-cloud", `set -e
		openstack role create chief
		openstack user create chief --password of-the-chief
		openstack role add chief --user chief --project guide
		openstack role add member --user chief --project guide`)
	start := func(s backend, more string) *realcloud.API {
		return realcloud.StartAPI(t, realcloud.APIConfig{Service: s.name, Port: s.port, Policy: chiefs, Middleware: r.middleware("keystone_authtoken", s.name, false) + more})
	}
	r.glance = realcloud.StartGlance(t, realcloud.GlanceConfig{Port: glance.port, Middleware: r.middleware("keystone_authtoken", "glance", false)})
	network := start(neutron, "")
	// There is no Placement; Neutron answers 404 to all that Nova would ask it for, and Nova lets servers go that have no place.
	r.nova = start(nova, "[neutron]\n"+r.login("nova")+"[placement]\n"+r.login("nova")+"endpoint_override = "+network.URL+"/v2.0\n")
	r.cinder = start(cinder, "")
	r.serve()
	return r
}

// chiefs is a policy by which a role that no list of names knows administers a service.
const chiefs = "context_is_admin: 'role:admin or role:chief'\nadmin_api: 'is_admin:True or role:chief'\n"

// TestRealAPIs puts the gateway before real Nova, Cinder and Neutron.
func TestRealAPIs(t *testing.T) {
	r := startRack(t)
	r.user("all", "computeOperator,volumeOperator,networkOperator,networkSecurityOperator,imageOperator")
	r.user("reader", "infrastructureSupervisor")
	t.Run("administrators", r.administrators)
	eachClient(t, r.clients)
	t.Run("reads", r.reads)
	t.Run("calls", r.calls)
	t.Run("pages", r.pages)
}

// administrators are found by each service alone, whatever their role is called.
func (r *rack) administrators(*testing.T) {
	r.refuses([]refused{
		{"chief", "{services: [volume, network]}", "compute in GRA1 lets it read"},
		{"chief", "{services: [compute, network]}", "volume in GRA1 lets it read"},
		{"chief", "{services: [compute, volume]}", "network in GRA1 lets it read"},
	})
}

func (r *rack) clients(t *testing.T, c client) {
	for _, part := range []struct{ name, user, script string }{
		{"network", "all", `
			openstack network create net >/dev/null
			openstack subnet create sub --network net --subnet-range 10.1.0.0/24 >/dev/null
			openstack router create r >/dev/null
			openstack router add subnet r sub
			openstack port create p --network net >/dev/null
			has 10.1.0. openstack port show p -f value -c fixed_ips
			openstack security group create web >/dev/null
			openstack security group rule create web --protocol tcp --dst-port 443 >/dev/null
			has 443 openstack security group rule list web -f value
			fails 'only the cloud administrator may set' openstack network create given --provider-network-type local`},
		{"volume", "all", `
			openstack volume create v --size 1 >/dev/null
			has v openstack volume list -f value -c Name
			openstack volume set v --property a=b
			has "'a': 'b'" openstack volume show v -f value -c properties`},
		{"compute", "all", `
			has small openstack flavor list -f value -c Name
			openstack keypair create k >key.pem
			head -c 1000 /dev/zero >disk
			openstack image create disk --disk-format raw --container-format bare --file disk >/dev/null
			net=$(openstack network show net -f value -c id)
			server=$(openstack server create s --flavor small --image disk --nic net-id=$net --key-name k -f value -c id)
			has $server openstack server list -f value -c ID
			is BUILD openstack server show $server -f value -c status
			openstack server group create g --policy affinity >/dev/null
			fails 403 openstack server migrate $server`},
		{"discovery", "all", `
			python -c "
import openstack
c = openstack.connect()
for s in (c.compute, c.block_storage, c.network, c.image):
    d = s.get_endpoint_data()
    assert d.url.startswith('` + r.url + `/'), d.url
    print(s.service_type, d.max_microversion)" >found
			has '(2, 93)' cat found
			has '(3, 70)' cat found`},
		{"supervisor", "reader", `
			has net openstack network list -f value -c Name
			has v openstack volume list -f value -c Name
			openstack server list >/dev/null
			fails 'needs role compute_manage' openstack keypair create other
			fails 'needs role volume_manage' openstack volume create other --size 1
			fails 'needs role network_manage' openstack network create other`},
		{"clean", "all", `
			openstack image delete disk; openstack keypair delete k; openstack server group delete g
			openstack security group delete web
			openstack port delete p
			openstack router remove subnet r sub
			openstack router delete r
			openstack network delete net`},
	} {
		t.Run(part.name, func(t *testing.T) {
			out, err := r.sh(part.user, "set -eu; openstack() { "+c.openstack+` "$@"; }; python() { `+c.python+` "$@"; }; `+waitFor+part.script)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
	r.cinder.Database(t, "cinder", "DELETE FROM volumes") // there is no process that would
}

// notThere says of paths of the table why the services of these tests answer as if a member could not have them.
var notThere = map[string]string{
	"/default-security-group-rules": "newer", "/security-groups-default-statefulness": "newer", "/taas/tap_mirrors": "newer",
	"/images/{image}/locations": "newer", "/images/{image}/tasks": "newer", "/servers/{id}/shares": "newer",
	"/routers/{id}/add_external": "newer", "/routers/{id}/update_external": "newer", "/routers/{id}/remove_external": "newer",
	"/vpn/": "no plugin", "/fwaas/": "no plugin", "/bgpvpn/": "no plugin", "/sfc/": "no plugin", "/taas/": "no plugin",
	"/metering/": "no plugin", "/local": "no plugin", "/ndp": "no plugin", "/routers/{id}/conntrack_helpers": "no plugin",
	"/types/default": "no default type", "/group_types/default": "no default type",
	"/extensions/{alias}": "does not say which extension it has not", "/versions/{id}": "does not say which version it has not",
	"/qos/policies/{id}/tags": "500 of a policy that is not there", "/qos/rule-types/{type}": "its code, not its rule, wants an administrator", "/flavors/{id}/service_profiles": "500, for nobody wrote the list",
}

func isNotThere(path string) bool {
	for p := range notThere {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}
