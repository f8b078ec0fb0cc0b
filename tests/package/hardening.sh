#!/bin/sh
# SPDX-License-Identifier: MIT
# hardening.sh PROGRAM...: that each was built with what the Makefile calls HARDEN, seen in the file
# itself. OBJDUMP (objdump) has to know the processor.
set -eu
failed=0
dump=${OBJDUMP:-objdump}

bad() { # program, what
	echo "hardening: $1: $2"
	failed=1
}

segments() { # program: type and flags of its segments, one a line
	readelf -lW "$1" | sed -n 's/^ *\(GNU_STACK\|LOAD\|GNU_RELRO\) .* \([R ][W ][E ]\) *0x.*/\1 \2/p'
}

# The instructions of one kind that only a flag of the compiler brings.
instructions() { # program, pattern
	"$dump" -d --no-show-raw-insn "$1" | grep -cE "$2" || true
}

check() {
	p=$1
	dynamic=$(readelf -dW "$p")
	symbols=$(readelf --dyn-syms -W "$p")
	case $(readelf -hW "$p") in *"Type:"*"DYN"*) ;; *) bad "$p" "not position independent" ;; esac
	case $dynamic in *FLAGS_1*PIE*) ;; *) bad "$p" "no PIE" ;; esac
	case $dynamic in *FLAGS_1*NOW*) ;; *) bad "$p" "its symbols are bound late (no BIND_NOW)" ;; esac
	case $dynamic in *TEXTREL*) bad "$p" "relocations in its text" ;; esac
	case $dynamic in *RPATH* | *RUNPATH*) bad "$p" "a library path of its own" ;; esac
	segments "$p" | grep -q '^GNU_RELRO' || bad "$p" "no RELRO"
	segments "$p" | grep -qx 'GNU_STACK RW ' || bad "$p" "an executable stack"
	! segments "$p" | grep -q 'WE$' || bad "$p" "a segment that is written and executed"
	case $symbols in *__stack_chk_fail*) ;; *) bad "$p" "no stack protector" ;; esac
	case $symbols in *printf_chk*) ;; *) bad "$p" "no FORTIFY_SOURCE" ;; esac
	case $(readelf -hW "$p") in
	*X86-64*)
		[ "$(instructions "$p" 'endbr64')" -gt 50 ] || bad "$p" "no -fcf-protection"
		[ "$(instructions "$p" 'orq +\$0x0,.*\(%rsp\)')" -gt 0 ] || bad "$p" "no -fstack-clash-protection"
		;;
	*AArch64*)
		[ "$(instructions "$p" 'paciasp')" -gt 50 ] || bad "$p" "no -mbranch-protection"
		;;
	esac
}

for program in "$@"; do
	check "$program"
done
exit "$failed"
