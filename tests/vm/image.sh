#!/bin/bash
# SPDX-License-Identifier: MIT
# The disk of a virtual gateway: minimal Debian 12 with Debian's kernel, systemd and udev, and what
# the package depends on; not the package itself, which the tests install.
#
#   tests/vm/image.sh DIRECTORY PACKAGE.deb
#
# leaves base.qcow2, vmlinuz, initrd.img and stamp in DIRECTORY. Does nothing if all that goes into
# them is as it was. Needs root (mmdebstrap, and mke2fs that keeps owners), but no loop devices.
set -euo pipefail

here=$(readlink -f "$(dirname "$0")")
out=${1:?directory}
deb=${2:?package}
umask 022

# python3 is for the tests' own programs in guest/, which play the other end of the USB cables.
packages="systemd-sysv udev dbus kmod linux-image-amd64 initramfs-tools zstd iproute2 procps python3"
depends=$(dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed 's/[(|].*//; s/ //g' | sort -u | tr '\n' ' ')

stamp=$(cat "$here/image.sh" "$here/guest/agent.py" "$here/guest/agent.service" <(echo "$depends") | sha256sum)
[ "$(cat "$out/stamp" 2>/dev/null)" != "$stamp" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	exec sudo "$0" "$@"
fi

mkdir -p "$out"
rm -f "$out/stamp"
root=$(mktemp -d "$out/root.XXXXXX")
trap 'rm -rf "$root" "$out/base.raw"' EXIT

# A small initrd: just the drivers of this disk. It is read before Debian's are there.
# shellcheck disable=SC2016 # $1 is mmdebstrap's
small='mkdir -p "$1/etc/initramfs-tools/conf.d"
printf "MODULES=list\nCOMPRESS=zstd\n" > "$1/etc/initramfs-tools/conf.d/small"
printf "virtio_pci\nvirtio_blk\next4\ncrc32c_generic\n" > "$1/etc/initramfs-tools/modules"'

# shellcheck disable=SC2086 # package names are words
mmdebstrap --quiet --mode=root --variant=minbase \
	--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/labpulse/*' \
	--essential-hook="$small" \
	--include="$(echo $packages $depends | tr ' ' ',')" bookworm "$root"

echo gw1 > "$root/etc/hostname"
printf '127.0.0.1 localhost gw1\n' > "$root/etc/hosts"
printf '/dev/vda / ext4 defaults,noatime 0 1\n' > "$root/etc/fstab"
cat > "$root/etc/systemd/network/10-eth0.network" <<'N'
[Match]
Name=eth0
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
LinkLocalAddressing=no
IPv6AcceptRA=no
N
install -m 755 "$here/guest/agent.py" "$root/usr/local/sbin/vm-agent"
install -m 644 "$here/guest/agent.service" "$root/etc/systemd/system/vm-agent.service"
mkdir -p "$root/var/log/journal"
# A machine id, so that the first boot is one like any other.
systemd-machine-id-setup --root="$root" >/dev/null 2>&1
chroot "$root" systemctl --quiet enable systemd-networkd vm-agent
chroot "$root" systemctl --quiet mask systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer \
	e2scrub_all.timer e2scrub_reap.service fstrim.timer dpkg-db-backup.timer getty@tty1.service serial-getty@ttyS0.service
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*

cp -L "$root"/boot/vmlinuz-* "$out/vmlinuz"
cp -L "$root"/boot/initrd.img-* "$out/initrd.img"
rm -f "$root"/boot/initrd.img-* "$root"/boot/vmlinuz-*
truncate -s 2G "$out/base.raw"
mke2fs -q -t ext4 -L root -d "$root" "$out/base.raw"
qemu-img convert -O qcow2 "$out/base.raw" "$out/base.qcow2"
echo "$stamp" > "$out/stamp"
