# What most configurations are made of.
terraform {
  required_providers {
    openstack = { source = "terraform-provider-openstack/openstack" }
  }
}

provider "openstack" {}

variable "flavor" { default = "d2-2" }

variable "size" { default = 1 }

variable "power" { default = "active" }

variable "note" { default = "one" }

data "openstack_identity_auth_scope_v3" "me" { name = "me" }

data "openstack_images_image_v2" "debian" {
  name        = "Debian 12"
  most_recent = true
}

data "openstack_images_image_ids_v2" "all" { sort = "updated_at" }

data "openstack_compute_flavor_v2" "small" { name = "d2-2" }

data "openstack_networking_network_v2" "ext" { name = "Ext-Net" }

data "openstack_networking_subnet_ids_v2" "ext" { network_id = data.openstack_networking_network_v2.ext.id }

data "openstack_compute_availability_zones_v2" "zones" {}

data "openstack_blockstorage_availability_zones_v3" "zones" {}

data "openstack_compute_quotaset_v2" "quota" { project_id = data.openstack_identity_auth_scope_v3.me.project_id }

data "openstack_blockstorage_quotaset_v3" "quota" { project_id = data.openstack_identity_auth_scope_v3.me.project_id }

data "openstack_networking_quota_v2" "quota" { project_id = data.openstack_identity_auth_scope_v3.me.project_id }

data "openstack_networking_secgroup_v2" "default" { name = "default" }

resource "openstack_compute_keypair_v2" "made" { name = "made" }

resource "openstack_compute_keypair_v2" "given" {
  name       = "given"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFm8FGcl8Ft0u8rYtYkwFx2VUF1cqzRPfJRMbRLPNMqE me@example"
}

resource "openstack_networking_network_v2" "net" {
  name           = "net"
  description    = "a network"
  admin_state_up = true
  tags           = ["blue", var.note]
}

resource "openstack_networking_subnet_v2" "sub" {
  name            = "sub"
  network_id      = openstack_networking_network_v2.net.id
  cidr            = "10.7.0.0/24"
  ip_version      = 4
  dns_nameservers = ["213.186.33.99"]
  allocation_pool {
    start = "10.7.0.10"
    end   = "10.7.0.200"
  }
  tags = ["blue"]
}

resource "openstack_networking_router_v2" "router" {
  name                = "router"
  external_network_id = data.openstack_networking_network_v2.ext.id
  tags                = ["blue"]
}

resource "openstack_networking_router_interface_v2" "leg" {
  router_id = openstack_networking_router_v2.router.id
  subnet_id = openstack_networking_subnet_v2.sub.id
}

resource "openstack_networking_router_route_v2" "route" {
  router_id        = openstack_networking_router_v2.router.id
  destination_cidr = "10.9.0.0/24"
  next_hop         = "10.7.0.99"
  depends_on       = [openstack_networking_router_interface_v2.leg]
}

resource "openstack_networking_subnet_route_v2" "route" {
  subnet_id        = openstack_networking_subnet_v2.sub.id
  destination_cidr = "10.8.0.0/24"
  next_hop         = "10.7.0.98"
}

resource "openstack_networking_secgroup_v2" "web" {
  name        = "web"
  description = "web ${var.note}"
  tags        = ["blue"]
}

resource "openstack_networking_secgroup_rule_v2" "https" {
  for_each          = toset(["80", "443"])
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = each.key
  port_range_max    = each.key
  remote_ip_prefix  = "0.0.0.0/0"
  description       = "port ${each.key}"
  security_group_id = openstack_networking_secgroup_v2.web.id
}

resource "openstack_networking_secgroup_rule_v2" "icmp" {
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "icmp"
  remote_group_id   = openstack_networking_secgroup_v2.web.id
  security_group_id = openstack_networking_secgroup_v2.web.id
}

resource "openstack_networking_secgroup_v2" "bare" {
  name                 = "bare"
  delete_default_rules = true
}

resource "openstack_networking_port_v2" "port" {
  name               = "port"
  network_id         = openstack_networking_network_v2.net.id
  admin_state_up     = true
  security_group_ids = [openstack_networking_secgroup_v2.web.id]
  fixed_ip {
    subnet_id  = openstack_networking_subnet_v2.sub.id
    ip_address = "10.7.0.50"
  }
  allowed_address_pairs { ip_address = "10.7.0.60" }
  extra_dhcp_option {
    name  = "tftp-server"
    value = "10.7.0.5"
  }
  tags = ["blue"]
}

resource "openstack_networking_port_v2" "spare" {
  name               = "spare"
  network_id         = openstack_networking_network_v2.net.id
  no_security_groups = true
  admin_state_up     = true
  fixed_ip { subnet_id = openstack_networking_subnet_v2.sub.id }
}

resource "openstack_networking_floatingip_v2" "fip" {
  pool        = "Ext-Net"
  description = "fip ${var.note}"
  tags        = ["blue"]
}

