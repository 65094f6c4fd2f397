# TLS to NATS: the configured CA is the only one that counts, names are checked, a demanded
# client certificate is shown, and each refusal says why.
. "$(dirname "$0")/../support/lib.sh"
c=$T/certs
mkdir "$c"
ca() {		# NAME: an authority
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1 authority" \
	    -keyout "$c/$1.key" -out "$c/$1.pem" 2>"$T/openssl.log"
}
cert() {	# NAME AUTHORITY ALT-NAMES [DAYS]: a certificate by it
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$c/$1.key" \
	    -out "$c/$1.csr" 2>>"$T/openssl.log"
	printf 'subjectAltName=%s\n' "$3" >"$c/$1.ext"
	openssl x509 -req -in "$c/$1.csr" -CA "$c/$2.pem" -CAkey "$c/$2.key" -CAcreateserial -days "${4:-2}" \
	    -extfile "$c/$1.ext" -out "$c/$1.pem" 2>>"$T/openssl.log"
}
ca right
ca wrong
cert server right DNS:localhost,IP:127.0.0.1
cert elsewhere right DNS:elsewhere.example
cert client right DNS:client
cert foreign wrong DNS:foreign

serve() {	# NAME CERTIFICATE [LINES…]
	nats_start "$1" "$NATS_SERVER" "tls { cert_file: \"$c/$2.pem\", key_file: \"$c/$2.key\", ca_file: \"$c/right.pem\"
	    ${3:-} }"
}
ls_() { "$AEGIS" registry ls --timeout 60s "$@"; }

serve plain_tls server
code 0 ls_ -s "tls://127.0.0.1:$port" --tls-ca "$c/right.pem"
code 0 ls_ -s "tls://localhost:$port" --tls-ca "$c/right.pem"
code 0 ls_ -s "nats://localhost:$port" --tls-ca "$c/right.pem"
code 0 env NATS_URL="tls://localhost:$port" NATS_CA="$c/right.pem" "$AEGIS" registry ls

# Refused: a CA that did not sign, also when the machine's own store knows the one that did.
code 6 ls_ -s "tls://localhost:$port" --tls-ca "$c/wrong.pem"
says stderr "certificate"
says stderr "right authority"
code 6 env SSL_CERT_FILE="$c/right.pem" "$AEGIS" registry ls -s "tls://localhost:$port" --tls-ca "$c/wrong.pem" --timeout 60s
says stderr "certificate"
# Without a CA of ours the system's store decides.
code 6 ls_ -s "tls://localhost:$port"
code 0 env SSL_CERT_FILE="$c/right.pem" "$AEGIS" registry ls -s "tls://localhost:$port"
# A server that wants TLS tells a client without it; and OPENSSL_CONF of the machine is not read.
code 0 env OPENSSL_CONF=/nowhere/openssl.cnf "$AEGIS" registry ls -s "tls://localhost:$port" --tls-ca "$c/right.pem"
code 6 ls_ -s "nats://localhost:$port"
end plain_tls

# Another name in the certificate.
serve other_name elsewhere
code 6 ls_ -s "tls://localhost:$port" --tls-ca "$c/right.pem"
says stderr "ostname"
end other_name

# A demanded client certificate: with, without, foreign.
serve demanding server "verify: true"
code 0 ls_ -s "tls://localhost:$port" --tls-ca "$c/right.pem" --tls-cert "$c/client.pem" --tls-key "$c/client.key"
code 6 ls_ -s "tls://localhost:$port" --tls-ca "$c/right.pem"
says stderr "client certificate"
code 6 ls_ -s "tls://localhost:$port" --tls-ca "$c/right.pem" --tls-cert "$c/foreign.pem" --tls-key "$c/foreign.key"
says stderr "client certificate"
code 2 ls_ -s "tls://localhost:$port" --tls-ca "$c/right.pem" --tls-cert "$c/client.pem" --tls-key "$c/foreign.key"

# A whole service over TLS: registered and called.
export NATS_URL=tls://localhost:$port NATS_CA=$c/right.pem NATS_CERT=$c/client.pem NATS_KEY=$c/client.key
spawn wrap "$AEGIS" run-service --name greeter --instance-id g1 --app-stdio -- sh "$ROOT/deploy/examples/greeter.sh"
until_true 10 registered greeter g1
code 0 "$AEGIS" call greeter greet '{"name":"TLS"}'
says stdout "Hello, TLS!"
end wrap
end demanding
unset NATS_CA NATS_CERT NATS_KEY

# A server without TLS where TLS was asked for, and files that are none.
nats_start without_tls
code 6 ls_ -s "tls://127.0.0.1:$port" --tls-ca "$c/right.pem"
says stderr "ecure"
echo "no certificate" >"$c/no.pem"
code 2 ls_ -s "tls://127.0.0.1:$port" --tls-ca "$c/no.pem"
says stderr "$c/no.pem"
