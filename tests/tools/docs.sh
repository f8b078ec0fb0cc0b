#!/bin/sh
# Puts what gen_docs says into docs/: the schemas, and the tables between the markers of the pages.
# docs.sh GEN_DOCS [OUTDIR]; with OUTDIR the results go there, and docs/ is left alone.
set -eu
gen=$1 out=${2:-docs}
mkdir -p "$out/schemas"
"$gen" config-schema >"$out/schemas/config.schema.json"
"$gen" profile-schema >"$out/schemas/profile.schema.json"

insert() { # page, table
	"$gen" "$2" >"$out/$2.tmp"
	awk -v table="$out/$2.tmp" -v from="<!-- begin: $2 -->" -v to="<!-- end: $2 -->" '
		$0 == to { skip = 0 }
		!skip { print }
		$0 == from { skip = 1; while ((getline line < table) > 0) print line }
	' "docs/$1" >"$out/$1.tmp"
	rm "$out/$2.tmp"
	mv "$out/$1.tmp" "$out/$1"
}
insert configuration.md config-keys
insert profiles.md profile-keys
