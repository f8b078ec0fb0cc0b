#!/bin/sh
# tests/coverage.sh DIR: line coverage of what ran from the build folder DIR (make COVERAGE=1), per
# folder and in total; what no test links counts as not run. `-v` before DIR: each file, too.
set -eu

verbose=""
[ "${1:-}" = -v ] && { verbose=1; shift; }
[ -n "${1:-}" ] && [ -d "$1" ] || { echo "usage: tests/coverage.sh [-v] DIR" >&2; exit 64; }
find "$1" -name '*.gcno' | sort | xargs -r gcov --json-format --stdout 2>/dev/null |
	VERBOSE=$verbose /usr/bin/python3 -c '
import collections, json, os, sys

ran = collections.defaultdict(dict)  # file -> line -> whether it ran
for report in map(json.loads, filter(str.strip, sys.stdin)):
    for file in report["files"]:
        lines = ran[os.path.normpath(file["file"])]
        for line in file["lines"]:
            number = line["line_number"]
            lines[number] = lines.get(number, False) or line["count"] > 0

total = collections.Counter()
folders = collections.defaultdict(collections.Counter)
for name, lines in sorted(ran.items()):
    if name.startswith(("/", "tests/")) or not lines:
        continue
    here = collections.Counter(lines=len(lines), ran=sum(lines.values()))
    folders[os.path.dirname(name)].update(here)
    total.update(here)
    if os.environ["VERBOSE"]:
        print("%5.1f %%  %5d of %5d  %s" % (100 * here["ran"] / here["lines"], here["ran"], here["lines"], name))
if not total["ran"]:
    sys.exit("coverage.sh: nothing ran there; make coverage builds and runs all")
for name, c in [*sorted(folders.items()), ("total", total)]:
    print("%5.1f %%  %5d of %5d  %s" % (100 * c["ran"] / c["lines"], c["ran"], c["lines"], name))
'
