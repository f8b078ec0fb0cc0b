#!/bin/sh
# Runs the unit test programs given as arguments; shows the output of those that fail.
# Ends with "unit: N passed, N failed" (programs) and exits 1 if one failed.
passed=0 failed=0
for t in "$@"; do
	log="$t.log"
	if timeout 300 "$t" >"$log" 2>&1; then
		passed=$((passed + 1))
		printf 'ok   %s (%s tests)\n' "$t" "$(grep -c '\[       OK \]' "$log")"
	else
		failed=$((failed + 1))
		printf 'FAIL %s\n' "$t"
		cat "$log"
	fi
done
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
