// live.mjs - the management API's stream and live routes against real instances, on two replicas.
//
//	live.mjs A B TOKEN BOUND PID-OF-NATS NATS-AGAIN
//
// A and B are the replicas' addresses, BOUND a token for live-svc alone.  What the stream says is kept as a page
// keeps it, and in the end compared with what the routes answer.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import http from "node:http";
import net from "node:net";
import { Server, link } from "./sdk.mjs";

const [A, B, token, bound, script] = process.argv.slice(2);
const slow = Number(process.env.AEGIS_TEST_SLOW ?? 1);

async function until(what, holds, seconds = 120) {
	const end = Date.now() + seconds * 1000 * slow;
	let last;
	for (;;) {
		try {
			if (await holds())
				return;
			last = "it does not hold";
		} catch (e) {
			last = e.message;
		}
		if (Date.now() > end)
			throw new Error(`${what}: ${last}`);
		await new Promise((done) => setTimeout(done, 20));
	}
}

async function get(base, path, as = token) {
	const r = await fetch(base + path, { headers: { Authorization: `Bearer ${as}` } });
	return { status: r.status, etag: r.headers.get("etag"), body: r.status < 500 ? await r.json() : null };
}

// A page: what it knows by the stream alone.
class Page {
	constructor(base, { as = token, topics, from } = {}) {
		Object.assign(this, { base, as, topics, id: from, cards: new Map(), figures: {}, groups: new Map(), services: new Map(),
			kinds: [], comments: 0, over: false });
	}

	open(base = this.base) {
		const url = `${base}/api/events${this.topics ? `?topics=${this.topics}` : ""}`;
		const headers = { Authorization: `Bearer ${this.as}`, Accept: "text/event-stream" };
		if (this.id)
			headers["Last-Event-ID"] = this.id;
		this.kinds = [];
		this.over = false;
		return new Promise((done, failed) => {
			this.request = http.get(url, { headers, agent: false }, (r) => {
				this.status = r.statusCode;
				this.headers = r.headers;
				let text = "";
				r.setEncoding("utf8");
				r.on("data", (piece) => {
					text += piece;
					for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2))
						this.frame(text.slice(0, end));
				});
				r.on("close", () => this.over = true);
				done(this);
			});
			this.request.on("error", (e) => {
				this.over = true;
				failed(e);
			});
		});
	}

	cut() {
		this.request.on("error", () => {});
		this.request.destroy();
	}

	frame(text) {
		let event = "message", data = null;
		for (const line of text.split("\n")) {
			if (line.startsWith(":"))
				this.comments++;
			else if (line.startsWith("id: "))
				this.id = line.slice(4);
			else if (line.startsWith("event: "))
				event = line.slice(7);
			else if (line.startsWith("data: "))
				data = JSON.parse(line.slice(6));
		}
		if (data === null)
			return;
		this.kinds.push(event);
		const key = (x) => `${x.serviceName ?? x.service}/${x.instanceId ?? x.instance ?? x.group}`;
		switch (event) {
		case "snapshot":
			this.snapshot = data;
			this.cards = new Map(data.instances.map((x) => [key(x), x]));
			this.services = new Map(data.services.map((x) => [x.service_name, x]));
			this.groups = new Map(data.groups.map((x) => [key(x), x]));
			this.figures = data.metrics;
			this.overview = data.overview;
			break;
		case "instance":
			this.cards.set(key(data), data);
			break;
		case "instance-gone":
			assert.ok(["deregistered", "expired", "purged"].includes(data.cause));
			this.cards.delete(key(data));
			this.gone = data;
			break;
		case "service":
			if (data.deleted)
				this.services.delete(data.service_name);
			else
				this.services.set(data.service_name, data);
			break;
		case "group":
			this.groups.set(key(data), data);
			break;
		case "metrics":
			Object.assign(this.figures, data);
			break;
		case "overview":
			this.overview = data;
			break;
		case "lagged":
			assert.ok(data.dropped > 0);
			break;
		default:
			assert.ok(event === "resync", event);
		}
	}
}

// --- a page, real instances and one of Python ---------------------------------------------------

