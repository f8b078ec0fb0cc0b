#!/bin/sh
# Functions over 50 lines and files over 500: each must be defended or cut. Fails above 70 and 700.
cd "$(dirname "$0")/.." || exit 1
ctags -x --c-kinds=f --fields=+ne --output-format=json $(git ls-files '*.c' ':!tests') |
	sed -nE 's/.*"name": "([^"]*)", "path": "([^"]*)".*"line": ([0-9]+).*"end": ([0-9]+).*/\1 \2 \3 \4/p' |
	awk '{ n = $4 - $3 + 1; if (n > 50) print n " lines: " $1 " (" $2 ":" $3 ")"; if (n > 70) bad = 1 }
	     END { exit bad }' || failed=1
wc -l $(git ls-files '*.c' '*.h' ':!tests') | awk '$2 != "total" && $1 > 500 { print $1 " lines: " $2; if ($1 > 700) bad = 1 } END { exit bad }' || failed=1
[ -z "${failed:-}" ]
