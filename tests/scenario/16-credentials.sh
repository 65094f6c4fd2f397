# Every way to prove who one is: password, token, nkey, credentials with a JWT.  The right one
# works, the wrong one ends with exit 4 and a clear sentence, and no secret shows in the
# process list, in a log or in the registry.
. "$(dirname "$0")/../support/lib.sh"
i=$T/ids
mkdir "$i"
js identities "$i"
ls_() { "$AEGIS" registry ls --timeout 60s "$@"; }
refused() {	# the sentence says that it was the credentials
	code 4 "$@"
	silent stdout
	grep -Eiq 'authori[sz]ation|not authenticated|credential' "$T/stderr" || { cat "$T/stderr"; fail "it does not say why"; }
}

# User and password.
printf 's3cret-Pa55\n' >"$i/password"
printf 'wrong-Pa55' >"$i/wrong"
nats_start pw "$NATS_SERVER" 'authorization { user: ann, password: "s3cret-Pa55" }'
code 0 ls_ --user ann --password-file "$i/password"
silent stderr
refused ls_ --user ann --password-file "$i/wrong"
refused ls_
code 0 env NATS_USER=ann NATS_PASSWORD_FILE="$i/password" "$AEGIS" registry ls
silent stderr
code 0 env NATS_USER=ann NATS_PASSWORD=s3cret-Pa55 "$AEGIS" registry ls
says stderr "warning"
says stderr "NATS_PASSWORD"
code 0 ls_ -s "nats://ann:s3cret-Pa55@127.0.0.1:$port"
says stderr "plain sight"
refused ls_ -s "nats://ann:wrong-Pa55@127.0.0.1:$port"
if grep -q 'wrong-Pa55' "$T/stderr"; then fail "a password in an error sentence"; fi
# There is no option that takes the secret itself.
code 2 ls_ --user ann --password s3cret-Pa55
if grep -q 's3cret-Pa55' "$T/stderr"; then fail "a password repeated on the terminal"; fi

# A long-running wrapper: nothing of the secret in ps, in its log, or in its record; and its
# program gets none of it by chance.
export NATS_USER=ann NATS_PASSWORD_FILE=$i/password
spawn wrap "$AEGIS" run-service --name greeter --instance-id g1 --app-stdio --log-level debug -- \
    sh "$ROOT/deploy/examples/greeter.sh"
until_true 10 registered greeter g1
ps -ww -eo args >"$T/ps"
if grep -q 's3cret-Pa55' "$T/ps"; then fail "the password is in the process list"; fi
if grep -q 's3cret-Pa55' "$T/wrap.log"; then fail "the password is in the log"; fi
code 0 "$AEGIS" registry get greeter/g1 --json
if grep -q 's3cret-Pa55' "$T/stdout"; then fail "the password is in the record"; fi
end wrap
unset NATS_USER NATS_PASSWORD_FILE
end pw

# Token: a file, its variable, a descriptor.
printf 't0ken-0123456789' >"$i/token"
nats_start token "$NATS_SERVER" 'authorization { token: "t0ken-0123456789" }'
code 0 ls_ --token-file "$i/token"
code 0 env AEGIS_TOKEN_FILE="$i/token" "$AEGIS" registry ls
exec 7<"$i/token"
code 0 ls_ --token-fd 7
exec 7<&-
refused ls_ --token-file "$i/wrong"
end token

# Nkey.
nats_start nkey "$NATS_SERVER" "authorization { users: [ { nkey: $(cat "$i/good.pub") } ] }"
code 0 ls_ --nkey "$i/good.nk"
code 0 env NATS_NKEY="$i/good.nk" "$AEGIS" registry ls
refused ls_ --nkey "$i/wrong.nk"
code 2 ls_ --nkey "$i/password"
says stderr "$i/password"
end nkey

# Credentials file: operator, account, user.
nats_start jwt "$NATS_SERVER" "operator: \"$i/operator.jwt\"" "resolver: MEMORY" \
    "system_account: $(cat "$i/system.pub")" \
    "resolver_preload: { $(cat "$i/account.pub"): $(cat "$i/account.jwt"), $(cat "$i/system.pub"): $(cat "$i/system.jwt") }"
code 0 ls_ --creds "$i/user.creds"
code 0 env NATS_CREDS="$i/user.creds" "$AEGIS" registry ls
refused ls_ --creds "$i/foreign.creds"
refused ls_
code 2 ls_ --creds "$i/nowhere.creds"
says stderr "$i/nowhere.creds"

# Allowed in, but not to everything: refused, not timed out in silence.
end jwt
nats_start perms "$NATS_SERVER" 'authorization { users: [
    { user: reader, password: "r", permissions: { publish: { allow: ["$JS.API.INFO"] }, subscribe: [ "_INBOX.>" ] } },
    { user: all, password: "a" } ] }'
printf r >"$i/r"
printf a >"$i/a"
code 0 ls_ --user all --password-file "$i/a"
code 4 "$AEGIS" registry ls --timeout 5s --user reader --password-file "$i/r"
says stderr "ermission"
