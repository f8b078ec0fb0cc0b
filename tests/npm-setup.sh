#!/bin/sh
# Puts npm's modbus-serial into build/npm (or $1), for tests/system/test_modbus_serial.py. Does
# nothing if it is there. Exits 1 if it cannot be had: the test is then skipped.
set -eu
dir=${1:-build/npm}
[ -d "$dir/node_modules/modbus-serial" ] && exit 0
mkdir -p "$dir"
[ -f "$dir/package.json" ] || echo '{"private": true}' >"$dir/package.json"
cd "$dir"
npm install --no-audit --no-fund --no-save --loglevel=error modbus-serial@8
