// interop.mjs - RPC between Python members (sdk.mjs) and aegis ones, both ways: wire.md §3-5.
// 41-python-members.sh has started: all-service (any method, instances a-1 and a-2), and
// few-service (methods echo, fail and who; instance f-1).
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { headers } from "@nats-io/transport-node";
import { Client, Float, Server, bytes, check, link, read, request } from "./sdk.mjs";

const nc = await link();

async function aegis(...args) {
	return new Promise((done) => execFile(process.env.AEGIS, args, (e, stdout, stderr) =>
		done({ code: e ? e.code : 0, stdout, stderr })));
}

function share(replies, of) {
	const n = {};
	for (const r of replies)
		n[of(r)] = (n[of(r)] ?? 0) + 1;
	return n;
}

const rejects = (promise, pattern) => assert.rejects(promise, (e) => pattern.test(`${e.message} ${e.cause?.message}`));

const tests = {
	"the stand-in itself speaks the vectors byte for byte": async () => {
		const lines = readFileSync(process.argv[2], "utf8").split("\n");
		let seen = 0;
		for (let i = 0; i + 2 < lines.length; i += 3) {
			if (!/RPC/.test(lines[i]))
				continue;
			const map = JSON.parse(lines[i + 1]);
			if ("timeout" in map)
				map.timeout = new Float(map.timeout);
			assert.equal(bytes("json", map).toString(), lines[i + 1]);
			assert.equal(bytes("msgpack", map).toString("hex"), lines[i + 2]);
			seen++;
		}
		assert.equal(seen, 5);
	},

	"success, the request's encoding mirrored, its ids and trace taken over": async () => {
		for (const format of ["msgpack", "json"]) {
			const r = await new Client(nc, format).call("all-service", "echo", { text: "évènement", n: [1, 2.5] });
			assert.equal(r.success, true);
			assert.deepEqual(r.result.params, { text: "évènement", n: [1, 2.5] });
			assert.equal(r.format, format);
			assert.equal(r.correlation_id, r.request.message_id);
			assert.notEqual(r.message_id, r.request.message_id);
			assert.equal(r.trace_id, r.request.trace_id);
			assert.match(r.source, /^a-[12]$/);
			assert.match(r.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
		}
	},

	"a handler error is success:false with its text": async () => {
		for (const format of ["msgpack", "json"]) {
			const r = await new Client(nc, format).call("few-service", "fail", { text: "stock is empty" });
			assert.equal(r.success, false);
			assert.equal(r.error, "stock is empty");
			assert.equal(r.result, null);
		}
	},

	"an unknown method": async () => {
		const client = new Client(nc, "msgpack");
		await rejects(client.call("few-service", "missing"), /no responders/i);
		await rejects(client.call("few-service", "f-1.missing"), /no responders/i);
		const any = await client.call("all-service", "missing");
		assert.match(any.error, /no method missing/);
	},

	"a body that cannot be read": async () => {
		const map = request("echo", {}, "few-service");
		const bodies = { empty: "", text: "hello", list: "[1]", cut: bytes("msgpack", map).subarray(0, 40),
			noise: Buffer.from("89ffffff", "hex"),
			method: bytes("json", { ...map, method: "" }), zero: bytes("json", { ...map, timeout: new Float(0) }),
			timeout: bytes("json", { ...map, timeout: "5" }), params: bytes("msgpack", { ...map, params: null }) };
		for (const [what, body] of Object.entries(bodies)) {
			const reply = check(read((await nc.request("rpc.few-service.echo", body, { timeout: 60000 })).data).map);
			assert.equal(reply.success, false, what);
			assert.equal(reply.correlation_id, null, what);
			assert.match(reply.error, /^INVALID_REQUEST/, what);
		}
	},

	"what Python accepts is accepted": async () => {
		const full = request("echo", { n: 1 }, "few-service");
		const { message_id, trace_id, timestamp, ...absent } = full;
		const variants = { absent, whole: { ...full, timeout: 5 }, naive: { ...full, timestamp: "2025-01-01T00:00:00" },
			zulu: { ...full, timestamp: "2025-01-01T00:00:00.123Z" }, target: { ...full, target: null },
			odd: { ...full, message_id: "" }, unknown: { ...full, extra_key: { a: 1 } } };
		for (const [what, map] of Object.entries(variants)) {
			for (const format of ["msgpack", "json"]) {
				const m = await nc.request("rpc.few-service.echo", bytes(format, map), { timeout: 60000 });
				assert.equal(check(read(m.data).map).success, true, `${what} in ${format}`);
			}
		}
	},

	"headers disturb nothing, and no reply carries a meaning in a request's header": async () => {
		const h = headers();
		for (const [k, v] of Object.entries({ traceparent: "00-1-2-01", "Nats-Msg-Id": "x", "X-Any": "é" }))
			h.set(k, v);
		const r = await new Client(nc, "msgpack").call("few-service", "echo", { n: 1 }, { headers: h });
		assert.equal(r.success, true);
		assert.equal(r.result.headers.traceparent, "00-1-2-01");
		const bad = await new Client(nc, "msgpack").call("few-service", "fail", { text: "x" }, { headers: h });
		assert.deepEqual([...bad.headers.keys()].sort(), ["Nats-Service-Error", "Nats-Service-Error-Code"]);
	},

	"{instance}.{method} and the direct subject reach that instance alone": async () => {
		const client = new Client(nc, "msgpack");
		const replies = await Promise.all(Array.from({ length: 40 }, () => client.call("all-service", "a-2.who")));
		assert.deepEqual(share(replies, (r) => r.result.instance), { "a-2": 40 });
		await rejects(client.call("all-service", "a-3.who"), /no responders/i);
		for (let i = 0; i < 5; i++) {
			const { code, stdout } = await aegis("call", "all-service", "who", "--instance", "a-1");
			assert.equal(code, 0);
			assert.equal(JSON.parse(stdout).instance, "a-1");
		}
	},

	"Python and aegis members of one queue group share calls, each served once": async () => {
		const handlers = { echo: (params) => ({ params, by: "py" }) };
		const py = await Server.start(nc, "msgpack", "few-service", "py-1", handlers);
		const client = new Client(nc, "msgpack");
		const replies = await Promise.all(Array.from({ length: 300 }, (_, n) => client.call("few-service", "echo", { n })));
		assert.deepEqual(replies.map((r) => r.result.params.n), Array.from({ length: 300 }, (_, n) => n));
		const by = share(replies, (r) => r.result.by ?? "aegis");
		assert.ok(by.py > 30 && by.aegis > 30, JSON.stringify(by));
		const executed = readFileSync(process.env.APP_LOG, "utf8").split("\n").filter((l) => l.includes('"f-1"')).length;
		assert.ok(py.served.length === by.py && executed >= by.aegis);

		// An aegis client spreads over both kinds, too.
		const seen = new Set();
		for (let i = 0; i < 60 && seen.size < 2; i++) {
			const { code, stdout } = await aegis("call", "few-service", "echo", `{"i":${i}}`);
			assert.equal(code, 0);
			seen.add(JSON.parse(stdout).by ?? "aegis");
		}
		assert.equal(seen.size, 2, `only ${[...seen]}`);
		await py.stop();
	},

	"aegis calls a Python service, in both encodings, through the queue subject": async () => {
		for (const format of ["msgpack", "json"]) {
			const service = `py-${format}`;
			const py = await Server.start(nc, format, service, `${service}-1`, {
				add: ({ a, b }) => ({ sum: a + b }),
				fail: () => {
					throw new Error("boom");
				},
				slow: () => new Promise(() => {}),
			});
			const good = await aegis("call", service, "add", '{"a": 20, "b": 22}', "--json");
			assert.equal(good.code, 0, good.stderr);
			assert.deepEqual(JSON.parse(good.stdout).result, { sum: 42 });
			assert.equal(py.served[0].subject, `rpc.${service}.add`);
			const bad = await aegis("call", service, "fail");
			assert.equal(bad.code, 1);
			assert.match(bad.stderr, /boom/);
			const late = await aegis("call", service, "slow", "--timeout", "3s");
			assert.equal(late.code, 7, late.stderr);
			const chosen = await aegis("call", service, "add", '{"a":1,"b":1}', "--instance", `${service}-1`);
			assert.equal(chosen.code, 8, `a Python instance cannot be singled out: ${chosen.stdout}${chosen.stderr}`);
			await py.stop();
		}
	},

	"registered and not there is no responders, not a time-out": async () => {
		const py = await Server.start(nc, "msgpack", "ghost-service", "g-1", {});
		const { code, stderr } = await aegis("call", "ghost-service", "echo", "--timeout", "20s");
		assert.equal(code, 8, stderr);
		await py.stop();
	},
};

let failed = 0;
for (const [title, run] of Object.entries(tests)) {
	try {
		await run();
		console.log(`good: ${title}`);
	} catch (e) {
		failed++;
		console.error(`BAD: ${title}\n${e.stack}`);
	}
}
await nc.drain();
process.exit(failed > 0 ? 1 : 0);	// a Python member of a failed case may still beat
