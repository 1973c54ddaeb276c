# What few configurations have.
data "openstack_identity_project_v3" "p" { name = data.openstack_identity_auth_scope_v3.me.project_name }

resource "openstack_networking_network_v2" "more_net" { name = "rare" }

resource "openstack_networking_subnetpool_v2" "pool" {
  name     = "pool"
  prefixes = ["10.20.0.0/16"]
}

resource "openstack_networking_addressscope_v2" "scope" {
  name       = "scope"
  ip_version = 4
}

resource "openstack_networking_subnet_v2" "pooled" {
  name          = "pooled"
  network_id    = openstack_networking_network_v2.more_net.id
  subnetpool_id = openstack_networking_subnetpool_v2.pool.id
  prefix_length = 24
}

resource "openstack_networking_subnet_v2" "six" {
  name              = "six"
  network_id        = openstack_networking_network_v2.more_net.id
  ip_version        = 6
  cidr              = "fd00:1::/64"
  ipv6_address_mode = "slaac"
  ipv6_ra_mode      = "slaac"
}

resource "openstack_networking_subnet_v2" "nogw" {
  name        = "nogw"
  network_id  = openstack_networking_network_v2.more_net.id
  cidr        = "10.31.0.0/24"
  no_gateway  = true
  enable_dhcp = false
}

resource "openstack_networking_router_v2" "more_router" {
  name                = "rare"
  admin_state_up      = true
  external_network_id = data.openstack_networking_network_v2.ext.id
}

resource "openstack_networking_port_v2" "parent" {
  name       = "parent"
  network_id = openstack_networking_network_v2.more_net.id
  fixed_ip { subnet_id = openstack_networking_subnet_v2.pooled.id }
  port_security_enabled = false
  no_security_groups    = true
}

resource "openstack_networking_port_v2" "leg" {
  name       = "leg"
  network_id = openstack_networking_network_v2.more_net.id
  fixed_ip { subnet_id = openstack_networking_subnet_v2.pooled.id }
}

resource "openstack_networking_port_v2" "inner" {
  name       = "inner"
  network_id = openstack_networking_network_v2.more_net.id
  fixed_ip { subnet_id = openstack_networking_subnet_v2.pooled.id }
}

resource "openstack_networking_router_interface_v2" "more_leg" {
  router_id = openstack_networking_router_v2.more_router.id
  port_id   = openstack_networking_port_v2.leg.id
}

resource "openstack_networking_router_routes_v2" "routes" {
  router_id = openstack_networking_router_v2.more_router.id
  routes {
    destination_cidr = "10.99.0.0/24"
    next_hop         = openstack_networking_port_v2.inner.all_fixed_ips[0]
  }
  depends_on = [openstack_networking_router_interface_v2.more_leg]
}

resource "openstack_networking_trunk_v2" "trunk" {
  name           = "trunk"
  admin_state_up = true
  port_id        = openstack_networking_port_v2.parent.id
  sub_port {
    port_id           = openstack_networking_port_v2.inner.id
    segmentation_id   = 1
    segmentation_type = "vlan"
  }
}

resource "openstack_networking_floatingip_v2" "more_fip" { pool = data.openstack_networking_network_v2.ext.name }

resource "openstack_networking_portforwarding_v2" "ssh" {
  floatingip_id       = openstack_networking_floatingip_v2.more_fip.id
  external_port       = 2222
  internal_port       = 22
  internal_port_id    = openstack_networking_port_v2.inner.id
  internal_ip_address = openstack_networking_port_v2.inner.all_fixed_ips[0]
  protocol            = "tcp"
  depends_on          = [openstack_networking_router_interface_v2.more_leg]
}

resource "openstack_networking_address_group_v2" "ag" {
  name      = "ag"
  addresses = ["10.0.0.0/24", "10.1.0.0/24"]
}

resource "openstack_networking_secgroup_v2" "sg" {
  name     = "rare"
  stateful = true
}

resource "openstack_networking_secgroup_rule_v2" "ag" {
  direction               = "ingress"
  ethertype               = "IPv4"
  protocol                = "tcp"
  port_range_min          = 22
  port_range_max          = 22
  remote_address_group_id = openstack_networking_address_group_v2.ag.id
  security_group_id       = openstack_networking_secgroup_v2.sg.id
}

resource "openstack_networking_port_secgroup_associate_v2" "a" {
  port_id            = openstack_networking_port_v2.inner.id
  security_group_ids = [openstack_networking_secgroup_v2.sg.id]
}

resource "openstack_networking_rbac_policy_v2" "rbac" {
  action        = "access_as_shared"
  object_id     = openstack_networking_network_v2.more_net.id
  object_type   = "network"
  target_tenant = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0fca"
}

