#!/bin/sh
# Puts what gen_docs says into docs/: the schemas, and the tables between the markers of the pages.
# docs.sh GEN_DOCS [OUTDIR]; with OUTDIR the results go there, and docs/ is left alone.
set -eu
gen=$1 out=${2:-docs}
mkdir -p "$out/schemas"
"$gen" config-schema >"$out/schemas/config.schema.json"
"$gen" profile-schema >"$out/schemas/profile.schema.json"

insert() { # page, tables...
	page=$1
	shift
	cp "docs/$page" "$out/$page.new"
	for table; do
		"$gen" "$table" >"$out/$table.tmp"
		awk -v table="$out/$table.tmp" -v from="<!-- begin: $table -->" -v to="<!-- end: $table -->" '
			$0 == to { skip = 0 }
			!skip { print }
			$0 == from { skip = 1; while ((getline line < table) > 0) print line }
		' "$out/$page.new" >"$out/$page.tmp"
		rm "$out/$table.tmp"
		mv "$out/$page.tmp" "$out/$page.new"
	done
	mv "$out/$page.new" "$out/$page"
}
insert configuration.md config-keys
insert profiles.md profile-keys
insert usb.md driver-marlin driver-grbl driver-icharger driver-skyrc
insert alarms.md alarms-own alarms-drivers alarms-profiles
