# SPDX-License-Identifier: MIT
# bash completion for labpulse, labpulsed and labpulse-alertmanager. Commands and options are asked of
# the programs, machines of the configuration, so nothing here can fall behind them.

# The options in a --help: lines that begin with two blanks and a dash.
_labpulse_options() { # program and command
	"$@" --help 2>/dev/null | sed -n 's/^  \(-[a-z], \)\?\(-[-a-z]*\).*/\2/p'
}

# Machines of the configuration, where it may be read.
_labpulse_machines() {
	labpulse check --json 2>/dev/null | grep -o '"id":"[^"]*","class"' | cut -d '"' -f 4
}

# What follows an option that has a value; 1: it is not one of these.
_labpulse_value() { # option
	case $1 in
	-c | --config | --profile | --write-config) _filedir yaml ;;
	--ca-file | --cert-file | --key-file | --password-file | --control) _filedir ;;
	--profiles | --dir) _filedir -d ;;
	--log-level) COMPREPLY=($(compgen -W "error warning info debug" -- "$cur")) ;;
	--severity) COMPREPLY=($(compgen -W "info warning error critical" -- "$cur")) ;;
	--color) COMPREPLY=($(compgen -W "auto always never" -- "$cur")) ;;
	--lang) COMPREPLY=($(compgen -W "ru en" -- "$cur")) ;;
	--park | --machine) ;;
	--user | --broker | --topic-root | --timeout | --every | --period | --from | --to | --expect | --point | \
		--for | --phases | --devices | --registers | --port | --baud | --fleet | --interval | --alarms | --first | --seed | --duration) ;;
	*) return 1 ;;
	esac
}

# The words of a command that are not options.
_labpulse_word() { # command
	case $1 in
	check) _filedir yaml ;;
	scan) COMPREPLY=($(compgen -W "usb rtu: tcp:" -- "$cur")) ;;
	simulate)
		_filedir yaml
		COMPREPLY+=($(compgen -W "lab fleet line printers" -- "$cur"))
		;;
	spool) COMPREPLY=($(compgen -W "export" -- "$cur")) ;;
	usage) COMPREPLY=($(compgen -W "set $(_labpulse_machines)" -- "$cur")) ;;
	read | explain | maintenance | ack | accept | learn | test-alarm)
		COMPREPLY=($(compgen -W "$(_labpulse_machines)" -- "$cur"))
		;;
	esac
}

_labpulse() {
	local cur prev words cword
	_init_completion -n : || return
	_labpulse_value "$prev" && return
	if [[ ${words[0]##*/} != labpulse ]]; then
		COMPREPLY=($(compgen -W "$(_labpulse_options "${words[0]}") --version" -- "$cur"))
	elif [[ $cword -eq 1 ]]; then
		COMPREPLY=($(compgen -W "$(labpulse --help | sed -n 's/^  \([a-z][-a-z]*\) .*/\1/p') --help --version" -- "$cur"))
	elif [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "$(_labpulse_options labpulse "${words[1]}") --help" -- "$cur"))
	else
		_labpulse_word "${words[1]}"
	fi
} && complete -F _labpulse labpulse labpulsed labpulse-alertmanager
