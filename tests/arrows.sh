#!/bin/sh
# The arrows of docs/architecture.md: who may include what, and which library is named where.
# Prints each violation; ends with "arrows: N passed, N failed".
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0

violation() {
	echo "arrows: $1"
	failed=$((failed + 1))
}

# forbid FILES... -- REGEX REASON: none of the files may have an include that matches.
forbid() {
	files=""
	while [ "$1" != -- ]; do files="$files $1"; shift; done
	# shellcheck disable=SC2086
	hits=$(grep -nE "^#include +[<\"]($2)" $files /dev/null)
	if [ -n "$hits" ]; then
		violation "$3:
$hits"
	else
		passed=$((passed + 1))
	fi
}

# only LIBRARY-REGEX FILE-REGEX: the library is included by these files only.
only() {
	hits=$(grep -rlE "^#include +<($1)>" --include='*.[ch]' daemon drivers config cli | grep -vE "^($2)$")
	if [ -n "$hits" ]; then
		violation "<$1> belongs to $2, but is named in:
$hits"
	else
		passed=$((passed + 1))
	fi
}

forbid drivers/*.[ch] -- '(daemon|config|cli)/' 'drivers know nothing above them'
forbid config/*.[ch] -- '(daemon|cli)/' 'config knows neither daemon nor tools'
forbid config/*.[ch] -- 'drivers/(link|device|frame|decode|trust|modbus|ask)' 'config sees drivers only as data'
forbid daemon/*.[ch] -- 'cli/' 'the daemon does not know the tools'
forbid cli/*.[ch] cli/simulate/*.[ch] cli/alertmanager/*.[ch] -- 'daemon/' 'the tools never include the daemon'
forbid daemon/schedule.[ch] -- '(time|uv|pthread|unistd|daemon/(clock|log))' 'schedule.c is arithmetic only'
forbid daemon/source.c daemon/machine.c daemon/evaluate*.c daemon/window.c daemon/activity.c daemon/tally.c daemon/usage.c daemon/job.c daemon/alarm.c daemon/alarmset.c \
	daemon/payload*.c daemon/hass_kind.c daemon/openmetrics.c daemon/outbox*.c daemon/puback.c daemon/pace.c daemon/stamp.c daemon/kept.c daemon/change.c -- '((uv|mosquitto|unistd|time|sqlite3)\.h|daemon/(clock|log|gateway)\.h)' 'these are pure'

forbid cli/alertmanager/picture.c cli/alertmanager/picture_machine.c cli/alertmanager/fleet.c cli/alertmanager/notes.c cli/alertmanager/alerts.c cli/alertmanager/judge.c cli/alertmanager/target.c cli/alertmanager/map.c -- '((unistd|pthread)\.h|cli/(words|broker)\.h|cli/alertmanager/(feed|poster|service|bridge)\.h)' 'these are pure'

forbid cli/simulate/fleet_world.c cli/simulate/fleet_kinds.c cli/simulate/fleet_payload.c cli/simulate/fleet_rules.c -- '((unistd|time)\.h|cli/(cli|words|broker)\.h|cli/simulate/(fleet|fleet_impl|fleet_link|reactor)\.h)' 'these are pure'

# A driver's files: driver.h, and what carries the driver's own name.
for d in modbus marlin grbl icharger skyrc; do
	hits=$(grep -nE '^#include "' drivers/$d.c drivers/${d}_*.[ch] /dev/null 2>/dev/null |
		grep -vE "\"drivers/(driver|${d}(_[a-z]+)?)\.h\"")
	if [ -n "$hits" ]; then violation "driver $d sees more than driver.h: $hits"; else passed=$((passed + 1)); fi
done

only 'uv\.h' 'daemon/loop\.c'
only 'mosquitto\.h|mqtt_protocol\.h' 'daemon/connection\.c|cli/broker\.c|cli/simulate/fleet_link\.c'
only 'modbus\.h|modbus/modbus\.h' 'drivers/link_modbus\.c'
only 'yaml\.h' 'config/yaml\.c'
only 'libudev\.h' 'drivers/usb\.c'
only 'sqlite3\.h' 'daemon/database\.c'
only 'zlib\.h' 'daemon/backlog_pack\.c'
only 'microhttpd\.h' 'daemon/metrics\.c|cli/alertmanager/metrics_http\.c'
only 'curl/curl\.h' 'cli/alertmanager/poster\.c'
only 'jansson\.h' 'daemon/control\.c|daemon/control_care\.c|daemon/control_spool\.c|daemon/inbound\.c|daemon/keep\.c|cli/doc\.c'

# Headers of ours include no library's header.
hits=$(grep -nE '^#include <(uv|mosquitto|mqtt_protocol|modbus|yaml|jansson|sqlite3|microhttpd|libudev|zlib|curl)' \
	daemon/*.h drivers/*.h config/*.h cli/*.h cli/simulate/*.h cli/alertmanager/*.h)
if [ -n "$hits" ]; then violation "headers that name a library: $hits"; else passed=$((passed + 1)); fi

# Nothing in the daemon or a driver sleeps; only main.c exits.
hits=$(grep -nE '\b(sleep|usleep|nanosleep|clock_nanosleep)\(' daemon/*.c drivers/*.c)
if [ -n "$hits" ]; then violation "sleeping: $hits"; else passed=$((passed + 1)); fi
hits=$(grep -nE '\b(exit|_exit|abort)\(' daemon/*.c drivers/*.c config/*.c | grep -v '^daemon/main.c')
if [ -n "$hits" ]; then violation "only main.c exits: $hits"; else passed=$((passed + 1)); fi

# A driver has no writable statics: its object has no .data and no .bss.
for o in "${BUILD:-build}"/drivers/modbus.o "${BUILD:-build}"/drivers/marlin*.o "${BUILD:-build}"/drivers/grbl*.o \
	"${BUILD:-build}"/drivers/icharger*.o "${BUILD:-build}"/drivers/skyrc.o; do
	[ -e "$o" ] || continue
	n=$(size -A "$o" | awk '$1 == ".data" || $1 == ".bss" {n += $2} END {print n + 0}')
	if [ "$n" -ne 0 ]; then violation "$o has $n bytes of writable statics"; else passed=$((passed + 1)); fi
done

echo "arrows: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
