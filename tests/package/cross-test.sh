#!/bin/bash
# SPDX-License-Identifier: MIT
# cross-test.sh PACKAGE.deb ROOT: the programs of a package for another architecture, run by qemu-user
# with the libraries in ROOT: they start, check the shipped example, and a daemon polls a simulated lab
# until a subscriber has telemetry of a serial line, of TCP and of USB.
set -u
deb=$1 root=$2
arch=$(dpkg-deb -f "$deb" Architecture)
here=$(mktemp -d /tmp/labpulse-cross.XXXXXX)
failed=0 pids=()
declare -A cpu=([arm64]=aarch64 [armhf]=arm [amd64]=x86_64)
declare -A gnu=([arm64]=aarch64-linux-gnu [armhf]=arm-linux-gnueabihf [amd64]=x86_64-linux-gnu)
# Only its libraries: with its /dev there would be no pseudo-terminals.
qemu=(qemu-"${cpu[$arch]}"-static -L "$here/libraries")

bad() {
	echo "cross: $*"
	failed=1
}

finish() {
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid"; done
	rm -rf "$here"
}
trap finish EXIT

# Waits for a command to succeed; 30 s, because qemu-user is slow.
await() { # what, command...
	local what=$1 deadline=$((SECONDS + 30))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || { bad "$what: not within 30 s"; return 1; }
		read -rt 0.2 <> <(:) || :
	done
}

# Takes the place of the shell that it is called in, so that signals reach the program.
program() { # name, arguments...
	exec "${qemu[@]}" "$here/tree/usr/$1" "${@:2}"
}

telemetry() { # machine
	mosquitto_sub -h 127.0.0.1 -p "$port" -t "parks/demo-park/machines/$1/telemetry" -C 1 -W 30 | grep -q '"values":{"'
}

dpkg-deb -x "$deb" "$here/tree"
mkdir "$here/libraries"
ln -s "$(readlink -f "$root")/usr/lib" "$here/libraries/lib"
share=$here/tree/usr/share

case $(program sbin/labpulsed --version) in
"labpulsed $(dpkg-deb -f "$deb" Version)") ;;
*) bad "labpulsed --version" ;;
esac
(program bin/labpulse check "$share/doc/labpulse/examples/labpulse.yaml" --profiles "$share/labpulse/profiles") \
	>"$here/check.log" 2>&1 ||
	bad "the example has errors"
(program sbin/labpulse-alertmanager --version) >/dev/null || bad "labpulse-alertmanager does not run"

cp tests/package/hardening.sh "$here/tree/usr/sbin/labpulsed" "$here/tree/usr/bin/labpulse" "$root/tmp/"
chroot "$root" env OBJDUMP="${gnu[$arch]}-objdump" /tmp/hardening.sh /tmp/labpulsed /tmp/labpulse || failed=1

port=$((20000 + $$ % 10000))
printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$port" >"$here/mosquitto.conf"
mosquitto -c "$here/mosquitto.conf" 2>"$here/mosquitto.log" &
pids+=($!)
program bin/labpulse simulate lab --dir "$here/lab" --profiles "$share/labpulse/profiles" \
	--write-config "$here/labpulse.yaml" --broker "mqtt://127.0.0.1:$port" >"$here/lab.log" &
pids+=($!)
await "the simulated lab" grep -q '"ready":true' "$here/lab.log" || exit 1
program sbin/labpulsed -c "$here/labpulse.yaml" --profiles "$share/labpulse/profiles" 2>"$here/daemon.log" &
daemon=$!
for machine in laser-1 charger-1 printer-1; do
	telemetry "$machine" || { bad "no telemetry of $machine"; cat "$here/daemon.log"; }
done
kill "$daemon"
wait "$daemon" || bad "labpulsed ended with $?"
[ "$failed" -eq 0 ] && echo "cross: $arch ok"
exit "$failed"
