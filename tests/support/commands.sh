# commands.sh - for scenarios about commands, after lib.sh and wrap.sh.
# shellcheck shell=bash
py() {
	node "$S/commands.mjs" "$@"
}
# queue_is N [STREAM]: the stream (COMMANDS) holds N messages.
queue_is() {
	[ "$(py queue "${2:-COMMANDS}")" = "$1" ]
}
# takes NAME SUBJECT: the wrapper NAME gets commands of that subject.
takes() {
	until_true 15 log_has "$1" "taking $2"
}
# runs TEXT: how many lines of the workload's log hold it.
runs() {
	grep -cF -- "$1" "$APP_LOG" || :
}
ran() {
	[ "$(runs "$2")" -ge "$1" ]
}
