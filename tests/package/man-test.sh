#!/bin/sh
# SPDX-License-Identifier: MIT
# man-test.sh PREFIX: the manual pages below PREFIX are well formed, every command and option of the
# programs there is in its page, and the tables of keys are those of the program.
set -eu
prefix=$1
here=$(mktemp -d /tmp/labpulse-man.XXXXXX)
trap 'rm -rf "$here"' EXIT
failed=0

bad() {
	echo "man: $*"
	failed=1
}

well_formed() { # page
	words=$(LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null)
	[ -z "$words" ] || bad "$words"
}

# Options are written .Fl -name in a page, and stand behind two blanks in a --help.
options() { # page, command...
	page=$1
	shift
	"$@" --help >"$here/help"
	[ -s "$here/help" ] || bad "$* --help says nothing"
	for option in $(sed -nE 's/^  (-[a-z], )?(-[-a-z]+).*/\1 \2/p' "$here/help" | tr -d ','); do
		grep -qE "(\.|\b)Fl ${option#-}( |$)" "$page" || bad "${page##*/} has no $option of $*"
	done
}

for page in "$prefix"/share/man/man*/labpulse*; do
	well_formed "$page"
done

man1=$prefix/share/man/man1/labpulse.1
options "$prefix/share/man/man8/labpulsed.8" "$prefix/sbin/labpulsed"
options "$prefix/share/man/man8/labpulse-alertmanager.8" "$prefix/sbin/labpulse-alertmanager"
commands=$("$prefix/bin/labpulse" --help | sed -n 's/^  \([a-z][-a-z]*\) .*/\1/p')
[ -n "$commands" ] || bad "labpulse --help names no commands"
for command in $commands; do
	grep -q "^\.It Cm $command\( \|$\)" "$man1" || bad "labpulse.1 has no $command"
	options "$man1" "$prefix/bin/labpulse" "$command"
done

docs/man/keys.sh "$here"
for page in labpulse.yaml.5 labpulse-profile.5; do
	diff "docs/man/$page" "$here/$page" || bad "$page: the table of keys is old: docs/man/keys.sh"
done
grep -q '^\.It Cm park$' "$here/labpulse.yaml.5" && grep -q '^\.It Cm points\[\]\.id$' "$here/labpulse-profile.5" ||
	bad "no tables of keys"
exit "$failed"
