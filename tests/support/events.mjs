// events.mjs - events as the Python SDK publishes and subscribes to them, and a workload that notes
// what it gets; for shell scenarios.  The server is that of NATS_URL.
//
//	node events.mjs subscribe SERVICE PATTERN [broadcast INSTANCE]	"ready", then a JSON line per event
//	node events.mjs publish FORMAT DOMAIN TYPE FROM TO	events with payload {"i": FROM … TO-1}
//	node events.mjs raw SUBJECT TEXT			whatever it is, stored; prints the sequence
//	node events.mjs stream NAME SUBJECT [CONFIG-JSON]
//	node events.mjs app [FLAG…]				stdio; a line in $APP_LOG per message
//	node events.mjs http PORT [FLAG…]			the same over HTTP
//
// FLAGs of the workload: fail (every event), fail-until FILE (exists), slow MS.
import { appendFileSync, existsSync } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { randomUUID } from "node:crypto";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { bytes, link, now, read } from "./sdk.mjs";

const [verb, ...words] = process.argv.slice(2);
const KEYS = ["message_id", "trace_id", "correlation_id", "timestamp", "source", "target", "domain", "event_type",
	"payload", "version"];

// strict: what the SDK's reader says of an event.
function strict(map) {
	const text = (k) => typeof map[k] === "string";
	const maybe = (k) => map[k] === null || text(k);
	for (const k of Object.keys(map))
		if (!KEYS.includes(k))
			return `unknown key ${k}`;
	for (const k of ["message_id", "trace_id", "timestamp", "domain", "event_type", "version"])
		if (!text(k))
			return `${k} is ${map[k]}`;
	for (const k of ["correlation_id", "source", "target"])
		if (!maybe(k))
			return `${k} is ${map[k]}`;
	if (map.payload === null || typeof map.payload !== "object" || Array.isArray(map.payload))
		return "payload is no map";
	if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/.test(map.timestamp))
		return `timestamp ${map.timestamp}`;
	return null;
}

function tell(m) {
	const { format, map } = read(m.data);
	console.log(JSON.stringify({ subject: m.subject, id: m.headers?.get("Nats-Msg-Id") ?? null, format, wrong: strict(map),
		keys: Object.keys(map).join(), ...map }));
}

async function subscribe(service, pattern, mode, instance) {
	const nc = await link(), group = service.toLowerCase();
	if (/[*>]/.test(pattern)) {
		// The SDK acks core messages too: an empty message to whatever inbox they carry.
		nc.subscribe(pattern, { queue: mode === "broadcast" ? undefined : group, callback: (err, m) => {
			tell(m);
			m.respond();
		} });
	} else {
		const jsm = await jetstreamManager(nc), inbox = `_INBOX.${randomUUID()}`;
		const durable = mode === "broadcast" ? `${group}-${pattern.replaceAll(".", "-")}-${instance}` : group;
		const info = await jsm.consumers.info("EVENTS", durable).catch(() => null) ??
		    await jsm.consumers.add("EVENTS", { durable_name: durable, deliver_subject: inbox, filter_subject: pattern,
			deliver_group: mode === "broadcast" ? undefined : group, deliver_policy: "all", ack_policy: "explicit",
			ack_wait: 30e9, max_deliver: -1, max_ack_pending: 1000 });
		nc.subscribe(info.config.deliver_subject, { queue: info.config.deliver_group, callback: (err, m) => {
			tell(m);
			m.respond("+ACK");
		} });
	}
	await nc.flush();
	console.log("ready");
	await nc.closed();
}

async function publish(format, domain, type, from, to) {
	const nc = await link(), js = jetstream(nc);
	const sent = [];
	for (let i = Number(from); i < Number(to); i++) {
		sent.push(js.publish(`events.${domain}.${type}`, bytes(format, { message_id: randomUUID(), trace_id: randomUUID(),
			correlation_id: null, timestamp: now(), source: "py-client-deeb99b1", target: null, domain, event_type: type,
			payload: { i, text: "évènement" }, version: "1.0" })));
		if (sent.length === 200)
			await Promise.all(sent.splice(0));
	}
	await Promise.all(sent);
	await nc.close();
}

// --- a workload ---------------------------------------------------------------------------

function judge(what) {
	appendFileSync(process.env.APP_LOG, `${JSON.stringify({ instance: process.env.AEGIS_INSTANCE, ...what })}\n`);
	const flag = (name) => words.indexOf(name);
	return flag("fail") >= 0 || (flag("fail-until") >= 0 && !existsSync(words[flag("fail-until") + 1]));
}

const slow = words.includes("slow") ? Number(words[words.indexOf("slow") + 1]) : 0;

function app() {
	createInterface({ input: process.stdin }).on("line", (line) => {
		const m = JSON.parse(line);
		const fails = judge(m);
		setTimeout(() => console.log(JSON.stringify(fails ? { id: m.id, error: "cannot do that" } : { id: m.id, result: null })),
			slow);
	});
}

function http(port) {
	createServer((q, a) => {
		let body = "";
		q.on("data", (d) => { body += d; });
		q.on("end", () => {
			const fails = judge({ kind: "http", name: `${q.method} ${q.url}`, headers: q.headers, params: JSON.parse(body || "null") });
			a.statusCode = fails ? 500 : 202;
			a.end(fails ? "cannot do that" : "thanks, and this is no JSON");
		});
	}).listen(Number(port), "127.0.0.1");
}

switch (verb) {
case "subscribe":
	await subscribe(...words);
	break;
case "publish":
	await publish(...words);
	process.exit(0);
	break;
case "raw": {
	const nc = await link();
	console.log((await jetstream(nc).publish(words[0], words[1] ?? "")).seq);
	await nc.close();
	break;
}
case "stream": {
	const nc = await link();
	await (await jetstreamManager(nc)).streams.add({ name: words[0], subjects: [words[1]], ...JSON.parse(words[2] ?? "{}") });
	await nc.close();
	break;
}
case "app":
	app();
	break;
case "http":
	http(words[0]);
	break;
default:
	console.error(`events.mjs: no verb '${verb}'`);
	process.exit(2);
}
