// outgoing.mjs - a stdio workload that reaches others through its local API alone.
//
//	node outgoing.mjs ENV-FILE
//
// Writes its AEGIS_ variables into ENV-FILE as `NAME=value` lines.  What it sees of /v1/watch, and
// what it gets while it is being stopped, are lines in $APP_LOG.  Methods: chain {path, body}
// posts that with the trace of its caller.  Commands tell their progress by /v1/progress.
import { appendFileSync, renameSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createInterface } from "node:readline";

const env = Object.entries(process.env).filter(([k]) => k.startsWith("AEGIS_")).map(([k, v]) => `${k}='${v}'\n`).join("");
writeFileSync(`${process.argv[2]}.new`, env);
renameSync(`${process.argv[2]}.new`, process.argv[2]);
const note = (what) => appendFileSync(process.env.APP_LOG, `${JSON.stringify(what)}\n`);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const { AEGIS_API: api, AEGIS_API_TOKEN: token } = process.env;

function ask(method, path, body, headers = {}) {
	const at = api.startsWith("unix:") ? { socketPath: api.slice(5) } : { host: new URL(api).hostname, port: new URL(api).port };
	return new Promise((done, fail) => {
		const r = request({ ...at, path, method, headers: { ...headers, authorization: `Bearer ${token}` } }, done);
		r.on("error", fail);
		r.end(body === undefined ? undefined : JSON.stringify(body));	// without a length: in chunks
	});
}

async function whole(answer) {
	const res = await answer;
	let text = "";
	for await (const part of res)
		text += part;
	return { status: res.statusCode, headers: res.headers, body: text ? JSON.parse(text) : null };
}

const trace = (h) => ({ "aegis-trace-id": h["Aegis-Trace-Id"], traceparent: h.traceparent });

async function work(id, headers) {
	const mine = await whole(ask("POST", `/v1/progress/${id}`, { progress: 25, status: "by HTTP" }, trace(headers)));
	const other = await whole(ask("POST", "/v1/progress/nobody", { progress: 25 }));
	const wrong = await whole(ask("POST", `/v1/progress/${id}`, { progress: 101 }));
	return { mine: mine.status, other: other.status, wrong: wrong.status };
}

let seen = null;		// what the watch told last

async function watch() {
	const res = await ask("GET", "/v1/watch");
	let rest = "";
	res.setEncoding("utf8").on("data", (part) => {
		const lines = (rest + part).split("\n");
		rest = lines.pop();
		for (const line of lines)
			if (line.startsWith("data: "))
				note({ watch: seen = JSON.parse(line.slice(6)) });
	}).on("end", () => note({ watch: "ended" })).on("error", () => {});
}

process.on("SIGTERM", async () => {
	const status = await whole(ask("GET", "/v1/status"));
	const call = await whole(ask("POST", "/v1/call/echo-service/echo", { late: true }));
	note({ term: [status.body.phase, call.status, call.body.params] });
	while (seen?.phase !== "stopping")
		await new Promise((done) => setTimeout(done, 5));
	process.exit(0);
});

watch().catch((e) => note({ watch: e.message }));
for await (const line of createInterface({ input: process.stdin })) {
	const q = JSON.parse(line);
	const run = q.kind === "command" ? work(q.id, q.headers) :
	    q.kind === "rpc" && q.name === "chain" ? whole(ask("POST", q.params.path, q.params.body, trace(q.headers))) :
	    q.kind === "rpc" ? Promise.reject(new Error(`no method ${q.name}`)) : null;
	run?.then((result) => say({ id: q.id, result }), (e) => say({ id: q.id, error: e.message }));
}
