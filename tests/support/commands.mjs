// commands.mjs - commands as the Python SDK sends and works them off (wire.md §7.1).
//
//	node commands.mjs send FORMAT SERVICE COMMAND JSON [TIMEOUT-S [MAX-RETRIES [PRIORITY]]]
//		one JSON line: {completion, progress, took}; exit 7 when nothing came
//	node commands.mjs many FORMAT SERVICE COMMAND N	N tracked commands at once; a JSON line for each
//	node commands.mjs post SERVICE COMMAND JSON [PRIORITY [ID [MAX-RETRIES]]]	stored, not followed
//	node commands.mjs work FORMAT SERVICE COMMAND	a worker until it is killed; "ready", then a line for each
//	node commands.mjs queue STREAM			messages in the stream, -1 without one
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { randomUUID } from "node:crypto";
import { Float, bytes, link, now, read } from "./sdk.mjs";

const [verb, ...words] = process.argv.slice(2);
const nc = await link();
const js = jetstream(nc);

function command(target, name, payload, { timeout = 300, max_retries = 3, priority = "normal", id = randomUUID() } = {}) {
	return { message_id: id, trace_id: randomUUID(), correlation_id: null, timestamp: now(),
		source: "py-client-7e731913", target, command: name, payload, priority, max_retries, timeout: new Float(timeout) };
}

// A sender set to JSON reads nothing else; one set to MessagePack reads both.
function reads(format, data) {
	const got = read(data);
	if (format === "json" && got.format !== "json")
		throw new Error("a JSON sender cannot read MessagePack");
	return got.map;
}

async function send(format, service, name, payload, options = {}) {
	const map = command(service, name, payload, options), began = Date.now(), progress = [];
	let done;
	const completion = new Promise((resolve) => (done = resolve));
	const subs = [
		nc.subscribe(`commands.progress.${map.message_id}`, { callback: (e, m) => progress.push(reads(format, m.data)) }),
		nc.subscribe(`commands.callback.${map.message_id}`, { callback: (e, m) => done(reads(format, m.data)) }),
	];
	const late = setTimeout(() => done(null), (options.wait ?? options.timeout ?? 300) * 1000);
	await js.publish(`commands.${service}.${name}`, bytes(format, map));
	const got = await completion;
	clearTimeout(late);
	subs.forEach((s) => s.unsubscribe());
	return { id: map.message_id, completion: got, progress, took: Date.now() - began };
}

if (verb === "send") {
	const [format, service, name, payload, timeout = 120, max_retries = 3, priority = "normal"] = words;
	const out = await send(format, service, name, JSON.parse(payload), { timeout: Number(timeout),
		max_retries: Number(max_retries), priority, wait: Math.max(120, Number(timeout)) });
	console.log(JSON.stringify(out));
	process.exitCode = out.completion ? 0 : 7;
} else if (verb === "many") {
	const [format, service, name, n] = words;
	await Promise.all(Array.from({ length: Number(n) }, async (_, job) =>
		console.log(JSON.stringify({ job, ...await send(format, service, name, { job, ms: 30 }, { timeout: 300 }) }))));
} else if (verb === "post") {
	const [service, name, payload, priority = "normal", id, max_retries = 3] = words;
	await js.publish(`commands.${service}.${name}`, bytes("msgpack", command(service, name, JSON.parse(payload),
		{ priority, id, max_retries: Number(max_retries) })));
} else if (verb === "work") {
	const [format, service, name] = words;
	const jsm = await jetstreamManager(nc), durable = `${service}-${name}`, inbox = `_INBOX.${randomUUID()}`;
	try {
		await jsm.streams.info("COMMANDS");
	} catch {
		await jsm.streams.add({ name: "COMMANDS", subjects: ["commands.>"], retention: "workqueue", max_msgs: 10000 });
	}
	// As after any restart of it, the worker goes on with its durable.
	await jsm.consumers.add("COMMANDS", { durable_name: durable, deliver_subject: inbox,
		filter_subject: `commands.${service}.${name}`, ack_policy: "explicit" });
	nc.subscribe(inbox, { callback: (e, m) => {
		if (m.data.length === 0)
			return m.respond();		// flow control and heartbeats
		const map = read(m.data).map, id = map.message_id;
		nc.publish(`commands.progress.${id}`, bytes(format, { command_id: id, progress: new Float(50), status: "working",
			timestamp: new Float(Date.now() / 1000 + 0.0001) }));
		nc.publish(`commands.callback.${id}`, bytes(format, { command_id: id, status: "completed",
			result: { done: true, echo: map.payload, by: "py" } }));
		m.respond("+ACK");
		console.log(JSON.stringify(map));
	} });
	await nc.flush();
	console.log("ready");
	await nc.closed();
} else if (verb === "queue") {
	const jsm = await jetstreamManager(nc);
	console.log(await jsm.streams.info(words[0]).then((i) => i.state.messages, () => -1));
} else {
	console.error(`commands.mjs: no verb '${verb}'`);
	process.exitCode = 2;
}
await nc.drain();
