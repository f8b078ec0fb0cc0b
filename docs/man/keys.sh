#!/bin/sh
# SPDX-License-Identifier: MIT
# Puts the tables of keys of docs/configuration.md and docs/profiles.md, which `make docs` makes from
# the program's own, into the manual pages.
#   keys.sh [OUTDIR]    with OUTDIR the pages go there, and docs/man is left alone
set -eu
cd "$(dirname "$0")/../.."
out=${1:-docs/man}

# | `key` | type | default | [reload] | meaning |  ->  an item of an mdoc list
items() { # page, table
	awk -F ' *[|] *' -v from="<!-- begin: $2 -->" -v to="<!-- end: $2 -->" '
		$0 == to { inside = 0 }
		inside && $2 ~ /^`/ {
			reload = NF > 6 ? $5 : ""
			gsub("`", "")
			gsub(/\\/, "\\e")
			$0 = $0 # split again, without the quotes
			printf ".It Cm %s\n.Pq %s%s%s\n.br\n%s.\n", $2, $3,
				$4 == "" ? "" : $4 == "required" ? "; required" : "; default: " $4,
				reload == "restart" ? "; changed by a restart only" : "", $NF == "" ? $(NF - 1) : $NF
		}
		$0 == from { inside = 1 }
	' "docs/$1"
}

page() { # manual page, page with the table, table
	items "$2" "$3" >"$out/$1.items"
	awk -v items="$out/$1.items" -v table="$3" '
		$0 == ".\\\" end: " table { skip = 0 }
		!skip { print }
		$0 == ".\\\" begin: " table { skip = 1; while ((getline line < items) > 0) print line }
	' "docs/man/$1" >"$out/$1.new"
	rm "$out/$1.items"
	mv "$out/$1.new" "$out/$1"
}

page labpulse.yaml.5 configuration.md config-keys
page labpulse-profile.5 profiles.md profile-keys
