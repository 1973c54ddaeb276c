# Something is changed after a while, with what the provider has had since the plan. $WAIT is what happens meanwhile.
terraform {
  required_providers {
    openstack = { source = "terraform-provider-openstack/openstack" }
  }
}

provider "openstack" {}

data "openstack_networking_network_v2" "ext" { name = "Ext-Net" }

resource "terraform_data" "wait" {
  input = data.openstack_networking_network_v2.ext.id
  provisioner "local-exec" { command = "eval \"$WAIT\"" }
}

resource "openstack_networking_secgroup_v2" "after" {
  name       = "after-${terraform.workspace}"
  depends_on = [terraform_data.wait]
}
