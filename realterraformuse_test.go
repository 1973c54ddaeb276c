package stackgate

import (
	"os"
	"strings"
	"testing"
)

// TestRealTerraformPage runs what docs/tools.md says of Terraform, line by line.
func TestRealTerraformPage(t *testing.T) {
	t.Parallel()
	d := startTerraforming(t)
	page, err := os.ReadFile("docs/tools.md")
	if err != nil {
		t.Fatal(err)
	}
	script := "P=0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f\nset -x\n" + block(t, string(page), "sh terraform")
	out, err := d.run("page", map[string]string{"main.tf": block(t, string(page), "hcl\n# main.tf")}, "admin.env", script)
	if err != nil || strings.Count(out, "Apply complete! Resources: 5 added") != 1 || strings.Count(out, "No changes.") != 1 ||
		strings.Count(out, "Destroy complete! Resources: 5 destroyed") != 1 || !strings.Contains(out, mustExec) {
		t.Errorf("%v\n%s", err, out)
	}
}

// mustExec is what the provider says to the guide's variables, and to the guide's entry of clouds.yaml.
const mustExec = "You must provide a password to authenticate"

// TestRealTerraformWhole is the life of everything that the sandbox has: made, looked at again, changed, stopped, taken up from the cloud, and gone.
func TestRealTerraformWhole(t *testing.T) {
	t.Parallel()
	d := startTerraforming(t)
	d.entries("whole", "administrator")
	files := configuration(t, "whole")
	files["disk.raw"] = strings.Repeat("stackgate", 1000)
	out, err := d.run("whole", files, "whole-application-credential", `
		terraform apply -auto-approve
		terraform plan -detailed-exitcode
		curl -fsS "$(terraform output -raw tempurl)" >/dev/null
		export TF_CLI_ARGS_plan="-no-color -detailed-exitcode -var note=two -var size=3 -var flavor=d2-4"
		export TF_CLI_ARGS_import="-no-color -var note=two -var size=3 -var flavor=d2-4"
		terraform apply -auto-approve -var note=two -var size=3 -var flavor=d2-4
		terraform plan
		for power in shutoff active shelved_offloaded active; do
			terraform apply -auto-approve -var note=two -var size=3 -var flavor=d2-4 -var power=$power
			terraform plan -var power=$power
		done
		for r in blockstorage_volume_v3.data compute_instance_v2.vm compute_interface_attach_v2.spare compute_keypair_v2.given compute_servergroup_v2.group compute_volume_attach_v2.data images_image_v2.own networking_floatingip_v2.fip networking_floatingip_associate_v2.fip networking_network_v2.net networking_port_v2.port networking_router_v2.router networking_router_interface_v2.leg networking_secgroup_v2.web networking_subnet_v2.sub objectstorage_container_v1.box; do
			r=openstack_$r
			id=$(terraform state show $r | sed -n 's/^    id  *= "\(.*\)"/\1/p' | head -1)
			terraform state rm $r >/dev/null
			terraform import $r "$id" >import.log 2>&1 || { cat import.log; exit 1; }
		done
		terraform destroy -auto-approve`)
	if err != nil || strings.Count(out, "No changes.") != 6 || !strings.Contains(out, "Destroy complete!") {
		t.Errorf("%v\n%s", err, out)
	}
}

const refusedConfiguration = `
terraform {
  required_providers {
    openstack = { source = "terraform-provider-openstack/openstack" }
  }
}
variable "cloud" { default = null }
provider "openstack" { cloud = var.cloud }
data "openstack_networking_network_v2" "ext" { name = "Ext-Net" }
resource "openstack_networking_secgroup_v2" "web" { name = data.openstack_networking_network_v2.ext.name }
resource "openstack_identity_application_credential_v3" "own" { name = "own" }
resource "openstack_identity_ec2_credential_v3" "s3" {}
`

// TestRealTerraformRefused: what a right does not allow is refused with our sentence, whichever way Terraform has come.
func TestRealTerraformRefused(t *testing.T) {
	t.Parallel()
	d := startTerraforming(t)
	id := d.entries("reader", "infrastructureSupervisor")
	for as, file := range map[string]string{"oidc": "guide.yaml", "password": "password.yaml", "application-credential": "credential.yaml"} {
		d.ok("admin.env", `stackgate clouds-yaml --cloud reader --as `+as+` --service-account `+id+` --project 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f --new-secret >`+file)
	}
	for _, c := range []struct{ name, door, before, args string }{
		{"directly", "password", "", ""},
		{"exec", "oidc", "stackgate exec --", ""},
		{"cloud = with a password", "none", "env OS_CLIENT_CONFIG_FILE=../password.yaml", "-var cloud=reader"},
		{"cloud = with an application credential", "none", "env OS_CLIENT_CONFIG_FILE=../credential.yaml", "-var cloud=reader"},
		{"exec, cloud = of the guide", "none", "env OS_CLIENT_CONFIG_FILE=../guide.yaml stackgate exec --cloud reader --", "-var cloud=reader"},
	} {
		out, err := d.run(way{name: c.name}.file(), map[string]string{"main.tf": refusedConfiguration}, "reader-"+c.door, `$1 terraform apply -auto-approve $2 2>&1`, c.before, c.args)
		if err == nil {
			t.Errorf("%s: it worked", c.name)
		}
		for _, want := range []string{
			"rule:create_security_group is disallowed by policy: needs role network_secgroup_manage on this project, which the right publicCloudProject:openstack:networkSecurityOperator grants; this account has infrastructureSupervisor.",
			"stackgate service-account secret add " + id,
			"identity:ec2_create_credential",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: nothing says %q in\n%s", c.name, want, out)
			}
		}
	}
	out, err := d.run("guide", map[string]string{"main.tf": refusedConfiguration}, "none", `OS_CLIENT_CONFIG_FILE=../guide.yaml terraform plan -var cloud=reader 2>&1`)
	if err == nil || !strings.Contains(out, mustExec) {
		t.Errorf("the guide's entry without exec: %v\n%s", err, out)
	}
}

// TestRealTerraformOfADisabledAccount: an apply whose account is disabled meanwhile ends, and says that it is not let in any more.
func TestRealTerraformOfADisabledAccount(t *testing.T) {
	t.Parallel()
	d := startTerraforming(t)
	for _, c := range []struct{ name, door, before, want string }{
		{"directly", "application-credential", "", "The request you have made requires authentication."},
		{"exec", "oidc", "stackgate exec --", "stackgate could not log in at the cloud: log in (token)"},
	} {
		id := d.entries(c.name, "networkOperator")
		out, err := d.run(c.name, configuration(t, "waits"), c.name+"-"+c.door, `WAIT="sleep 2; . ../admin.env; stackgate service-account disable $2" $1 terraform apply -auto-approve 2>&1`, c.before, id)
		if err == nil || !strings.Contains(out, "Unable to re-authenticate") || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v\n%s", c.name, err, out)
		}
	}
}
