#!/bin/sh
# greeter.sh - a service in plain shell, to show that a program needs no library:
#
#	aegis run-service --name greeter --app-stdio -- ./greeter.sh
#	aegis call greeter greet '{"name": "world"}'
#
# Each line on stdin is one request, {"id":…,"kind":"rpc","name":METHOD,"params":{…},…}; each
# line on stdout is one answer with the same id.  Text that came in stays escaped as it came,
# so it can be put into an answer as it is.

# string: takes the JSON string that $rest begins with into $value, still escaped, and
# leaves in $rest what follows.  A quote behind an odd number of backslashes is inside.
string() {
	value='' rest=${rest#\"}
	while :; do
		case $rest in
		*\"*) ;;
		*) return 1 ;;		# the line was cut
		esac
		part=${rest%%\"*} rest=${rest#*\"} value=$value$part
		while [ "${part%\\\\}" != "$part" ]; do
			part=${part%\\\\}
		done
		[ "${part%\\}" != "$part" ] || return 0
		value=$value\"
	done
}

# after KEY: moves $rest behind KEY and its colon; fails when it is not there.
after() {
	case $rest in
	*"\"$1\":"*) rest=${rest#*"\"$1\":"} ;;
	*) return 1 ;;
	esac
	while [ "${rest# }" != "$rest" ]; do
		rest=${rest# }
	done
}

answer() {
	printf '{"id":"%s","result":%s}\n' "$id" "$1"
}

while IFS= read -r line; do
	rest=$line
	{ after id && string; } || continue
	id=$value
	{ after kind && string; } || continue
	[ "$value" = rpc ] || continue		# cancel and role need no answer
	{ after name && string; } || continue
	method=$value
	params='{}'
	if after params; then
		params=${rest%,\"headers\":*}		# quotes inside headers are escaped: the last is it
		[ "$params" != "$rest" ] || params=${rest%,\"deadline_ms\":*}
		[ "$params" != "$rest" ] || params=${rest%\}}
	fi
	case $method in
	greet)
		rest=$params value=world
		if after name; then
			case $rest in
			\"*) string || continue ;;
			esac
		fi
		answer "{\"greeting\":\"Hello, $value!\"}"
		;;
	echo) answer "$params" ;;
	health) answer '{"status":"ok"}' ;;
	*) printf '{"id":"%s","error":"no method %s; there are greet, echo and health"}\n' "$id" "$method" ;;
	esac
done