data "openstack_networking_port_ids_v2" "ports" {
  network_id = openstack_networking_network_v2.more_net.id
  depends_on = [openstack_networking_port_v2.inner, openstack_networking_port_v2.parent, openstack_networking_port_v2.leg]
}

data "openstack_networking_port_v2" "inner" { port_id = openstack_networking_port_v2.inner.id }

data "openstack_networking_router_v2" "more_router" { name = openstack_networking_router_v2.more_router.name }

data "openstack_networking_subnet_v2" "pooled" { subnet_id = openstack_networking_subnet_v2.pooled.id }

data "openstack_networking_floatingip_v2" "more_fip" { address = openstack_networking_floatingip_v2.more_fip.address }

data "openstack_networking_trunk_v2" "trunk" { name = openstack_networking_trunk_v2.trunk.name }

resource "openstack_compute_keypair_v2" "k" { name = "rare" }

data "openstack_compute_keypair_v2" "k" { name = openstack_compute_keypair_v2.k.name }

resource "openstack_compute_servergroup_v2" "g" {
  name     = "rare"
  policies = ["anti-affinity"]
  rules { max_server_per_host = 2 }
}

data "openstack_compute_servergroup_v2" "g" { name = openstack_compute_servergroup_v2.g.name }

resource "openstack_compute_instance_v2" "more_vm" {
  name                = "rare"
  image_name          = "Debian 12"
  flavor_name         = "d2-2"
  stop_before_destroy = true
  admin_pass          = "s3cret"
  personality {
    file    = "/etc/x"
    content = "x"
  }
  network {
    name           = openstack_networking_network_v2.more_net.name
    fixed_ip_v4    = cidrhost(openstack_networking_subnet_v2.pooled.cidr, 77)
    access_network = true
  }
  depends_on = [openstack_networking_subnet_v2.six]
}

data "openstack_compute_instance_v2" "more_vm" { id = openstack_compute_instance_v2.more_vm.id }

resource "openstack_compute_instance_v2" "many" {
  name         = "many"
  image_id     = data.openstack_images_image_v2.newest.id
  flavor_name  = "d2-2"
  force_delete = true
  block_device {
    uuid                  = data.openstack_images_image_v2.newest.id
    source_type           = "image"
    destination_type      = "local"
    boot_index            = 0
    delete_on_termination = true
  }
  block_device {
    source_type           = "blank"
    destination_type      = "volume"
    volume_size           = 1
    boot_index            = 1
    delete_on_termination = true
    volume_type           = "high-speed"
  }
  network {
    uuid = data.openstack_networking_network_v2.ext.id
  }
  network {
    uuid = openstack_networking_network_v2.more_net.id
  }
  depends_on = [openstack_networking_subnet_v2.pooled]
}

data "openstack_images_image_v2" "newest" {
  name_regex  = "^Debian 1[23]$"
  sort        = "name:desc"
  most_recent = true
  visibility  = "public"
}

resource "openstack_blockstorage_volume_v3" "v" {
  name = "rare"
  size = 1
  scheduler_hints { different_host = [] }
}

data "openstack_blockstorage_volume_v3" "v" { name = openstack_blockstorage_volume_v3.v.name }

resource "openstack_images_image_v2" "more_own" {
  name             = "rareown"
  local_file_path  = "${path.module}/disk.raw"
  container_format = "bare"
  disk_format      = "raw"
  visibility       = "shared"
}

resource "openstack_images_image_access_v2" "a" {
  image_id  = openstack_images_image_v2.more_own.id
  member_id = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0fca"
}

resource "openstack_objectstorage_account_v1" "acc" {
  metadata = { Temp-Url-Key = "testkey", test = "true" }
}

resource "openstack_objectstorage_container_v1" "more_box" {
  name           = "rare"
  container_read = ".r:*,.rlistings"
  versioning     = true
  force_destroy  = true
  metadata       = { Temp-Url-Key = "k" }
}

resource "openstack_objectstorage_object_v1" "o" {
  container_name      = openstack_objectstorage_container_v1.more_box.name
  name                = "o é/ü"
  content             = "x"
  delete_after        = 3600
  detect_content_type = true
  content_disposition = "attachment"
}

resource "openstack_objectstorage_tempurl_v1" "t" {
  container  = openstack_objectstorage_container_v1.more_box.name
  object     = openstack_objectstorage_object_v1.o.name
  method     = "get"
  ttl        = 3600
  depends_on = [openstack_objectstorage_account_v1.acc]
}

output "tempurl" {
  value     = openstack_objectstorage_tempurl_v1.t.url
  sensitive = true
}
