package stackgate

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// automator makes a service account with rights in dev, by the commands that a user types, and leaves its openrc in the file of that name.
func (d *dev) automator(name string, rights ...string) {
	d.t.Helper()
	d.ok("admin.env", `
		id=$(stackgate -o json service-account create `+name+` | sed -n 's/.*"clientId": "\(.*\)",/\1/p')
		stackgate policy create --service-account $id --right `+strings.Join(rights, ",")+` --project 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f --expires 8h >/dev/null
		stackgate openrc --service-account $id --project 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f --new-secret >`+name)
}

// TestCommands runs the openstack commands that the sandbox is for. Each has to work and to mean something: what one
// makes, another shows.
func TestCommands(t *testing.T) {
	t.Parallel()
	eachClient(t, func(t *testing.T, c client) {
		t.Parallel()
		d := startDev(t, t.TempDir())
		d.automator("all", "administrator", "aiTrainingOperator")
		upload := make([]byte, 100<<20)
		_, _ = rand.Read(upload[:4096])
		if err := os.WriteFile(filepath.Join(d.dir, "big.bin"), upload, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, part := range commands {
			t.Run(part.name, func(t *testing.T) {
				out, err := d.sh("all", "set -eu; openstack() { "+c.openstack+` "$@"; }; `+waitFor+part.script)
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			})
		}
		got, err := os.ReadFile(filepath.Join(d.dir, "down.bin"))
		if err != nil || !bytes.Equal(got, upload) {
			t.Errorf("the object that came down is another one: %d bytes, %v", len(got), err)
		}
	})
}

// waitFor repeats a command until it prints what is wanted, and has checks that say what failed.
const waitFor = `
is() { want=$1; shift; got=$("$@"); [ "$got" = "$want" ] || { echo "FAILED: $* printed '$got', not '$want'"; exit 1; }; }
has() { want=$1; shift; got=$("$@"); case $got in *"$want"*) ;; *) echo "FAILED: $* printed '$got', without '$want'"; exit 1;; esac; }
fails() { want=$1; shift; if got=$("$@" 2>&1); then echo "FAILED: $* worked"; exit 1; fi; case $got in *"$want"*) ;; *) echo "FAILED: $* said '$got', not '$want'"; exit 1;; esac; }
until_is() { want=$1; shift; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do got=$("$@" 2>&1) || true; [ "$got" = "$want" ] && return 0; sleep 0.5; done; echo "FAILED: $* still prints '$got', not '$want'"; exit 1; }
`

var commands = []struct{ name, script string }{
	{"network", `
		has Ext-Net openstack network list -f value -c Name
		openstack network create net1 >/dev/null
		openstack subnet create sub1 --network net1 --subnet-range 10.1.0.0/24 >/dev/null
		is 10.1.0.0/24 openstack subnet show sub1 -f value -c cidr
		openstack router create r1 >/dev/null
		openstack router set r1 --external-gateway Ext-Net
		openstack router add subnet r1 sub1
		openstack port create p1 --network net1 >/dev/null
		has 10.1.0. openstack port show p1 -f value -c fixed_ips
		ip=$(openstack floating ip create Ext-Net -f value -c floating_ip_address)
		openstack floating ip set "$ip" --port p1
		has 10.1.0. openstack floating ip show "$ip" -f value -c fixed_ip_address
		openstack floating ip delete "$ip"
		fails 409 openstack router delete r1
		openstack port delete p1
		openstack router remove subnet r1 sub1
		openstack router delete r1
		openstack network delete net1
		fails "No Network found" openstack network show net1
	`},
	{"security group", `
		openstack security group create web >/dev/null
		rule=$(openstack security group rule create web --protocol tcp --dst-port 443 --remote-ip 0.0.0.0/0 -f value -c id)
		has "$rule" openstack security group rule list web -f value -c ID
		fails 409 openstack security group rule create web --protocol tcp --dst-port 443 --remote-ip 0.0.0.0/0
		has web openstack security group list -f value -c Name
		openstack security group rule delete "$rule"
	`},
	{"server", `
		has d2-2 openstack flavor list -f value -c Name
		openstack keypair create k1 >k1.pem
		has k1 openstack keypair list -f value -c Name
		openstack server create vm1 --image "Debian 12" --flavor d2-2 --network Ext-Net --key-name k1 --wait >/dev/null
		is ACTIVE openstack server show vm1 -f value -c status
		openstack server stop vm1
		until_is SHUTOFF openstack server show vm1 -f value -c status
		fails 409 openstack server stop vm1
		openstack server start vm1
		until_is ACTIVE openstack server show vm1 -f value -c status
		openstack server reboot vm1
		until_is ACTIVE openstack server show vm1 -f value -c status
		openstack server add security group vm1 web
		openstack server image create vm1 --name shot --wait >/dev/null
		is active openstack image show shot -f value -c status
		fails 404 openstack server show --debug 11111111-1111-1111-1111-111111111111 || true
	`},
	{"volume", `
		openstack volume create vol1 --size 10 >/dev/null
		until_is available openstack volume show vol1 -f value -c status
		openstack server add volume vm1 vol1 >/dev/null
		until_is in-use openstack volume show vol1 -f value -c status
		fails "" openstack volume delete vol1
		openstack server remove volume vm1 vol1
		until_is available openstack volume show vol1 -f value -c status
		openstack volume snapshot create snap1 --volume vol1 >/dev/null
		until_is available openstack volume snapshot show snap1 -f value -c status
		has snap1 openstack volume snapshot list -f value -c Name
		openstack volume backup create vol1 --name back1 >/dev/null
		until_is available openstack volume backup show back1 -f value -c status
		has back1 openstack volume backup list -f value -c Name
		openstack volume create vol2 --size 10 >/dev/null
		until_is available openstack volume show vol2 -f value -c status
		# 6.0 stumbles over the answer when the restore has begun: "cannot unpack non-iterable"
		out=$(openstack volume backup restore --force back1 vol2 2>&1) || case $out in *"cannot unpack"*) ;; *) echo "$out"; exit 1;; esac
		until_is available openstack volume show vol2 -f value -c status
		until_is available openstack volume backup show back1 -f value -c status
		openstack volume backup delete back1
		openstack volume snapshot delete snap1
		until_is "" openstack volume snapshot list -f value -c Name
		openstack volume delete vol1 vol2
		until_is "" openstack volume list -f value -c Name
		openstack server delete vm1 --wait
		openstack security group delete web
		openstack keypair delete k1
	`},
	{"image", `
		head -c 1000000 big.bin >image.raw
		openstack image create mine --disk-format raw --container-format bare --file image.raw >/dev/null
		is 1000000 openstack image show mine -f value -c size
		openstack image set mine --property os_distro=debian --name ours
		has debian openstack image show ours -f value -c properties
		has ours openstack image list -f value -c Name
		openstack image save ours --file image.back
		cmp image.raw image.back
		openstack image delete ours
		fails "No Image found" openstack image show ours
	`},
	{"object", `
		openstack container create box >/dev/null
		has box openstack container list -f value -c Name
		openstack object create box big.bin >/dev/null
		has 104857600 openstack object show box big.bin -f value -c content-length
		openstack object save box big.bin --file down.bin
		token=$(openstack token issue -f value -c id)
		url=$(openstack catalog show object-store -f json | tr ',' '\n' | sed -n 's/.*"url": "\([^"]*GRA1[^"]*\)".*/\1/p' | head -1)
		is 10 sh -c "curl -fsS -H 'X-Auth-Token: $token' -H 'Range: bytes=0-9' '$url/box/big.bin' | wc -c | tr -d ' '"
		fails 409 openstack container delete box
		openstack object delete box big.bin
		openstack container delete box
		is "" openstack container list -f value -c Name
	`},
	{"the rest", `
		has nova openstack availability zone list -f value -c "Zone Name"
		has nstances openstack limits show --absolute -f value
		has instances openstack quota show -f json
		has security-group openstack extension list --network -f value -c Alias
	`},
	{"AI Training", `
		token=$(openstack token issue -f value -c id)
		url=$(echo "$OS_AUTH_URL" | sed 's,/v3,,')/GRA1/ai-training/v1/job
		id=$(curl -fsS -H "X-Auth-Token: $token" -H 'Content-Type: application/json' -d '{"image":"debian:12","command":["true"],"resources":{"cpu":1}}' "$url" | sed 's/.*"id": *"\([^"]*\)".*/\1/')
		has "$id" curl -fsS -H "Authorization: Bearer $token" "$url"
		has "$id" curl -fsS -H "X-Auth-Token: $token" "$url/$id"
		curl -fsS -H "X-Auth-Token: $token" "$url/$id/log" >/dev/null
		curl -fsS -X PUT -H "X-Auth-Token: $token" "$url/$id/kill" >/dev/null
		until_is 204 curl -s -o /dev/null -w '%{http_code}' -X DELETE -H "X-Auth-Token: $token" "$url/$id"
	`},
}

// TestStateOutlivesARestart stops dev in an orderly way and starts it again on the same folder.
func TestStateOutlivesARestart(t *testing.T) {
	t.Parallel()
	eachClient(t, func(t *testing.T, c client) {
		t.Parallel()
		dir := t.TempDir()
		d := startDev(t, dir)
		d.automator("all", "administrator")
		d.ok("all", c.openstack+" container create kept >/dev/null && "+c.openstack+" keypair create kept >/dev/null")
		d.stop()
		rc, err := os.ReadFile(filepath.Join(dir, "all"))
		if err != nil {
			t.Fatal(err)
		}
		again := startDev(t, dir)
		write(t, filepath.Join(dir, "all"), strings.ReplaceAll(string(rc), d.url, again.url))
		if out := again.ok("all", c.openstack+" container list -f value -c Name && "+c.openstack+" keypair list -f value -c Name"); strings.Count(out, "kept") != 2 {
			t.Error(out)
		}
		if out := again.ok("openrc", c.openstack+" server list -f value -c Name"); out != "name_vm\n" {
			t.Error(out)
		}
	})
}
