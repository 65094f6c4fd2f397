# outgoing.sh - for scenarios about the local API, after lib.sh and wrap.sh.
# shellcheck shell=bash

# porter NAME OPTION…: a wrapped workload with a local API; its variables are in $T/NAME.env.
porter() {
	p=$1
	shift
	wrap "$p" "$@" --app-stdio -- node "$S/outgoing.mjs" "$T/$p.env"
	until_true 10 test -s "$T/$p.env"
}

# api NAME PATH CURL-OPTION…: a request to the local API of NAME with its token; the status is in
# $status, the head in $T/head, the body in $T/body.
api() {
	# shellcheck disable=SC1090
	. "$T/$1.env"
	ask "$2" -H "Authorization: Bearer $AEGIS_API_TOKEN" "${@:3}"
}
# ask PATH CURL-OPTION…: the same at $AEGIS_API without a token.
ask() {
	case $AEGIS_API in
	unix:*) at=(--unix-socket "${AEGIS_API#unix:}" "http://localhost$1") ;;
	*) at=("$AEGIS_API$1") ;;
	esac
	status=$(curl -sS -m 60 -D "$T/head" -o "$T/body" -w '%{http_code}' "${at[@]}" "${@:2}" 2>"$T/curl.err") || :
}
# posts EXPECTED NAME PATH JSON [CURL-OPTION…]; gets EXPECTED NAME PATH: the status is EXPECTED.
posts() {
	api "$2" "$3" -X POST -H 'Content-Type: application/json' -d "$4" "${@:5}"
	status_was "$1" "$3"
}
gets() {
	api "$2" "$3" "${@:4}"
	status_was "$1" "$3"
}
status_was() {
	[ "$status" = "$1" ] || { cat "$T/body" "$T/curl.err" >&2; fail "$2: status $status, not $1"; }
}
# head_says TEXT: the head of the answer has it.
head_says() {
	grep -qiF -- "$1" "$T/head" || { cat "$T/head" >&2; fail "the head does not say: $1"; }
}
# error_is CODE: the body is an error with that code, in both shapes.
error_is() {
	is "[\"$1\",$status,true]" '[m.error.code, m.status, m.type === "urn:aegis:problem:" + m.error.code.toLowerCase().replaceAll("_", "-") &&
	    m.detail === m.error.message && m.detail.length > 0 && m.request_id.length === 36]' "$T/body"
}
# envelopes FILE: the messages that listen saw in $T/FILE.out as envelopes, one JSON line each.
envelopes() {
	node --input-type=module -e '
		import { readFileSync } from "node:fs";
		const { read } = await import(process.argv[2]);
		for (const line of readFileSync(process.argv[1], "utf8").split("\n").filter((l) => l.startsWith("{"))) {
			const m = JSON.parse(line);
			console.log(JSON.stringify({ subject: m.subject, headers: m.headers,
			    ...read(m.hex ? Buffer.from(m.hex, "hex") : Buffer.from(m.text)).map }));
		}' "$T/$1.out" "$S/sdk.mjs"
}