const page = await new Page(A).open();
assert.equal(page.status, 200);
assert.equal(page.headers["content-type"], "text/event-stream");
assert.equal(page.headers["cache-control"], "no-store");
await until("the snapshot", () => page.snapshot);
assert.equal(page.kinds[0], "snapshot");

await until("two instances of run-service", () => page.cards.get("live-svc/one")?.status === "ACTIVE" && page.cards.get("live-svc/two"));
const card = page.cards.get("live-svc/one");
assert.equal(card.stale, false);
assert.ok(card.revision > 0 && card.leader === false && card.epoch === null && Date.parse(card.since) > 0);

const nc = await link();
const python = await Server.start(nc, "json", "Live-Py", "py-1", {});
// The SDK writes when it started, not when it wrote.
const record = python.record.bind(python), started = new Date(Date.now() - 60000).toISOString().replace("Z", "+00:00");
python.record = () => ({ ...record(), metadata: { start_time: started } });
let calls = 0;
const beats = setInterval(() => {
	calls += 20;
	nc.publish("internal.heartbeat.live-py", JSON.stringify({ instance_id: "py-1", timestamp: Date.now() / 1000, metrics: {
		uptime_seconds: 0.0, counters: { "rpc.Live-Py.add.success": calls - calls / 10, "rpc.Live-Py.add.error": calls / 10 },
		gauges: { "nats.connections": 1.0 },
		summaries: { "rpc.Live-Py.add": { count: calls, average: 2, min: 1, max: 9, p50: 2, p90: 5, p99: 8 } } } }));
}, 1000);
await until("figures of Python's instance", () => page.figures["Live-Py/py-1"]?.calls_per_second > 5);
const f = page.figures["Live-Py/py-1"];
assert.ok(Math.abs(f.error_rate - 0.1) < 0.01 && f.p50_ms <= 2.1 && f.p99_ms <= 8.1 && f.uptime_seconds >= 0, JSON.stringify(f));
await until("figures of run-service", () => page.figures["live-svc/one"]?.uptime_seconds > 0 && page.figures["live-svc/one"].in_flight === 0);

// The routes say the same.
const list = await get(A, "/api/metrics");
assert.equal(list.status, 200);
const py = list.body.find((x) => x.instanceId === "py-1"), one = list.body.find((x) => x.instanceId === "one");
assert.deepEqual(Object.keys(py), ["serviceName", "instanceId", "version", "status", "lastHeartbeat", "stickyActiveGroup", "metadata",
	"metrics"]);
await until("its true age", async () =>
	(await get(A, "/api/metrics")).body.find((x) => x.instanceId === "py-1").metrics.uptime_seconds >= 60);
assert.ok(py.metrics.summaries["rpc.Live-Py.add"].p99 === 8);
assert.ok(one.metrics.uptime_seconds > 0 && "heartbeats.sent" in one.metrics.counters);
const series = await get(A, "/api/instances/Live-Py/py-1/series");
assert.equal(series.body.columns.length, 8);
await until("a point of the series", async () => (await get(A, "/api/instances/Live-Py/py-1/series")).body.rows.some((r) => r[1] > 5));
assert.equal((await get(A, "/api/instances/Live-Py/nobody/series")).status, 404);
assert.equal((await get(A, "/api/overview")).body.instances, 3);

// A credential of one service sees that one.
const narrow = await new Page(A, { as: bound }).open();
await until("its snapshot", () => narrow.snapshot);
assert.deepEqual([...narrow.cards.keys()].sort(), ["live-svc/one", "live-svc/two"]);
assert.equal(narrow.snapshot.overview.instances, 2);
assert.ok((await get(A, "/api/metrics", bound)).body.every((x) => x.serviceName === "live-svc"));
narrow.cut();

// --- cut, and resumed on the other replica ---------------------------------------------------------

