#!/bin/sh
# SPDX-License-Identifier: MIT
# make install into an empty tree: everything is there, the units are sound and closed, the programs
# hardened, manual pages and completion true, the version is one, and what was installed runs by itself.
set -eu
cd "$(dirname "$0")/.."
tests/setup.sh deb
build=${BUILD:-build}
root=$(mktemp -d /tmp/labpulse-install.XXXXXX)
trap 'rm -rf "$root"' EXIT
failed=0

bad() {
	echo "install: $*"
	failed=1
}

# A unit is verified in a copy that names the programs where they are now.
unit() { # file
	copy=$root/${1##*/}
	sed "s|=/usr/\(s\?bin\)/labpulse|=$root/usr/\1/labpulse|; /^Documentation/d" "$1" >"$copy"
	words=$(systemd-analyze verify --man=no "$copy" 2>&1) || true
	[ -z "$words" ] || bad "$words"
	# In tenths: 1.5, what is left is the network, the ports, and the sockets to the tool.
	systemd-analyze security --offline=yes --threshold=15 "$copy" >"$root/exposure" ||
		bad "${1##*/}: $(tail -n 1 "$root/exposure")"
}

make --no-print-directory install BUILD="$build" DESTDIR="$root" PREFIX=/usr SYSCONFDIR=/etc >/dev/null
for f in usr/sbin/labpulsed usr/bin/labpulse usr/sbin/labpulse-alertmanager \
	usr/lib/systemd/system/labpulsed.service usr/lib/systemd/system/labpulse-alertmanager.service \
	usr/lib/sysusers.d/labpulse.conf usr/lib/tmpfiles.d/labpulse.conf \
	usr/lib/udev/rules.d/70-labpulse.rules usr/share/labpulse/profiles/eastron-sdm120.yaml \
	usr/share/man/man8/labpulsed.8 usr/share/man/man8/labpulse-alertmanager.8 \
	usr/share/man/man1/labpulse.1 usr/share/man/man5/labpulse.yaml.5 \
	usr/share/man/man5/labpulse-profile.5 usr/share/bash-completion/completions/labpulsed \
	usr/share/doc/labpulse/README.md usr/share/doc/labpulse/examples/labpulse.yaml; do
	[ -e "$root/$f" ] || bad "$f is missing"
done
[ ! -e "$root/etc" ] || bad "something in /etc: the configuration is its owner's"

"$root/usr/sbin/labpulsed" --version
"$root/usr/bin/labpulse" check "$root/usr/share/doc/labpulse/examples/labpulse.yaml" \
	--profiles "$root/usr/share/labpulse/profiles" >/dev/null || bad "the example has errors"

for u in "$root"/usr/lib/systemd/system/*.service; do
	unit "$u"
done
tests/package/hardening.sh "$root"/usr/sbin/* "$root"/usr/bin/* || failed=1
tests/package/man-test.sh "$root/usr" || failed=1
tests/package/completion-test.sh "$root/usr" || failed=1

packaged=$(sed -n '1s/^labpulse (\(.*\)) .*/\1/p' debian/changelog)
case $("$root/usr/sbin/labpulsed" --version) in
"labpulsed $packaged") ;;
*) bad "debian/changelog says $packaged" ;;
esac
[ "$failed" -eq 0 ] && echo "install: ok"