resource "openstack_networking_floatingip_associate_v2" "fip" {
  floating_ip = openstack_networking_floatingip_v2.fip.address
  port_id     = openstack_networking_port_v2.port.id
  depends_on  = [openstack_networking_router_interface_v2.leg]
}

resource "openstack_compute_servergroup_v2" "group" {
  name     = "group"
  policies = ["anti-affinity"]
}

resource "openstack_compute_servergroup_v2" "soft" {
  name     = "soft"
  policies = ["soft-anti-affinity"]
}

resource "openstack_compute_instance_v2" "vm" {
  name         = "vm-${var.note}"
  image_name   = "Debian 12"
  flavor_name  = var.flavor
  key_pair     = openstack_compute_keypair_v2.given.name
  power_state  = var.power
  metadata     = { role = "web", note = var.note }
  tags         = ["blue", var.note]
  user_data    = "#cloud-config\n"
  config_drive = true
  network { port = openstack_networking_port_v2.port.id }
  scheduler_hints { group = openstack_compute_servergroup_v2.group.id }
}

resource "openstack_compute_instance_v2" "ext" {
  name            = "ext"
  image_id        = data.openstack_images_image_v2.debian.id
  flavor_id       = data.openstack_compute_flavor_v2.small.id
  security_groups = [openstack_networking_secgroup_v2.web.name]
  network { name = "Ext-Net" }
  availability_zone = data.openstack_compute_availability_zones_v2.zones.names[0]
}

resource "openstack_compute_instance_v2" "fromvolume" {
  name            = "fromvolume"
  flavor_name     = "d2-2"
  security_groups = ["default", openstack_networking_secgroup_v2.web.name]
  block_device {
    uuid                  = data.openstack_images_image_v2.debian.id
    source_type           = "image"
    destination_type      = "volume"
    volume_size           = 25
    boot_index            = 0
    delete_on_termination = true
  }
  network { uuid = openstack_networking_network_v2.net.id }
  depends_on = [openstack_networking_subnet_v2.sub]
}

resource "openstack_compute_interface_attach_v2" "spare" {
  instance_id = openstack_compute_instance_v2.ext.id
  port_id     = openstack_networking_port_v2.spare.id
}

resource "openstack_blockstorage_volume_v3" "data" {
  name                 = "data-${var.note}"
  size                 = var.size
  description          = "data"
  metadata             = { note = var.note }
  enable_online_resize = true
  volume_type          = "classic"
}

resource "openstack_blockstorage_volume_v3" "bootable" {
  name     = "bootable"
  size     = 10
  image_id = data.openstack_images_image_v2.debian.id
}

resource "openstack_blockstorage_volume_v3" "copy" {
  name          = "copy"
  size          = var.size
  source_vol_id = openstack_blockstorage_volume_v3.data.id
  lifecycle { ignore_changes = [size] }
}

resource "openstack_compute_volume_attach_v2" "data" {
  instance_id = openstack_compute_instance_v2.vm.id
  volume_id   = openstack_blockstorage_volume_v3.data.id
}

resource "openstack_compute_instance_v2" "fromexisting" {
  name        = "fromexisting"
  flavor_name = "d2-2"
  block_device {
    uuid             = openstack_blockstorage_volume_v3.bootable.id
    source_type      = "volume"
    destination_type = "volume"
    boot_index       = 0
  }
  network { uuid = openstack_networking_network_v2.net.id }
  depends_on = [openstack_networking_subnet_v2.sub]
}

resource "openstack_images_image_v2" "own" {
  name             = "own"
  local_file_path  = "${path.module}/disk.raw"
  container_format = "bare"
  disk_format      = "raw"
  min_disk_gb      = 1
  properties       = { os_distro = "debian", note = var.note }
  tags             = ["blue"]
  visibility       = "private"
}

resource "openstack_objectstorage_container_v1" "box" {
  name          = "box"
  metadata      = { note = var.note }
  content_type  = "application/json"
  force_destroy = true
}

resource "openstack_objectstorage_object_v1" "hello" {
  container_name = openstack_objectstorage_container_v1.box.name
  name           = "dir/hello.txt"
  content        = "hello ${var.note}\n"
  content_type   = "text/plain"
  metadata       = { note = var.note }
}

resource "openstack_objectstorage_object_v1" "copy" {
  container_name = openstack_objectstorage_container_v1.box.name
  name           = "copy.txt"
  copy_from      = "${openstack_objectstorage_object_v1.hello.container_name}/${openstack_objectstorage_object_v1.hello.name}"
}

resource "openstack_objectstorage_object_v1" "file" {
  container_name = openstack_objectstorage_container_v1.box.name
  name           = "file.raw"
  source         = "${path.module}/disk.raw"
  etag           = filemd5("${path.module}/disk.raw")
}

output "names" {
  value = [data.openstack_identity_auth_scope_v3.me.user_name, data.openstack_networking_network_v2.ext.external, openstack_compute_instance_v2.vm.access_ip_v4]
}

output "fip" { value = openstack_networking_floatingip_v2.fip.address }
