// app.mjs - a workload with every good and bad habit.
//
//	node app.mjs http PORT|SOCKET [FLAG…]		node app.mjs stdio [FLAG…]
//
// Each request is a line in $APP_LOG before anything else happens with it, so that a
// scenario can count executions.  $APP_SICK, while it exists, makes /health fail; /ready
// fails until $APP_READY exists.  FLAG ignore-term: TERM is survived; note-term: it is noted.
import { execFile } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

const [mode, ...rest] = process.argv.slice(2);
const address = mode === "http" ? rest.shift() : null;
const log = process.env.APP_LOG;
let held = 0, most = 0;

if (rest.includes("ignore-term"))
	process.on("SIGTERM", () => note({ signal: "TERM" }));
if (rest.includes("note-term"))
	process.on("SIGTERM", () => {
		note({ signal: "TERM" });
		process.exit(0);
	});

function note(what) {
	if (log)
		appendFileSync(log, `${JSON.stringify({ at: Date.now(), instance: process.env.AEGIS_INSTANCE, ...what })}\n`);
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// What is thrown is the answer's error; undefined never answers.
const methods = {
	echo: (params, headers) => ({ params, headers }),
	// A call of its own, in the trace and within the time of the one that it serves.
	forward: ({ to }, headers) => {
		const h = Object.fromEntries(Object.entries(headers).map(([k, v]) => [k.toLowerCase(), v]));
		const left = Number(h["aegis-deadline"] ?? h.deadline_ms);
		return new Promise((done, failed) => execFile(process.env.AEGIS_PROGRAM, ["call", to, "echo", "{}",
			"--traceparent", h.traceparent, "--timeout", `${left}ms`],
		(e, stdout, stderr) => e ? failed(new Error(stderr)) : done({ left, nested: JSON.parse(stdout).headers })));
	},
	who: () => ({ instance: process.env.AEGIS_INSTANCE, pid: process.pid }),
	most: () => ({ most }),
	sleep: async ({ ms }) => {
		most = Math.max(most, ++held);
		await pause(ms);
		held--;
		return { slept: ms };
	},
	// As long as the scenario wants it.
	until: async ({ file }) => {
		most = Math.max(most, ++held);
		while (!existsSync(file))
			await pause(20);
		held--;
		return { file };
	},
	// Counts in the file $COUNTER, with a pause between reading and writing: two at once would give a number twice.
	add: async ({ req }, headers) => {
		const n = existsSync(process.env.COUNTER) ? Number(readFileSync(process.env.COUNTER, "utf8")) : 0;
		await pause(3);
		note({ add: req, epoch: headers["Aegis-Epoch"] ?? headers["aegis-epoch"], n: n + 1 });
		writeFileSync(`${process.env.COUNTER}.new`, String(n + 1));	// it may be killed between any two lines
		renameSync(`${process.env.COUNTER}.new`, process.env.COUNTER);
		return { req, n: n + 1 };
	},
	fail: ({ status, text }) => {
		throw Object.assign(new Error(text), { status });
	},
	big: ({ bytes }) => "x".repeat(bytes),
	die: () => process.exit(9),
	nothing: () => pause(3600e3),
	flood: ({ bytes }) => {
		const line = `${"y".repeat(1023)}\n`.repeat(64);
		for (let n = 0; n < bytes; n += line.length)
			writeSync(1, line);
		return { flooded: bytes };
	},
};

async function run(name, params, headers) {
	const method = Object.hasOwn(methods, name) ? methods[name] : null;
	if (!method)
		throw Object.assign(new Error(`no method ${name}`), { status: 404 });
	return method(params, headers);
}

if (mode === "http") {
	const server = createServer(async (req, res) => {
		let body = "";
		if (req.url === "/health" || req.url === "/ready") {
			const good = req.url === "/health" ? !existsSync(process.env.APP_SICK ?? "/nowhere")
			    : existsSync(process.env.APP_READY ?? "/nowhere");
			res.writeHead(good ? 200 : 503).end();
			return;
		}
		for await (const part of req)
			body += part;
		const name = req.url.replace(/^\/rpc\//, "");
		note({ method: name, id: req.headers["aegis-message-id"] });
		if (name === "garbage")
			return res.end("this is <no> JSON");
		if (name === "close")
			return req.socket.destroy();
		try {
			const result = await run(name, JSON.parse(body), req.headers);
			res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(result));
		} catch (e) {
			res.writeHead(e.status ?? 500, { "content-type": "text/plain" }).end(e.message);
		}
	});
	server.keepAliveTimeout = 60e3;
	process.on("SIGUSR1", () => {		// the port closes, the process lives
		server.close();
		server.closeAllConnections();
		setInterval(() => {}, 1e6);
	});
	process.on("SIGUSR2", () => server.listen(listenAt()));
	server.listen(listenAt());
} else {
	for await (const line of createInterface({ input: process.stdin })) {
		const q = JSON.parse(line);
		if (q.kind === "role")
			note({ role: q.name, epoch: q.params.epoch });
		if (q.kind !== "rpc")
			continue;
		note({ method: q.name, id: q.headers["Aegis-Message-Id"] });
		if (q.name === "garbage") {
			console.log("this is <no> JSON");
			console.log(JSON.stringify({ id: q.id }));
			continue;
		}
		run(q.name, q.params, { ...q.headers, deadline_ms: q.deadline_ms }).then(
		    (result) => console.log(JSON.stringify({ id: q.id, result })),
		    (e) => console.log(JSON.stringify({ id: q.id, error: e.message })));
	}
}

function listenAt() {
	return /^[0-9]+$/.test(address) ? { port: Number(address), host: "127.0.0.1" } : { path: address };
}
