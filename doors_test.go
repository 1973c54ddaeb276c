package stackgate

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// doorFiles makes a service account in dev and, for each door, an openrc and a clouds.yaml by the commands that a user types. The last two
// openrcs are for somebody who has tokens of the role-adapter already.
const doorFiles = `
	id=$(stackgate -o json service-account create doors | sed -n 's/.*"clientId": "\(.*\)",/\1/p')
	stackgate policy create --service-account $id --right infrastructureSupervisor --project 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f >/dev/null
	for as in oidc password application-credential; do
		entry="--service-account $id --project 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f --as $as --new-secret"
		stackgate openrc $entry >$as.rc
		stackgate clouds-yaml $entry --cloud $as >$as.yaml
	done
	for kind in id_token access_token; do
		cp oidc.rc $kind.rc
		cat >>$kind.rc <<END
OS_ACCESS_TOKEN=\$(curl -fsS -u "\$OS_CLIENT_ID:\$OS_CLIENT_SECRET" -d grant_type=client_credentials "\${OS_DISCOVERY_ENDPOINT%/.well-known/*}/token" |
	sed 's/.*"$kind":"\([^"]*\)".*/\1/')
unset OS_CLIENT_ID OS_CLIENT_SECRET OS_DISCOVERY_ENDPOINT OS_ACCESS_TOKEN_TYPE
export OS_AUTH_TYPE=v3oidcaccesstoken OS_ACCESS_TOKEN
END
	done
	echo $id`

// eachCloud lists the servers of every cloud in clouds.yaml, or says why not.
const eachCloud = `import sys
import keystoneauth1.exceptions
import openstack

config = openstack.config.OpenStackConfig()
for name in sorted(config.get_cloud_names()):
    try:
        print(name, [server.name for server in openstack.connect(cloud=name).compute.servers()])
    except keystoneauth1.exceptions.HttpError as e:
        print(name, e.http_status)
`

// TestRealClientsAtEveryDoor logs in through every door with what the openrc and clouds-yaml commands print, and meets the same
// rights behind each; a service account that is disabled is out at all of them.
func TestRealClientsAtEveryDoor(t *testing.T) {
	t.Parallel()
	eachClient(t, func(t *testing.T, c client) {
		t.Parallel()
		d := startDev(t, t.TempDir())
		id := strings.TrimSpace(d.ok("admin.env", doorFiles))
		for _, rc := range []string{"oidc.rc", "password.rc", "application-credential.rc", "id_token.rc", "access_token.rc"} {
			if out, err := d.sh(rc, c.openstack+" server list -f value -c Name"); err != nil || out != "name_vm\n" {
				t.Errorf("%s: server list: %v\n%s", rc, err, out)
			}
		}
		for _, rc := range []string{"password.rc", "application-credential.rc"} {
			if out, err := d.sh(rc, c.openstack+" container list"); err == nil || !forbidden.MatchString(out) {
				t.Errorf("%s: container list: %v\n%s", rc, err, out)
			}
		}
		d.applicationCredentials(t, c, id)
		d.writeClouds(t, c)
		clouds := strings.Count(d.ok("none", "cat clouds.yaml"), "auth_type:")
		out := d.ok("none", c.python+" each-cloud.py")
		if clouds != 8 || strings.Count(out, " ['name_vm']\n") != clouds {
			t.Errorf("of %d clouds:\n%s", clouds, out)
		}
		d.ok("admin.env", "stackgate service-account disable "+id)
		if out := d.ok("none", c.python+" each-cloud.py"); strings.Count(out, " 401\n") != clouds {
			t.Errorf("disabled, of %d clouds:\n%s", clouds, out)
		}
	})
}

// applicationCredentials lists, shows and tries to make application credentials.
func (d *dev) applicationCredentials(t *testing.T, c client, id string) {
	t.Helper()
	own := id + "@0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	if out := d.ok("password.rc", c.openstack+" application credential list -f value -c ID"); out != own+"\n" {
		t.Errorf("application credentials: %q, want %s", out, own)
	}
	if out := d.ok("password.rc", c.openstack+" application credential show "+own+" -f json"); !strings.Contains(out, own) || !strings.Contains(out, "compute_read") {
		t.Error(out)
	}
	out, err := d.sh("password.rc", c.openstack+" application credential create mine")
	if err == nil || !strings.Contains(out, "stackgate service-account secret add "+id) {
		t.Errorf("making an application credential: %v\n%s", err, out)
	}
}

// writeClouds joins the clouds.yaml files, and adds entries as people write them.
func (d *dev) writeClouds(t *testing.T, c client) {
	t.Helper()
	password := strings.TrimPrefix(d.ok("none", "cat password.yaml"), "clouds:\n")
	names := strings.Fields(d.ok("password.rc", c.openstack+" token issue -f value -c user_id; "+c.openstack+" project list --my-projects -f value -c Name"))
	if len(names) != 2 {
		t.Fatal(names)
	}
	all := d.ok("none", "cat oidc.yaml; sed 1d application-credential.yaml; sed 1d password.yaml")
	for name, change := range map[string][2]string{
		"any-version":          {`v3password'((?s:.*))/v3'`, `password'$1'`},
		"user-by-id":           {`user_domain_name.*\n *username: .*`, `user_id: '` + names[0] + `'`},
		"project-by-name":      {`project_id: .*`, `project_domain_name: 'Default'` + "\n      " + `project_name: '` + names[1] + `'`},
		"project-domain-by-id": {`project_id: .*`, `project_domain_id: 'default'` + "\n      " + `project_name: '` + names[1] + `'`},
	} {
		changed := regexp.MustCompile(change[0]).ReplaceAllString(password, change[1])
		if changed == password {
			t.Fatalf("%s changes nothing in\n%s", name, password)
		}
		all += strings.Replace(changed, "  password:\n", "  "+name+":\n", 1)
	}
	oidc := strings.TrimPrefix(d.ok("none", "cat oidc.yaml"), "clouds:\n")
	oidc = strings.Replace(oidc, "  oidc:\n", "  access-token-by-default:\n", 1)
	all += strings.Replace(oidc, "      access_token_type: 'id_token'\n", "", 1)
	write(t, filepath.Join(d.dir, "clouds.yaml"), all)
	write(t, filepath.Join(d.dir, "each-cloud.py"), eachCloud)
}
