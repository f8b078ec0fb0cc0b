#!/bin/sh
# SPDX-License-Identifier: MIT
# A Debian 12 that builds for another architecture, and has that one's libraries:
#
#   debian/cross-root.sh DIRECTORY ARCHITECTURE
#
# Does nothing if all that goes into it is as it was. Needs root (mmdebstrap).
set -eu
out=$1 arch=$2
native=$(dpkg --print-architecture)

# Of debian/control: what is compiled and linked with comes from the other architecture.
needed=$(sed -n '/^Build-Depends:/,/^[^ B]/ s/^ \(lib[^ ,]*\|zlib1g-dev\).*/\1/p' debian/control |
	grep -v cmocka | sed "s/$/:$arch/")
wanted="build-essential crossbuild-essential-$arch debhelper pkgconf:$arch $(echo "$needed" | tr '\n' ' ')"
[ "$(cat "$out/etc/labpulse-root" 2>/dev/null)" != "$wanted" ] || exit 0
rm -rf "$out"
mkdir -p "$out"
echo "building $out"
# shellcheck disable=SC2086 # package names are words
mmdebstrap --quiet --mode=root --variant=minbase --architectures="$native,$arch" \
	--aptopt='APT::Install-Recommends "false"' \
	--include="$(echo $wanted | tr ' ' ',')" bookworm "$out"
echo "$wanted" >"$out/etc/labpulse-root"
