// leader.mjs - the leader key of wire.md §9, as a Python member reads and writes it.
//
//	node leader.mjs read SERVICE GROUP		what its parser makes of the value; "none" without one
//	node leader.mjs write SERVICE GROUP INSTANCE AGE	a Python leader's value, whose last heartbeat is AGE s old
//	node leader.mjs remove SERVICE GROUP
//
// The parser is strict where Python's is: instance_id a string, both times real numbers, metadata a map.
import { Kvm } from "@nats-io/kv";
import { link } from "./sdk.mjs";

const [verb, service, group, instance, age] = process.argv.slice(2);
const nc = await link();
const bucket = `election_${service.replaceAll("-", "_")}`;
const key = `sticky-active__${service.toLowerCase()}__${group}__leader`;
const kvm = new Kvm(nc);

if (verb === "write") {
	const kv = await kvm.create(bucket, { history: 10 });
	const now = Date.now() / 1000;
	await kv.put(key, JSON.stringify({ instance_id: instance, elected_at: now - 100.5, last_heartbeat: now - Number(age),
		metadata: { start_time: new Date().toISOString() } }));
} else if (verb === "remove") {
	const kv = await kvm.create(bucket, { history: 10 });
	await kv.purge(key);
} else {
	const entry = await kvm.open(bucket).then((kv) => kv.get(key)).catch(() => null);
	console.log(entry?.operation === "PUT" && entry.length > 0 ? JSON.stringify(parse(entry.string())) : '"none"');
}
await nc.drain();

function parse(text) {
	const v = JSON.parse(text);
	const real = (x) => typeof x === "number" && Number.isFinite(x);
	if (typeof v.instance_id !== "string" || !real(v.elected_at) || !real(v.last_heartbeat) ||
	    typeof v.metadata !== "object" || v.metadata === null || Array.isArray(v.metadata))
		throw new Error(`not a leader: ${text}`);
	// Times are floats on the wire, also where they are whole.
	for (const name of ["elected_at", "last_heartbeat"])
		if (!new RegExp(`"${name}": ?[0-9]+\\.[0-9]`).test(text))
			throw new Error(`${name} is no float: ${text}`);
	return { instance_id: v.instance_id, age: Date.now() / 1000 - v.last_heartbeat, elected_at: v.elected_at, metadata: v.metadata };
}
