// sdk.mjs - speaks like the Python SDK, byte for byte: envelopes in its key order, reals as
// float64, its replies with a fresh trace id and the request's headers copied onto them.
import { decode, encode } from "@msgpack/msgpack";
import { connect } from "@nats-io/transport-node";
import { Kvm } from "@nats-io/kv";
import { randomUUID } from "node:crypto";

// A number that Python holds as a float: 5.0 in JSON, cb… in MessagePack.
export class Float {
	constructor(value) {
		this.value = value;
	}
}

export function now() {
	return new Date().toISOString().replace("Z", "000+00:00");
}

function json(v) {
	if (v instanceof Float)
		return Number.isInteger(v.value) ? v.value.toFixed(1) : String(v.value);
	if (Array.isArray(v))
		return `[${v.map(json).join(",")}]`;
	if (v !== null && typeof v === "object")
		return `{${Object.entries(v).map(([k, x]) => `${JSON.stringify(k)}:${json(x)}`).join(",")}}`;
	return JSON.stringify(v);
}

function pack(v) {
	if (v instanceof Float) {
		const b = Buffer.alloc(9, 0xcb);
		b.writeDoubleBE(v.value, 1);
		return b;
	}
	if (v !== null && typeof v === "object") {
		const list = Array.isArray(v), items = list ? v : Object.entries(v).flat();
		const n = list ? v.length : items.length / 2;
		const small = list ? 0x90 : 0x80, big = list ? 0xdc : 0xde;
		const head = n < 16 ? Buffer.from([small | n]) : Buffer.from([big, n >> 8, n & 255]);
		return Buffer.concat([head, ...items.map(pack)]);
	}
	return Buffer.from(encode(v));
}

export function bytes(format, map) {
	return format === "json" ? Buffer.from(json(map)) : pack(map);
}

export function read(data) {
	const first = data[0];
	const packed = (first >= 0x80 && first <= 0x9f) || (first >= 0xc0 && first <= 0xdf);
	return { format: packed ? "msgpack" : "json",
		map: packed ? decode(data) : JSON.parse(new TextDecoder().decode(data)) };
}

export function request(method, params, target, timeout = 5) {
	return { message_id: randomUUID(), trace_id: randomUUID(), correlation_id: null, timestamp: now(),
		source: "py-client-deeb99b1", target, method, params, timeout: new Float(timeout) };
}

export function response(correlation_id, success, result, error) {
	return { message_id: randomUUID(), trace_id: randomUUID(), correlation_id, timestamp: now(), source: null,
		target: null, success, result, error };
}

// Client: what the SDK's call does; the reply is checked as strictly as the SDK reads it.
const RESPONSE = ["message_id", "trace_id", "correlation_id", "timestamp", "source", "target", "success", "result",
	"error"];

export function check(map) {
	const unknown = Object.keys(map).filter((k) => !RESPONSE.includes(k));
	if (unknown.length > 0)
		throw new Error(`the SDK rejects a reply with ${unknown}`);
	for (const k of ["message_id", "trace_id", "timestamp"])
		if (typeof map[k] !== "string")
			throw new Error(`the SDK rejects ${k} ${map[k]}`);
	if (typeof map.success !== "boolean" || (map.success && map.error !== null) ||
	    (!map.success && typeof map.error !== "string"))
		throw new Error(`the SDK rejects success ${map.success} with error ${map.error}`);
	return map;
}

export class Client {
	constructor(nc, format) {
		this.nc = nc;
		this.format = format;
	}

	async call(service, method, params = {}, { timeout = 60, headers } = {}) {
		const map = request(method, params, service, timeout);
		const m = await this.nc.request(`rpc.${service}.${method}`, bytes(this.format, map),
		    { timeout: timeout * 1000, headers });
		const reply = read(m.data);
		return { request: map, format: reply.format, headers: m.headers, ...check(reply.map) };
	}
}

// Server: registers as the SDK does (no nonce, no direct subject, no TTL), then subscribes.
export class Server {
	static async start(nc, format, service, instance, handlers) {
		const s = Object.assign(new Server(), { nc, format, service, instance, served: [] });
		s.kv = await new Kvm(nc).open("service_registry");
		await s.heartbeat();
		s.timer = setInterval(() => s.heartbeat().catch(() => {}), 1000);
		for (const [method, handler] of Object.entries(handlers))
			nc.subscribe(`rpc.${service}.${method}`, { queue: `rpc.${service}`,
				callback: (err, m) => s.serve(method, handler, m) });
		await nc.flush();
		return s;
	}

	record() {
		return { serviceName: this.service, instanceId: this.instance, version: "1.0.0", status: "ACTIVE",
			lastHeartbeat: now(), stickyActiveGroup: null, metadata: { start_time: now() } };
	}

	async heartbeat() {
		await this.kv.put(`service-instances__${this.service}__${this.instance}`, JSON.stringify(this.record()));
	}

	async serve(method, handler, m) {
		const { map } = read(m.data);
		this.served.push({ subject: m.subject, ...map });
		let out;
		try {
			out = response(map.message_id, true, await handler(map.params, map), null);
		} catch (e) {
			out = response(map.message_id, false, null, e.message);
		}
		m.respond(bytes(this.format, out), { headers: m.headers });
	}

	async stop() {
		clearInterval(this.timer);
		await this.kv.delete(`service-instances__${this.service}__${this.instance}`);
	}
}

export async function link(options = {}) {
	return connect({ servers: process.env.NATS_URL, maxReconnectAttempts: -1, reconnectTimeWait: 50, ...options });
}