await until("a position that the other replica takes", async () => {
	const probe = new Page(B, { from: page.id });
	await probe.open();
	await until("an event", () => probe.kinds.length > 0);
	probe.cut();
	return !probe.kinds.includes("snapshot");
});
page.cut();
await until("the cut", () => page.over);
assert.equal((await fetch(`${A}/api/services`, { method: "POST", headers: { Authorization: `Bearer ${process.env.OPERATOR}`,
	"Content-Type": "application/json" }, body: JSON.stringify({ service_name: "while-away", owner: "o", description: "d",
	version: "1.0.0" }) })).status, 201);
clearInterval(beats);
await python.stop();
nc.publish("internal.registry.unregister", JSON.stringify({ service_name: "live-py", instance_id: "py-1", timestamp: 1 }));
await until("B knows", async () => !(await get(B, "/api/metrics")).body.some((x) => x.instanceId === "py-1"));
await page.open(B);
await until("what happened meanwhile", () => page.services.has("while-away") && !page.cards.has("Live-Py/py-1"));
assert.ok(!page.kinds.includes("resync") && !page.kinds.includes("snapshot"), `resumed with ${page.kinds}`);
assert.equal(page.gone.cause, "deregistered");
for (const base of [A, B])
	await until("those that left, on both", async () => {
		const left = (await get(base, "/api/departed")).body;
		return left.length === 1 && left[0].instance === "py-1" && left[0].cause === "deregistered" && left[0].last.serviceName === "Live-Py";
	});
assert.ok((await get(B, "/api/instances/Live-Py/py-1/events")).body[0].kind === "departed");

// A position of nowhere begins anew, and says so.
const lost = await new Page(A, { from: "1-2-3-4" }).open();
await until("a snapshot", () => lost.kinds.includes("snapshot"));
assert.deepEqual(lost.kinds.slice(0, 2), ["resync", "snapshot"]);
lost.cut();
assert.equal((await get(A, "/api/events?topics=nosuch")).status, 422);

// --- a reader that never reads -----------------------------------------------------------------------

const url = new URL(A);
const deaf = [];
for (let i = 0; i < 5; i++) {
	const s = net.connect({ host: url.hostname, port: url.port });
	s.on("error", () => {});
	s.write(`GET /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
	s.pause();
	deaf.push(s);
}
const other = await new Page(A, { topics: "services" }).open();
for (let i = 0; i < 30; i++) {
	const service_name = `busy-${String(i).padStart(2, "0")}`;
	await fetch(`${A}/api/services`, { method: "POST", headers: { Authorization: `Bearer ${process.env.OPERATOR}`,
		"Content-Type": "application/json" }, body: JSON.stringify({ service_name, owner: "o", description: "d".repeat(400),
		version: "1.0.0" }) });
}
await until("others are told all the same", () => other.services.has("busy-29") && other.services.size === 31);
assert.equal(other.cards.size, 0);
for (const s of deaf)
	s.destroy();
other.cut();

// --- NATS dies and comes back ---------------------------------------------------------------------------

const sh = (how) => new Promise((done, failed) => spawn("bash", ["-c", `${script} ${how}`], { stdio: "inherit" })
	.on("exit", (code) => code === 0 ? done() : failed(new Error(`${how}: ${code}`))));
await sh("kill");
await until("the page says that NATS is away", () => page.overview.nats.connected === false && page.overview.degraded.length === 1);
assert.equal((await get(B, "/api/metrics")).status, 503);
assert.equal((await get(B, "/api/overview")).status, 200);
assert.ok(!page.over, "the stream ended with NATS");
assert.ok(page.cards.has("live-svc/one"));
await sh("again");
await until("the page says that it is back", () => page.overview.nats.connected === true && page.overview.degraded.length === 0);

// In the end the page knows what the routes say.
await until("the same in the end", async () => {
	const want = (await get(B, "/api/instances")).body;
	assert.deepEqual([...page.cards.keys()].sort(), want.map((x) => `${x.serviceName}/${x.instanceId}`).sort());
	const services = (await get(B, "/api/services")).body.map((x) => x.service_name);
	assert.deepEqual([...page.services.keys()].sort(), services.sort());
	return want.length === 2;
});

// A revoked credential ends its stream.
await sh("revoke");
await until("the stream's end", () => page.over);
await nc.close();
console.log("ok");
