#!/bin/bash
# make demo as a newcomer sees it: within two minutes from its first line live values, a job from its
# start to its end, an alarm raised and cleared, and the web page at the address that it prints;
# nothing is left behind.
set -u
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp) rc=1 began=
before=$(ls -d /tmp/labpulse-demo.* 2>/dev/null) # another demo may be running

shown() {
	grep -q 'meter.power [0-9]' "$out" && grep -q 'hotend_temp [0-9]' "$out" &&
		awk '/ job started/ { began[$3] = 1 } / job ended: / && began[$3] { ended = 1 }
			/ alarm chiller-hot raised: / { raised = 1 }
			/ alarm chiller-hot cleared/ && raised { cleared = 1 }
			END { exit !(ended && cleared) }' "$out"
}

# get PORT PATH
get() {
	timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET %s HTTP/1.0\r\n\r\n" "$1" >&3 && cat <&3' "$1" "$2" 2>/dev/null
}

# The page, its code and one of its libraries; without npm it is told how to get it.
page() {
	local port
	command -v npm >/dev/null || { grep -q 'make console' "$out"; return; }
	port=$(sed -n 's|.*http://127.0.0.1:\([0-9]*\)/.*|\1|p' "$out" | head -n 1)
	[ -n "$port" ] && get "$port" / | grep -q '<title>labpulse' && get "$port" /app.js | grep -q u-legend &&
		get "$port" /worker.js | grep -q 'MQTT'
}

setsid make --no-print-directory demo >"$out" 2>&1 &
pid=$!
deadline=$((SECONDS + 600)) # it may have to be built first
while [ "$SECONDS" -lt "$deadline" ]; do
	[ -n "$began" ] || ! grep -q '^labpulse demo:' "$out" || {
		began=$SECONDS
		deadline=$((SECONDS + 120))
	}
	shown && page && { rc=0; break; }
	kill -0 "$pid" 2>/dev/null || break
	read -rt 0.2 <> <(:) || :
done
seconds=$((SECONDS - ${began:-0}))
kill -INT -- "-$pid" 2>/dev/null
for _ in $(seq 50); do
	kill -0 -- "-$pid" 2>/dev/null || break
	read -rt 0.2 <> <(:) || :
done
if kill -0 -- "-$pid" 2>/dev/null; then
	echo "demo: processes are left behind"
	kill -KILL -- "-$pid"
	rc=1
fi
if [ "$(ls -d /tmp/labpulse-demo.* 2>/dev/null)" != "$before" ]; then
	echo "demo: files are left behind"
	rc=1
fi
if [ "$rc" -eq 0 ]; then echo "demo: all was seen after $seconds s"; else cat "$out"; page || echo "demo: the web page is not served"; fi
rm -f "$out"
exit "$rc"
