# A contract from the terminal: written against a revision, refused with the place where it is none,
# shown, listed, removed.
. "$(dirname "$0")/../support/lib.sh"
nats_start

code 3 "$AEGIS" registry get order-service --contract
says stderr "has no contract"
cat >"$T/contract.json" <<-J
	// what order-service takes and answers
	{ "methods": { "get_order": {
		"params": { "type": "object", "properties": { "id": { "type": "string", "pattern": "^o-[0-9]+$" } },
		    "required": ["id"], "additionalProperties": false },
		"result": { "type": "object", "properties": { "qty": { "type": "integer", "minimum": 1 } } } } } }
J

# Nothing is written, not even the bucket, by --dry-run or by what is no contract.
code 0 "$AEGIS" registry put order-service "$T/contract.json" --contract --dry-run --json
json 'v.dry_run === true && v.action === "created" && v.revision === 0'
sed 's/"minimum"/"minimun"/' "$T/contract.json" >"$T/bad.json"
code 2 "$AEGIS" registry put order-service --contract "$T/bad.json"
says stderr "/methods/get_order/result"
says stderr "/properties/qty/minimun"
says stderr "did you mean 'minimum'?"
sed 's/"additionalProperties"/"unevaluatedProperties"/' "$T/contract.json" >"$T/bad.json"
code 2 "$AEGIS" registry put order-service --contract "$T/bad.json"
says stderr "mean less than it says"
code 3 "$AEGIS" registry get order-service --contract
code 0 "$AEGIS" registry ls --json
[ "$(cat "$T/stdout")" = "[]" ] || fail "something was written"
code 2 "$AEGIS" registry put order-service --contract
says stderr "SERVICE FILE"
code 2 "$AEGIS" registry put order-service "$T/contract.json"
says stderr "one word too many"
code 2 "$AEGIS" registry put Order/x "$T/contract.json" --contract

# Created, unchanged, replaced against the revision that was seen, refused against another.
code 0 "$AEGIS" registry put order-service --contract "$T/contract.json" --json
json 'v.action === "created" && v.revision === 1 && v.service_name === "order-service"'
code 5 "$AEGIS" registry put order-service --contract "$T/contract.json" --create
code 0 "$AEGIS" registry put order-service --contract "$T/contract.json" --json
json 'v.action === "unchanged" && v.revision === 1'
code 0 "$AEGIS" registry get order-service --contract
cp "$T/stdout" "$T/got.json"
json 'v.revision === 1 && v.methods.get_order.result.properties.qty.minimum === 1' got.json
sed 's/"minimum":1/"minimum":2/; s/"minimum": 1/"minimum": 2/' "$T/got.json" >"$T/next.json"
code 0 "$AEGIS" registry put order-service --contract "$T/next.json" --json
json 'v.action === "replaced" && v.revision === 2'
code 5 "$AEGIS" registry put order-service --contract "$T/got.json"
says stderr "at revision 2, not 1"
code 5 "$AEGIS" registry put order-service --contract "$T/contract.json" --if-revision 1
# What another client sees.
js get aegis_contract order-service >"$T/stored"
json 'JSON.parse(v.value).methods.get_order.result.properties.qty.minimum === 2' stored
json '!("revision" in JSON.parse(v.value))' stored

# ls says that there is one, with a definition and without.
code 0 "$AEGIS" registry ls --json
json 'v.length === 1 && v[0].kind === "contract" && v[0].service_name === "order-service" && v[0].revision === 2'
for name in order-service plain-service; do
	echo "{\"service_name\":\"$name\",\"owner\":\"team-a\",\"description\":\"some\",\"version\":\"1.0.0\"}" >"$T/def.json"
	code 0 "$AEGIS" registry put "$T/def.json"
done
code 0 "$AEGIS" registry ls --json
json 'v.map((x) => x.kind).join() === "definition,definition" && v[0].contract === 2 && v[1].contract === null'
code 0 "$AEGIS" registry ls
says stdout "contract, team-a: some"

# rm: the contract alone, of the revision that is there, after a yes.
code 2 "$AEGIS" registry rm order-service --contract --no-input
code 5 "$AEGIS" registry rm order-service --contract --yes --if-revision 1
code 2 "$AEGIS" registry rm order-service/i-1 --contract --yes
code 0 "$AEGIS" registry rm order-service --contract --yes --dry-run
code 0 "$AEGIS" registry get order-service --contract
code 0 "$AEGIS" registry rm order-service --contract --yes
code 3 "$AEGIS" registry get order-service --contract
code 3 "$AEGIS" registry rm order-service --contract --yes
code 0 "$AEGIS" registry get order-service
code 0 "$AEGIS" registry put order-service --contract "$T/contract.json" --create
