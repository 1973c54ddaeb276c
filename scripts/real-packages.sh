#!/bin/sh
# Installs Debian's packages of the real services that `make test-real` runs, and starts none of them. Needs root only where one is missing.
set -eu

packages="
  curl openssl python3-openstackclient python3-keystonemiddleware python3-swiftclient
  swift-proxy swift-account swift-container swift-object
  glance-api python3-glanceclient
  python3-neutron python3-cinder python3-nova
  keystone apache2 libapache2-mod-wsgi-py3 libapache2-mod-auth-openidc
"

# shellcheck disable=SC2086 # a list of words
dpkg -s $packages >/dev/null 2>&1 && exit 0
if [ "$(id -u)" != 0 ]; then
  echo "as root, without starting their services: apt-get install --no-install-recommends" $packages >&2
  exit 1
fi

# Debian's packages start what they install unless policy-rc.d says no; one that is there is left as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
  trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $packages >/dev/null
