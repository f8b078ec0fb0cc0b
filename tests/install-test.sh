#!/bin/sh
# make install into an empty tree: everything is there, the unit file is sound, and what was
# installed runs by itself.
set -eu
cd "$(dirname "$0")/.."
root=$(mktemp -d /tmp/labpulse-install.XXXXXX)
trap 'rm -rf "$root"' EXIT
make --no-print-directory install DESTDIR="$root" PREFIX=/usr SYSCONFDIR=/etc >/dev/null
for f in usr/sbin/labpulsed usr/bin/labpulse etc/labpulse/labpulse.yaml \
	usr/lib/udev/rules.d/70-labpulse.rules usr/lib/systemd/system/labpulsed.service usr/share/labpulse/profiles/eastron-sdm120.yaml; do
	[ -e "$root/$f" ] || { echo "install: $f is missing"; exit 1; }
done
"$root/usr/sbin/labpulsed" --version
"$root/usr/bin/labpulse" check "$root/etc/labpulse/labpulse.yaml" \
	--profiles "$root/usr/share/labpulse/profiles" >/dev/null
if command -v systemd-analyze >/dev/null 2>&1; then
	sed "s|=/usr/sbin/labpulsed|=$root/usr/sbin/labpulsed|; /^Documentation/d" \
		"$root/usr/lib/systemd/system/labpulsed.service" >"$root/labpulsed.service"
	out=$(systemd-analyze verify "$root/labpulsed.service" 2>&1 | grep labpulsed.service || true)
	[ -z "$out" ] || { echo "$out"; exit 1; }
	systemd-analyze security --offline=yes --threshold=25 "$root/labpulsed.service" | tail -1
fi
