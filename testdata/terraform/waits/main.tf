# Something is changed after a while, with the token that the provider got for what it did first. $WAIT is what happens meanwhile.
terraform {
  required_providers {
    openstack = { source = "terraform-provider-openstack/openstack" }
  }
}

provider "openstack" {}

data "openstack_networking_network_v2" "ext" { name = "Ext-Net" }

resource "openstack_networking_network_v2" "before" {
  name        = "before-${terraform.workspace}"
  description = data.openstack_networking_network_v2.ext.id
}

resource "terraform_data" "wait" {
  input = openstack_networking_network_v2.before.id
  provisioner "local-exec" { command = "eval \"$WAIT\"" }
}

resource "openstack_networking_network_v2" "after" {
  name       = "after-${terraform.workspace}"
  depends_on = [terraform_data.wait]
}
