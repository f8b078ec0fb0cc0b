#!/bin/sh
# Runs the unit test programs given as arguments; shows the output of those that fail,
# and what failed once more at the end.
# Ends with "unit: N passed, N failed" (programs) and exits 1 if one failed.
passed=0 failed=0 words=
for t in "$@"; do
	log="$t.log"
	if timeout 300 "$t" >"$log" 2>&1; then
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
