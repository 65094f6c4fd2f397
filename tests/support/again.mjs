// again.mjs - Python members that refuse first: wire.md §5.3, and headers on their replies (§15 row 7).
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { Server, link } from "./sdk.mjs";

const nc = await link();

async function aegis(...args) {
	return new Promise((done) => execFile(process.env.AEGIS, args, (e, stdout, stderr) =>
		done({ code: e ? e.code : 0, stdout, stderr })));
}

const nested = { success: false, error: "NOT_ACTIVE", message: "standby", result: null };
let calls = 0, headers = [];

function refuse(times, how) {
	calls = 0;
	headers = [];
	return () => {
		if (++calls <= times)
			return how();
		return { success: true, error: null, message: null, result: { data: 42 } };
	};
}

const outer = () => {
	throw new Error("service error: NOT_ACTIVE");
};
let behave = () => null;

for (const format of ["msgpack", "json"]) {
	const service = `only-${format}`;
	const py = await Server.start(nc, format, service, `${service}-1`, { place: (...args) => behave(...args) });
	nc.subscribe(`rpc.${service}.place`, { callback: (err, m) => headers.push(m.headers) });	// looks on
	await nc.flush();

	for (const [what, how] of [["nested", () => nested], ["outer", outer]]) {
		behave = refuse(2, how);
		const good = await aegis("call", service, "place", "--json", "--timeout", "60s");
		assert.equal(good.code, 0, `${what}: ${good.stderr}`);
		const answer = JSON.parse(good.stdout);
		assert.equal(answer.attempts, 3, what);
		assert.deepEqual(answer.result, { success: true, error: null, message: null, result: { data: 42 } });
		assert.equal(calls, 3);

		behave = refuse(1e9, how);
		const never = await aegis("call", service, "place", "--timeout", "3s");
		// The last attempt may have got so little of the time that it ended without an answer.
		assert.ok(never.code === 8 || never.code === 7, `${what}: ${never.stdout}${never.stderr}`);
		assert.match(never.stderr, never.code === 8 ? /after \d+ attempts: .*NOT_ACTIVE/ : /after \d+ attempts: no answer/);
		assert.ok(calls >= 3 && calls <= 15, `${calls} calls in 3 s`);

		behave = refuse(1e9, how);
		const once = await aegis("call", service, "place", "--retry-policy", "none");
		assert.equal(once.code, 8);
		assert.equal(calls, 1);
	}

	// A trace goes with the call; the member copies all headers onto its reply, and nothing comes of it.
	behave = refuse(0);
	py.served.length = 0;
	const trace = "7d9f1c5a-58cc-4372-a567-0e02b2c3d479";
	const good = await aegis("call", service, "place", "--trace-id", trace, "--idempotent", "--timeout", "60s");
	assert.equal(good.code, 0, good.stderr);
	assert.equal(py.served[0].trace_id, trace);
	assert.match(py.served[0].source, /^aegis-cli-[0-9a-f]{8}$/);
	assert.match(headers[0].get("traceparent"), /^00-7d9f1c5a58cc4372a5670e02b2c3d479-[0-9a-f]{16}-01$/);
	assert.equal(headers[0].get("Aegis-Idempotent"), "1");
	const left = Number(headers[0].get("Aegis-Deadline"));
	assert.ok(left > 0 && left <= 60000, `${left} ms`);
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	assert.equal((await aegis("call", service, "place", "--traceparent", parent)).code, 0);
	assert.equal(headers.at(-1).get("traceparent"), parent);
	assert.equal(py.served.at(-1).trace_id, "0af76519-16cd-43dd-8448-eb211c80319c");
	await py.stop();
}
await nc.drain();
process.exit(0);
