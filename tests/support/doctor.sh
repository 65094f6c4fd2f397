# doctor.sh - for scenarios about `aegis doctor`: . "$(dirname "$0")/../support/doctor.sh" after lib.sh.
#
# What is broken must be found with its severity and exit code, its remedy is typed as it stands, and then the doctor
# must be content.  The `nats` tool, which some remedies name, is the official client under its name.
# shellcheck shell=bash

mkdir -p "$T/bin"
ln -sf "$AEGIS" "$T/bin/aegis"
cat >"$T/bin/nats" <<EOF
#!/bin/bash
# The few words of the nats tool that remedies use.
case "\$1 \$2" in
"stream rm") exec node "$SUPPORT/nats.mjs" remove "\$3" ;;
"consumer rm") exec node "$SUPPORT/nats.mjs" unconsume "\$3" "\$4" ;;
"kv del") exec node "$SUPPORT/nats.mjs" del "\$3" "\$4" ;;
*) echo "nats: not known here: \$*" >&2; exit 1 ;;
esac
EOF
chmod +x "$T/bin/nats"
PATH=$T/bin:$PATH

# ask [OPTION…]: the findings into $T/findings, the exit code into $asked.
ask() {
	asked=0
	"$AEGIS" doctor "$@" --json >"$T/findings" 2>"$T/stderr" || asked=$?
}
# found CHECK SEVERITY TEXT [OPTION…]: there is such a finding; $remedy is what it says to type.
found() {
	ask "${@:4}"
	remedy=$(node -e '
		const [, file, check, severity, text] = process.argv;
		const v = JSON.parse(require("fs").readFileSync(file));
		const f = v.find(f => f.check === check && f.severity === severity && f.finding.includes(text));
		if (!f) process.exit(1);
		console.log(f.remedy ?? "");
	' "$T/findings" "$1" "$2" "$3")
}
# sick CHECK SEVERITY CODE TEXT [OPTION…]: it is found (soon), and doctor ends with CODE.
sick() {
	until_true 10 found "$1" "$2" "$4" "${@:5}"
	[ "$asked" -eq "$3" ] || { cat "$T/findings" >&2; fail "doctor ends with $asked, not $3: $1"; }
	echo "found: $1: $4"
	echo "  remedy: $remedy"
}
# typed: the remedy, behind what a person does first ("stop the members, then: …").
typed() {
	bash -ec "${remedy##*then: }" >"$T/typed" 2>&1 </dev/null || { cat "$T/typed" >&2; fail "the remedy fails: $remedy"; }
}
content() {
	ask "$@"
	[ "$asked" -eq 0 ] || { cat "$T/findings"; return 1; }
}
# well [OPTION…]: nothing but notes is left, soon.
well() {
	until_true 10 content "$@"
}
# cured [OPTION…]: by what it said to type.
cured() {
	typed
	well "$@"
}
