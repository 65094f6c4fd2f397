# election.sh - for scenarios about members of a group: . "$(dirname "$0")/../support/election.sh" after
# wrap.sh.
#
# Most use the slowest profile, `wan` (L is 5.5 s): a lease must not run out because the machine is busy.
# shellcheck shell=bash

export COUNTER=$T/counter

# member NAME OPTION… [-- FLAG…]: a wrapper of pay-service that takes part, with the program of app.mjs.
member() {
	m=$1
	shift
	wrap "$m" --name pay-service --instance-id "$m" --single-active --app-stdio "$@" -- node "$S/app.mjs" stdio note-term
}

# leader: who is ACTIVE as the registry shows it; "" for nobody.  The record of one that was killed stands until
# it expires, so the highest epoch counts.
leader() {
	"$AEGIS" registry ls --instances --service pay-service --json >"$T/members" || return 0
	js 'm.filter((x) => x.stickyActiveStatus === "ACTIVE" && x.status === "ACTIVE")
	    .sort((x, y) => y.metadata.epoch - x.metadata.epoch)[0]?.instanceId ?? ""' "$T/members"
}
# leads [NAME]: somebody does, and is NAME.
leads() {
	seen=$(leader)
	[ -n "$seen" ] && [ "$seen" = "${1:-$seen}" ]
}
# leads_after OLD: somebody else does.
leads_after() {
	seen=$(leader)
	[ -n "$seen" ] && [ "$seen" != "$1" ]
}

# adding NAME COUNT: that many sticky calls, one after the other, in the background; for each the exit code
# and what was said, in $T/NAME.out.
adding() {
	spawn "$1" bash -c '
		for i in $(seq 1 "$2"); do
			rc=0
			said=$("$AEGIS" call pay-service add "{\"req\":\"$1-$i\"}" --sticky --timeout 2m --json 2>&1) || rc=$?
			echo "$rc $1-$i $said"
		done
		echo over' adding "$1" "$2"
}
added() {		# added NAME: how many calls are done
	grep -c . "$T/$1.out" || :
}

# books NAME: nothing was executed twice, no acknowledged call was lost, no number was given twice, and epochs
# never went back; prints how many calls are unknown.
books() {
	grep '"add":' "$APP_LOG" >"$T/books.log" || :
	{ grep -E '^[0-9]' "$T/$1.out" || :; } | node -e '
		const { readFileSync } = require("fs");
		const done = readFileSync(process.argv[1], "utf8").trim().split("\n").filter(Boolean).map((x) => JSON.parse(x));
		const said = readFileSync(0, "utf8").trim().split("\n").map((x) => /^(\d+) (\S+) ([^]*)$/.exec(x));
		const wrong = (text) => { console.error(text); process.exit(1); };
		const times = new Map();
		let epoch = 0;
		for (const d of done) {
			times.set(d.add, (times.get(d.add) ?? 0) + 1);
			if (times.get(d.add) > 1) wrong(`${d.add} was executed twice`);
			if (!(Number(d.epoch) >= epoch)) wrong(`epoch ${d.epoch} after ${epoch}`);
			epoch = Number(d.epoch);
		}
		const numbers = new Set();
		let unknown = 0;
		for (const [, rc, req, text] of said) {
			if (rc === "9" || rc === "7") { unknown++; continue; }	// a call that waited for a leader may reach it late
			if (rc !== "0") wrong(`${req} ended with ${rc}: ${text}`);
			const r = JSON.parse(text).result;
			if (r.req !== req || numbers.has(r.n)) wrong(`${req} got ${text}, given before:\n${readFileSync(process.argv[1], "utf8")}`);
			numbers.add(r.n);
			if (!times.has(req)) wrong(`${req} was answered and never executed`);
		}
		console.log(unknown);
	' "$T/books.log"
}
