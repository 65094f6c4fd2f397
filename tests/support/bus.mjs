// bus.mjs - the bus as an independent client sees it, for shell scenarios.
//
//	node bus.mjs watch SUBJECT…		"ready", then one JSON line per message
//	node bus.mjs request SUBJECT BODY [MS]	the reply as one JSON line; exit 8 nobody, 7 silent
//	node bus.mjs publish SUBJECT BODY
//	node bus.mjs record SERVICE INSTANCE	what is stored under the instance's key, as stored
//	node bus.mjs bucket-rm BUCKET
//
// BODY is text, or hex:….  The server is that of NATS_URL.
import { connect, headers as makeHeaders } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";

const [verb, ...words] = process.argv.slice(2);
const nc = await connect({ servers: process.env.NATS_URL, maxReconnectAttempts: -1, reconnectTimeWait: 50 });

function shown(m) {
	const headers = {};
	for (const [name, values] of m.headers ?? [])
		headers[name] = values[0];
	const text = new TextDecoder().decode(m.data);
	const line = { at: Date.now(), subject: m.subject, reply: m.reply, headers, size: m.data.length, text };
	try {
		line.json = JSON.parse(text);
	} catch {
		line.hex = Buffer.from(m.data).toString("hex");
	}
	return JSON.stringify(line);
}

function body(text = "") {
	return text.startsWith("hex:") ? Buffer.from(text.slice(4), "hex") : text;
}

if (verb === "watch") {
	for (const subject of words)
		nc.subscribe(subject, { callback: (err, m) => console.log(err ? `error ${err}` : shown(m)) });
	await nc.flush();
	console.log("ready");
	await nc.closed();
} else if (verb === "request") {
	try {
		console.log(shown(await nc.request(words[0], body(words[1]), { timeout: Number(words[2] ?? 30000) })));
	} catch (e) {
		console.error(e.name, e.message);
		process.exitCode = /no responders/i.test(`${e.message} ${e.cause?.message}`) ? 8 : 7;
	}
} else if (verb === "publish") {
	nc.publish(words[0], body(words[1]));
} else if (verb === "record") {
	const jsm = await jetstreamManager(nc);
	const subject = `$KV.service_registry.service-instances__${words[0]}__${words[1]}`;
	const m = await jsm.streams.getMessage("KV_service_registry", { last_by_subj: subject });
	const headers = {};
	for (const [name, values] of m?.header ?? makeHeaders())
		headers[name] = values[0];
	const text = m ? new TextDecoder().decode(m.data) : "";
	console.log(JSON.stringify({ seq: m?.seq ?? 0, headers, text, json: text ? JSON.parse(text) : null }));
} else if (verb === "bucket-rm") {
	await (await jetstreamManager(nc)).streams.delete(`KV_${words[0]}`);
} else {
	console.error(`bus.mjs: no verb '${verb}'`);
	process.exitCode = 2;
}
await nc.drain();
