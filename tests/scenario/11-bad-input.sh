# Whatever is typed wrong is answered by one sentence that names the culprit and the remedy, on
# stderr, with the exit code of the table, and before anything was asked of NATS (there is
# none here).
. "$(dirname "$0")/../support/lib.sh"
export NATS_URL=nats://127.0.0.1:9		# nobody listens: reaching for it would be exit 6

# wrong EXPECTED "CULPRIT" "REMEDY" CMD…
wrong() {
	expected=$1 culprit=$2 remedy=$3
	shift 3
	code "$expected" "$AEGIS" "$@"
	silent stdout
	head -n 1 "$T/stderr" >"$T/sentence"
	says sentence "$culprit"
	says sentence "$remedy"
	[ "$(grep -cv '^usage: ' "$T/stderr")" -eq 1 ] || { cat "$T/stderr"; fail "more than one sentence: $*"; }
}

# Words and options.
wrong 2 "'registri'" "did you mean 'registry'" registri ls
wrong 2 "'lss'" "did you mean 'ls'" registry lss
wrong 2 "'--instanses'" "did you mean --instances" registry ls --instanses
wrong 2 "'--nonsense'" "a command is missing" --nonsense
wrong 2 "'more'" "too many" registry ls more
wrong 2 "NAME" "missing" registry get
wrong 2 "METHOD" "missing" call greeter
wrong 2 "--output" "table|json|ndjson" registry ls --output
wrong 2 "'yaml'" "table, json or ndjson" registry ls -o yaml
wrong 2 "'tcsh'" "bash, zsh or fish" completion tcsh
wrong 2 "'nope'" "aegis help" help nope
wrong 2 "--" "behind" run-service --name a-service
wrong 2 "--name" "SERVICE_NAME" run-service -- true

# Values.
wrong 2 "'5x'" "2s" registry ls --timeout 5x
wrong 2 "'5'" "2s" registry ls --timeout 5
wrong 2 "10m" "1s to 5m" registry ls --stale-threshold 10m
wrong 2 "99999" "1 to 65535" run-service --name a-service --app-port 99999 -- true
wrong 2 "'abc'" "42" registry rm x-y --if-revision abc
wrong 2 "'ws://'" "nats://" registry ls -s ws://localhost:1
wrong 2 "'localhost:123456'" "host:4222" registry ls -s nats://localhost:123456
wrong 2 "--app-port" "exclude" run-service --name a-service --app-port 80 --app-stdio -- true
wrong 2 "--heartbeat-interval" "shorter" run-service --name a-service --heartbeat-interval 40s -- true
wrong 2 "--metrics-listen" "127.0.0.1:9464" run-service --name a-service --metrics-listen 9464 -- true
wrong 2 "'SIGNOTHING'" "TERM" run-service --name a-service --stop-signal SIGNOTHING -- true
wrong 2 "'novalue'" "KEY=VALUE" run-service --name a-service --metadata novalue -- true
wrong 2 "--metadata: 'zone'" "twice" run-service --name a-service --metadata zone=a --metadata x=1 --metadata zone=b -- true
wrong 2 "--tls-key" "--tls-cert" registry ls --tls-cert /dev/null

# Names: the character that is not allowed, and where.
wrong 2 "'.' is not allowed at position 2" "use" registry get a.b
wrong 2 "'_' is not allowed" "use" run-service --name a_service -- true
wrong 2 "'A'" "at the start" run-service --name A -- true
wrong 2 "'.' is not allowed at position 2" "use" run-service --name a-service --instance-id a.b -- true
wrong 2 "'é'" "use" call greeter é
wrong 2 "'1.0'" "1.0.0" run-service --name a-service --version 1.0 -- true
wrong 2 "'*'" "use" call '*' x
wrong 2 "a blank is not allowed at position 2" "use" registry history 'a b'

# Files and what stands in them: line and column.
wrong 2 "/nowhere/x.json" "No such file" registry put /nowhere/x.json
wrong 2 "'/'" "directory" registry put /
wrong 2 "/nowhere" "No such file" registry ls --config /nowhere
wrong 2 "/nowhere/ca" "No such file" registry ls --tls-ca /nowhere/ca
wrong 2 "/nowhere/seed" "No such file" registry ls --nkey /nowhere/seed
wrong 2 "/nowhere/pw" "No such file" registry ls --user u --password-file /nowhere/pw
printf '{\n  "service_name": "a-service",\n  "owner": oops\n}\n' >"$T/bad.json"
wrong 2 "$T/bad.json" "line 3, column 12" registry put "$T/bad.json"
printf '{"service_name":"a-service","owner":"o","version":"1.0.0","description":"d","ovner":"x"}' >"$T/bad.json"
wrong 2 "ovner" "owner" registry put "$T/bad.json"
printf '{"service_name":"a--service","owner":"o","version":"1.0.0","description":"d"}' >"$T/bad.json"
wrong 2 "a--service" "--" registry put "$T/bad.json"
printf '{"service_name":"a-service","owner":"o","version":"01.0.0","description":"d"}' >"$T/bad.json"
wrong 2 "01.0.0" "leading zero" registry put "$T/bad.json"
printf '{"service_name":"a-service","owner":7,"version":"1.0.0","description":"d"}' >"$T/bad.json"
wrong 2 "owner" "text" registry put "$T/bad.json"
printf '{"service_name":"a-service","version":"1.0.0"}' >"$T/bad.json"
wrong 2 "owner" "missing" registry put "$T/bad.json"
printf '[]' >"$T/bad.json"
wrong 2 "$T/bad.json" "must be a map" registry put "$T/bad.json"
: >"$T/bad.json"
wrong 2 "$T/bad.json" "empty" registry put "$T/bad.json"
wrong 2 "parameters" "object" call greeter greet '[1]'
wrong 2 "parameters" "1:" call greeter greet '{bad'
wrong 2 "twice" "--data" call greeter greet '{}' -d '{}'
wrong 2 "/nowhere" "No such file" call greeter greet @/nowhere

# What was typed reaches the terminal harmless.
code 2 "$AEGIS" registry get "$(printf 'a\033[31mb')"
if grep -q "$(printf '\033')" "$T/stderr"; then fail "an escape sequence got through"; fi

# Only a good command line gets as far as NATS.
wrong 6 "127.0.0.1:9" "NATS_URL" registry ls --timeout 2s
