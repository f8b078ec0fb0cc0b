#!/bin/bash
# make demo as a newcomer sees it: live values within two minutes, nothing left behind.
set -u
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp) rc=1
setsid make --no-print-directory demo >"$out" 2>&1 &
pid=$!
for _ in $(seq 600); do
	grep -q 'meter.power_w' "$out" && grep -q 'board.hotend_temp_c' "$out" &&
		grep -q busy "$out" && { rc=0; break; }
	kill -0 "$pid" 2>/dev/null || break
	read -rt 0.2 <> <(:) || :
done
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
if ls -d /tmp/labpulse-demo.* >/dev/null 2>&1; then
	echo "demo: files are left behind"
	rc=1
fi
[ "$rc" -eq 0 ] || cat "$out"
rm -f "$out"
exit "$rc"
