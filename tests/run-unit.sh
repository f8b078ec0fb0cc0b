#!/bin/sh
# Runs the unit test programs given as arguments; shows the output of those that fail,
# and what failed once more at the end. Those of tests/unit run side by side, one a processor; those of
# tests/drivers look at milliseconds and have the computer to themselves.
# Ends with "unit: N passed, N failed" (programs) and exits 1 if one failed.
passed=0 failed=0 words=
# What they check of the disk is what the programs ask of it, not how long it takes: in memory if possible.
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm

# run PROGRAMS...: leaves PROGRAM.log and PROGRAM.rc
run() {
	jobs=$1
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@" | xargs -P "$jobs" -I{} \
		sh -c 'timeout 300 "$1" >"$1.log" 2>&1; echo $? >"$1.rc"' run {}
}

side_by_side="" alone=""
for t in "$@"; do
	rm -f "$t.rc"
	case $t in
	*/tests/drivers/*) alone="$alone $t" ;;
	*) side_by_side="$side_by_side $t" ;;
	esac
done
# shellcheck disable=SC2086
run "$(nproc)" $side_by_side
# shellcheck disable=SC2086
run 1 $alone

for t in "$@"; do
	log="$t.log"
	if [ "$(cat "$t.rc")" = 0 ]; then
		passed=$((passed + 1))
		printf 'ok   %s (%s tests)\n' "$t" "$(grep -c '\[       OK \]' "$log")"
	else
		failed=$((failed + 1))
		printf 'FAIL %s\n' "$t"
		cat "$log"
		words="$words
$t: $(grep -A1 '\[  ERROR   \]\|\[  FAILED  \] [a-z]\|ERROR: ' "$log" | head -n 12)"
	fi
done
[ -z "$words" ] || printf 'failed:%s\n' "$words"
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
