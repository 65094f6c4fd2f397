# Members that do not fit together: two with one name, one with another lease, all started anew at once, one whose
# credentials are taken away. No two programs run at a time, and somebody leads again within the bound.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/elect.sh"
nats_start nats "$NATS_SERVER" 'authorization { users: [ { user: one, password: pw }, { user: two, password: pw } ] }'
address=${NATS_URL#nats://}
export NATS_URL=nats://one:pw@$address
now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# --- two under one name: told apart by what they drew at their start ---
candidate twin
until_true 10 begun_by 1 twin
first=$(pid_of twin)
candidate twin
second=$(pid_of twin)
until_true 10 log_has twin 'takes part in the election'
[ "$(begun)" -eq 1 ] || fail "both of one name began"
kill -KILL "$first"
until_true 10 begun_by 2 twin
[ "$(last 4)" != "$first" ] && ! ended twin || fail "the second one did not take over"
exclusive
kill -TERM "$second"
until_true 10 ended twin

# --- different leases: whoever comes with another one than the group's is refused, and told what to do ---
n=$(begun)
spawn slow env AEGIS_PROFILE=wan "$AEGIS" elect mixed --id slow -- "$T/job"
until_true 10 begun_by $((n + 1)) slow
code 2 env AEGIS_PROFILE=fast "$AEGIS" elect mixed --id quick -- "$T/job"
says stderr "uses profile 'wan', not 'fast'"
says stderr "use it here, too, or stop them all and type"
remedy=$(sed -n 's/.*`aegis \(elect mixed --repair [^`]*\)`.*/\1/p' "$T/stderr")
# Left out, it is the group's.
spawn quick env -u AEGIS_PROFILE "$AEGIS" elect mixed --id quick -- "$T/job"
until_true 10 log_has quick 'takes part in the election'
died=$(now_ms)
end slow KILL
until_true 10 begun_by $((n + 2)) quick
[ $(($(now_ms) - died)) -ge 4000 ] || fail "it did not wait for the lease of the dead one, which may last 4 s"
# The other way out is what was told to type, once nobody leads.
read -ra words <<<"$remedy"
code 5 "$AEGIS" "${words[@]}" --yes
says stderr "'quick' leads group 'mixed' of aegis elect"
end quick
code 2 "$AEGIS" "${words[@]}" </dev/null
says stderr "nothing was changed"
code 2 "$AEGIS" elect mixed --repair --set-profile hasty --yes
code 2 "$AEGIS" elect mixed --repair --set-fence wire --yes
code 2 "$AEGIS" elect mixed --observe --set-profile fast
code 3 "$AEGIS" elect nothing-known --repair --set-profile fast --yes
code 0 "$AEGIS" "${words[@]}" --yes --json
json 'v.group === "mixed" && v.profile === "fast" && v.fence === "gate"'
n=$(begun)
spawn quick env AEGIS_PROFILE=fast "$AEGIS" elect mixed --id quick -- "$T/job"
until_true 10 begun_by $((n + 1)) quick
code 2 env AEGIS_PROFILE=relaxed "$AEGIS" elect mixed --id slow -- "$T/job"
end quick
exclusive

# --- different leases of the first two, started at once: one of them is told, and the other one leads ---
both=(relaxed wan)
for p in "${both[@]}"; do spawn "$p" env AEGIS_PROFILE="$p" "$AEGIS" elect raced --id "$p" -- "$T/job"; done
one_of_both() {
	ended relaxed || ended wan
}
until_true 30 one_of_both
told=relaxed stays=wan
ended relaxed || told=wan stays=relaxed
end "$told"
[ "$rc" -eq 2 ] || fail "the one that was too late with its profile ends with $rc"
says "$told.log" "uses profile '$stays', not '$told'"
until_true 30 begun_by $((n + 2)) "$stays"
! ended "$stays" || fail "both were refused"
end "$stays"
exclusive

# --- all members die and come back at once: one wait, then one of them ---
for m in a b c; do candidate $m; done
n=$(begun)
until_true 10 begun_by $((n + 1))
for m in a b c; do until_true 10 log_has $m 'takes part in the election'; done
n=$(begun)
for m in a b c; do kill -KILL "$(pid_of $m)"; done
back=$(now_ms)
for m in a b c; do candidate $m; done
until_true 10 begun_by $((n + 1))
# L of the profile is 5.5 s; starting three programs on a busy machine comes on top.
echo "it took $(($(now_ms) - back)) ms until one of three led again"
for m in a b c; do until_true 10 log_has $m 'takes part in the election'; done
[ "$(begun)" -eq $((n + 1)) ] || fail "more than one began"
for m in a b c; do end $m; done
exclusive

# --- credentials are taken away: as if the link were cut; whoever has others leads ---
n=$(begun)
candidate one
until_true 10 begun_by $((n + 1)) one
NATS_URL=nats://two:pw@$address
candidate two
until_true 10 log_has two 'takes part in the election'
old=$(program)
sed -i 's/{ user: one, password: pw }, //' "$T/nats.conf"
kill -HUP "$(pid_of nats)"
until_true 10 dead "$old"
until_true 10 begun_by $((n + 2)) two
! ended one || fail "the one without credentials ended instead of waiting for others"
until_true 10 grep -qi 'authorization\|authentication' "$T/one.log"
[ "$(grep -ci 'authorization\|authentication' "$T/one.log")" -le 40 ] || fail "the log is flooded"
# They are given back: it takes part again, without being started anew.
sed -i 's/users: \[ /users: [ { user: one, password: pw }, /' "$T/nats.conf"
kill -HUP "$(pid_of nats)"
back_in() {
	"$AEGIS" elect jobs --step-down --to one --json >"$T/stdout" 2>"$T/stderr"
}
until_true 30 back_in
until_true 10 begun_by $((n + 3)) one
end one
end two
exclusive
