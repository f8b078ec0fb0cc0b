#!/bin/sh
# SPDX-License-Identifier: MIT
# A small Debian 12 with systemd, a broker, and what the package depends on; not the package itself,
# which the tests install.
#
#   tests/package/root.sh DIRECTORY PACKAGE.deb
#
# Does nothing if all that goes into it is as it was. Needs root (mmdebstrap).
set -eu
out=$1 deb=$2
packages="systemd-sysv udev dbus kmod man-db bash-completion mosquitto mosquitto-clients"
depends=$(dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed 's/[(|].*//; s/ //g' | sort -u | tr '\n' ' ')

wanted="$packages $depends"
[ "$(cat "$out/etc/labpulse-root" 2>/dev/null)" != "$wanted" ] || exit 0
rm -rf "$out"
mkdir -p "$out"
echo "building $out"
# shellcheck disable=SC2086 # package names are words
mmdebstrap --quiet --mode=root --variant=minbase --aptopt='APT::Install-Recommends "false"' \
	--include="$(echo $wanted | tr ' ' ',')" bookworm "$out"
# The tests start the broker they want; a name that becomes a gateway's id.
rm -f "$out/etc/systemd/system/multi-user.target.wants/mosquitto.service"
echo gw1 >"$out/etc/hostname"
echo "$wanted" >"$out/etc/labpulse-root"
