#!/bin/bash
# SPDX-License-Identifier: MIT
# completion-test.sh PREFIX: what bash offers for the programs below PREFIX.
set -u
prefix=$1
failed=0
# shellcheck disable=SC1091 # Debian's
source /usr/share/bash-completion/bash_completion
# shellcheck disable=SC1091 # installed
source "$prefix/share/bash-completion/completions/labpulse"

# A configuration in which there is a machine, whatever /etc has.
labpulse() {
	if [ "$*" = "check --json" ]; then
		"$prefix/bin/labpulse" check "$prefix/share/doc/labpulse/examples/labpulse.yaml" --json \
			--profiles "$prefix/share/labpulse/profiles"
	else
		"$prefix/bin/labpulse" "$@"
	fi
}
labpulsed() { "$prefix/sbin/labpulsed" "$@"; }

offers() { # expected word, words of the line
	local expected=$1
	shift
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMPREPLY=()
	COMP_POINT=${#COMP_LINE}
	_labpulse
	[[ " ${COMPREPLY[*]} " == *" $expected "* ]] || {
		echo "completion: $* offers ${COMPREPLY[*]:-nothing}, not $expected"
		failed=1
	}
}

offers maintenance labpulse main
offers --control labpulse read --c
offers laser-1 labpulse explain ""
offers critical labpulse test-alarm laser-1 --severity ""
offers fleet labpulse simulate fl
offers --profiles labpulsed --pro
offers warning labpulsed --log-level w
offers "$prefix/share/doc/labpulse/examples" labpulsed -c "$prefix/share/doc/labpulse/ex"
exit "$failed"
