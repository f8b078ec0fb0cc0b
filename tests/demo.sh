#!/bin/bash
# The demo: a broker, the simulated lab and the daemon on this computer, live until Ctrl-C.
# Everything lives in one temporary directory and in one process group, and goes with them.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
dir=$(mktemp -d /tmp/labpulse-demo.XXXXXX)
pids=() page_pid=

cleanup() {
	trap - EXIT
	trap '' INT TERM HUP # once is enough, also when the terminal is closed
	printf '\e[?25h'
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
	if [ -n "$page_pid" ] && ! page_ended; then
		echo "demo: an installation is not cut off: waiting for make console"
		wait "$page_pid"
	fi
	rm -rf "$dir"
	echo
	echo "demo: over, nothing is left behind"
}
trap cleanup EXIT
trap 'exit 0' INT TERM HUP

fail() {
	echo "demo: $1" >&2
	tail -n 20 "$dir"/*.log >&2
	exit 1
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" 2>/dev/null; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		read -rt 0.1 <> <(:) || :
	done
}

# free_port FIRST: a port of the next seventy that nobody listens to.
free_port() {
	for p in $(seq "$1" $(($1 + 69))); do
		(exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || { echo "$p"; return; }
	done
}

port=$(free_port 18830) web=$(free_port 18900)
[ -n "$port" ] && [ -n "$web" ] || fail "no free port between 18830 and 18969"
console=http://127.0.0.1:$web/

# The web page takes Node.js, npm and npm's registry. Where they have to be installed first that is
# a minute, for which nothing else waits; where they cannot be had the demo goes on without the page.
mkdir -p "$BUILD/console"
setsid make --no-print-directory BUILD="$BUILD" console >"$dir/console.log" 2>&1 &
page_pid=$!
page_ended() { ! kill -0 "$page_pid" 2>/dev/null; }
if ! wait_for 15 page_ended; then
	page="Soon at $console: all machines in a browser (what it is made with is being installed; make console tells)."
elif wait "$page_pid"; then
	page="Open $console in a browser: all machines, each one's alarms, values and history."
else
	page="No web page: $(grep -m 1 -iE "^(npm err|setup.sh|E:)" "$dir/console.log") (make console makes it)"
fi

options="-c $dir/labpulse.yaml --profiles config/profiles"
cat <<TEXT
labpulse demo: eleven machines of a simulated lab, polled over Modbus RTU (a pty), Modbus TCP, USB
serial ports (ptys) and HID (sockets), published to a broker on 127.0.0.1:$port. In every minute
laser-1 is switched on, cuts, loses its cooling and gets too hot; jobs start and end, alarms come
and go.

$page

Other windows may join:

  mosquitto_sub -p $port -t 'parks/#' -v
    every message
  $BUILD/labpulse explain laser-1 --lang en $options
    what is wrong with it, and what to touch
  $BUILD/labpulse usage laser-1 $options
    its running hours and jobs
  $BUILD/labpulse test-alarm laser-2 $options
    does an alarm arrive?
  $BUILD/labpulse read printer-1 $options
    every point, now

Ctrl-C ends it.

TEXT
# The table takes the whole screen; what stands above should have been read by then.
if [ -t 0 ] && [ -t 1 ]; then
	read -rt 15 -p 'The table follows; Enter shows it at once. ' || :
fi

mosquitto=$(command -v mosquitto || echo /usr/sbin/mosquitto)
# Started by root it would become the user mosquitto, who may not look into everybody's home.
cat >"$dir/mosquitto.conf" <<CONF
user $(id -un)
listener $port 127.0.0.1
listener $web 127.0.0.1
protocol websockets
http_dir $(realpath "$BUILD/console")
allow_anonymous true
CONF
"$mosquitto" -c "$dir/mosquitto.conf" >"$dir/mosquitto.log" 2>&1 &
pids+=($!)

"$BUILD/labpulse" simulate lab --dir "$dir/lab" --profiles config/profiles \
	--write-config "$dir/labpulse.yaml" --broker "mqtt://127.0.0.1:$port" \
	>"$dir/simulate.log" 2>&1 &
pids+=($!)
wait_for 20 grep -q '"ready"' "$dir/simulate.log" || fail "the simulated lab did not start"
wait_for 20 grep -q . "$dir/labpulse.yaml" || fail "the simulated lab wrote no configuration"

mkdir -p "$dir/state" "$dir/run"
STATE_DIRECTORY="$dir/state" RUNTIME_DIRECTORY="$dir/run" \
	"$BUILD/labpulsed" -c "$dir/labpulse.yaml" --profiles config/profiles >"$dir/labpulsed.log" 2>&1 &
pids+=($!)
wait_for 20 grep -q 'mqtt: connected' "$dir/labpulsed.log" || fail "the daemon did not connect"

again=()
[ -t 1 ] || again=(--every 3s)
"$BUILD/labpulse" watch "${again[@]}" --broker "mqtt://127.0.0.1:$port" &
pids+=($!)
wait -n "${pids[@]}"
fail "a part of it ended"
