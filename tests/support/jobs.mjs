// jobs.mjs - a workload that works off commands.
//
//	node jobs.mjs stdio		node jobs.mjs http SOCKET
//
// Each run is a line in $APP_LOG before anything else happens with it.  What a command does
// is told by its payload: {ms} takes that long, {fail} fails with that text, {die} ends the
// process, {steps} tells its progress (stdio), {gate} waits until that file exists.
import { appendFileSync, existsSync } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

const [mode, socket] = process.argv.slice(2);
const cancelled = new Set();
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function note(what) {
	appendFileSync(process.env.APP_LOG, `${JSON.stringify({ at: Date.now(), instance: process.env.AEGIS_INSTANCE, ...what })}\n`);
}

async function run(name, id, payload, delivery, progress) {
	note({ command: name, id, delivery, job: payload.job });
	for (let i = 1; i <= (payload.steps ?? 0); i++)
		progress((100 * i) / payload.steps, `step ${i}`);
	if (payload.die)
		process.exit(9);
	const end = Date.now() + (payload.ms ?? 0);
	while ((Date.now() < end || (payload.gate && !existsSync(payload.gate))) && !cancelled.has(id))
		await pause(10);
	if (cancelled.has(id)) {
		note({ stopped: id });
		throw new Error("stopped");
	}
	if (payload.fail)
		throw new Error(payload.fail);
	return { done: true, echo: payload, instance: process.env.AEGIS_INSTANCE, delivery };
}

if (mode === "stdio") {
	const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
	for await (const line of createInterface({ input: process.stdin })) {
		const q = JSON.parse(line);
		if (q.kind === "cancel")
			cancelled.add(q.id);
		if (q.kind !== "command")
			continue;
		run(q.name, q.id, q.params, Number(q.headers["Aegis-Delivery"]),
		    (progress, status) => say({ id: q.id, progress, status })).then(
		    (result) => say({ id: q.id, result }), (e) => say({ id: q.id, error: e.message }));
	}
} else {
	createServer(async (req, res) => {
		const [, kind, name, id] = req.url.split("/").map(decodeURIComponent);
		let body = "";
		for await (const part of req)
			body += part;
		if (req.method === "DELETE" && kind === "commands") {
			cancelled.add(id);
			res.writeHead(204).end();
			return;
		}
		if (req.method !== "POST" || kind !== "commands")
			return res.writeHead(404).end("no such thing");
		try {
			const result = await run(name, req.headers["aegis-message-id"], JSON.parse(body),
			    Number(req.headers["aegis-delivery"]), () => {});
			res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(result));
		} catch (e) {
			res.writeHead(500, { "content-type": "text/plain" }).end(e.message);
		}
	}).listen({ path: socket });
}
