// rows.mjs URL TOKEN-FILE - each row of the management API that Python clients know (wire.md §11), field by field:
// status, headers, members and their order; what Python wrote is read, and what is written Python can read.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Kvm } from '@nats-io/kv';
import { link, now } from './sdk.mjs';

const [base, tokenFile] = process.argv.slice(2);
const token = readFileSync(tokenFile, 'utf8').trim();
const nc = await link();
const kv = await new Kvm(nc).open('service_registry');

async function ask(method, path, body, headers = {}) {
	const sent = typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body);
	const r = await fetch(base + path, { method, body: sent, headers: { authorization: `Bearer ${token}`, ...headers,
		...(sent === undefined ? {} : { 'content-type': 'application/json' }) } });
	const text = await r.text();
	return { status: r.status, headers: r.headers, text, json: text === '' ? undefined : JSON.parse(text) };
}
async function until(what, holds) {
	for (const end = Date.now() + 120000; Date.now() < end; await new Promise((go) => setTimeout(go, 10)))
		if (await holds())
			return;
	throw new Error(`never: ${what}`);
}

// --- what Python reads ---------------------------------------------------------------------

const DEFINITION = ['service_name', 'owner', 'description', 'version', 'created_at', 'updated_at'];
const INSTANCE = ['serviceName', 'instanceId', 'version', 'status', 'lastHeartbeat', 'stickyActiveGroup', 'metadata'];
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?([+-]\d\d:\d\d|Z)$/;

function definition(d) {
	assert.deepEqual(Object.keys(d), DEFINITION);
	for (const k of DEFINITION)
		assert.equal(typeof d[k], 'string');
	assert.match(d.version, /^\d+\.\d+\.\d+$/);
	for (const k of ['created_at', 'updated_at']) {
		assert.match(d[k], TIME);
		assert.ok(d[k].endsWith('+08:00'), d[k]);
	}
	assert.ok(Date.parse(d.updated_at) >= Date.parse(d.created_at));
	return d;
}
function instance(i) {
	assert.deepEqual(Object.keys(i).slice(0, 7), INSTANCE);
	for (const k of Object.keys(i).slice(7))
		assert.equal(k, 'stickyActiveStatus');
	assert.match(i.version, /^\d+\.\d+\.\d+$/);
	assert.ok(['ACTIVE', 'UNHEALTHY', 'STANDBY'].includes(i.status));
	assert.match(i.lastHeartbeat, TIME);
	assert.ok(i.metadata !== null && typeof i.metadata === 'object');
	return i;
}

// problem: the one body of every error: the object that Python clients read, and RFC 9457's members.
function problem(r, status, code, details) {
	assert.equal(r.status, status, r.text);
	assert.match(r.headers.get('content-type'), /^application\/json/);
	assert.deepEqual(Object.keys(r.json.error), ['code', 'message', 'details']);
	assert.equal(r.json.error.code, code);
	assert.ok(typeof r.json.error.message === 'string' && r.json.error.message.length > 0);
	if (details !== undefined)
		assert.deepEqual(r.json.error.details, details);
	assert.equal(r.json.status, status);
	assert.equal(r.json.type, `urn:aegis:problem:${code.toLowerCase().replaceAll('_', '-')}`);
	for (const k of ['title', 'detail', 'instance', 'request_id'])
		assert.equal(typeof r.json[k], 'string', k);
	assert.equal(r.json.request_id, r.headers.get('x-request-id'));
	assert.ok(Array.isArray(r.json.errors));
}
function invalid(r, field, type) {
	problem(r, 422, 'VALIDATION_ERROR');
	const d = r.json.error.details;
	assert.deepEqual(Object.keys(d), ['field', 'error_type', 'errors']);
	assert.deepEqual([d.field, d.error_type], [field, type]);
	for (const e of d.errors)
		assert.deepEqual(Object.keys(e), ['field', 'message', 'type']);
	assert.equal(d.errors[0].field, field);
	return d;
}

// --- an empty registry -----------------------------------------------------------------------

for (const path of ['/api/services', '/api/instances', '/api/instances/nobody', '/api/instances/status/ACTIVE',
	'/api/instances/status/UNHEALTHY', '/api/instances/status/STANDBY']) {
	const r = await ask('GET', path);
	assert.equal(r.status, 200, path);
	assert.equal(r.text, '[]', path);
	assert.match(r.headers.get('content-type'), /^application\/json/);
}
assert.equal((await ask('GET', '/api/instances/health/summary')).text, '{"total":0,"active":0,"unhealthy":0,"standby":0}');

// --- definitions -----------------------------------------------------------------------------

const who = { service_name: 'order-service' };
const fresh = { ...who, owner: 'team-a', description: 'd', version: '1.0.0' };
let r = await ask('POST', '/api/services', { ...fresh, unknown: { a: 1 }, created_at: 'ignored' });
assert.equal(r.status, 201);
assert.equal(r.headers.get('location'), '/api/services/order-service');
definition(r.json);
assert.deepEqual({ ...r.json, created_at: 0, updated_at: 0 }, { ...fresh, created_at: 0, updated_at: 0 });
assert.equal(r.json.created_at, r.json.updated_at);
assert.ok(Math.abs(Date.parse(r.json.created_at) - Date.now()) < 60000);
const made = r.json;
problem(await ask('POST', '/api/services', fresh), 409, 'SERVICE_ALREADY_EXISTS', who);
// What lies in the bucket is what was answered, in Python's shape.
assert.deepEqual(definition((await kv.get('order-service')).json()), made);

r = await ask('GET', '/api/services');
assert.equal(r.status, 200);
assert.deepEqual(r.json, [made]);
r = await ask('GET', '/api/services/order-service');
assert.equal(r.status, 200);
assert.deepEqual(r.json, made);
r = await ask('GET', '/api/services/order-service/revision');
assert.equal(r.status, 200);
assert.deepEqual(Object.keys(r.json), ['service', 'revision']);
assert.deepEqual(r.json.service, made);
assert.equal(r.json.revision, (await kv.get('order-service')).revision);
const revision = r.json.revision;

for (const [method, path, body] of [['GET', '/api/services/no-such'], ['PUT', '/api/services/no-such', { owner: 'x' }],
	['DELETE', '/api/services/no-such'], ['GET', '/api/services/no-such/revision']])
	problem(await ask(method, path, body), 404, 'SERVICE_NOT_FOUND', { service_name: 'no-such' });

r = await ask('PUT', '/api/services/order-service', { owner: 'team-b', description: null, unknown: 1 });
assert.equal(r.status, 200);
definition(r.json);
assert.deepEqual({ ...r.json, updated_at: 0 }, { ...made, owner: 'team-b', updated_at: 0 });
assert.ok(Date.parse(r.json.updated_at) >= Date.parse(made.updated_at));
problem(await ask('PUT', '/api/services/order-service', { owner: 'x', revision }), 409, 'CONCURRENT_UPDATE', who);
r = await ask('PUT', '/api/services/order-service', { version: '2.0.0', description: 'new',
	revision: (await kv.get('order-service')).revision });
assert.equal(r.status, 200);
assert.deepEqual([r.json.version, r.json.description, r.json.owner], ['2.0.0', 'new', 'team-b']);
for (const nothing of [{}, { owner: null, version: null }, { service_name: 'other-name' }, { revision: 1 }])
	problem(await ask('PUT', '/api/services/order-service', nothing), 400, 'HTTP_400', null);
problem(await ask('PUT', '/api/services/order-service', { owner: 'x' }, { 'if-match': '"1"' }), 412, 'CONCURRENT_UPDATE', who);

invalid(await ask('POST', '/api/services', '{"service_name":'), 'body.16', 'json_invalid');
invalid(await ask('POST', '/api/services', ''), 'body', 'missing');
for (const k of Object.keys(fresh)) {
	invalid(await ask('POST', '/api/services', { ...fresh, service_name: 'other-service', [k]: undefined }), `body.${k}`, 'missing');
	invalid(await ask('POST', '/api/services', { ...fresh, service_name: 'other-service', [k]: 7 }), `body.${k}`, 'string_type');
}
for (const name of ['Other', 'o', '-other', 'other-', 'other_service', 'x'.repeat(65), 'other service'])
	invalid(await ask('POST', '/api/services', { ...fresh, service_name: name }), 'body.service_name', 'string_pattern_mismatch');
invalid(await ask('POST', '/api/services', { ...fresh, service_name: 'other--service' }), 'service_name', 'value_error');
for (const version of ['1', '1.0', 'v1.0.0', '1.0.0-rc1', ''])
	invalid(await ask('POST', '/api/services', { ...fresh, service_name: 'other-service', version }), 'body.version', 'string_pattern_mismatch');
invalid(await ask('POST', '/api/services', { ...fresh, service_name: 'other-service', version: '01.0.0' }), 'version', 'value_error');
invalid(await ask('PUT', '/api/services/order-service', { version: '1.02.0' }), 'version', 'value_error');
for (const [k, max] of [['owner', 100], ['description', 500]]) {
	assert.equal((await ask('PUT', '/api/services/order-service', { [k]: '名'.repeat(max) })).status, 200);
	for (const text of ['', '名'.repeat(max + 1)])
		assert.ok(invalid(await ask('PUT', '/api/services/order-service', { [k]: text }), `body.${k}`,
			text === '' ? 'string_too_short' : 'string_too_long'));
}
const several = invalid(await ask('POST', '/api/services', { service_name: 'Bad', owner: 1 }), 'body.service_name', 'string_pattern_mismatch');
assert.deepEqual(several.errors.map((e) => [e.field, e.type]), [['body.service_name', 'string_pattern_mismatch'],
	['body.owner', 'string_type'], ['body.description', 'missing'], ['body.version', 'missing']]);

// What Python defined: any offset, a name that aegis would not give.
await kv.put('py-service', JSON.stringify({ service_name: 'py-service', owner: 'py', description: 'd', version: '1.0.0',
	created_at: '2025-08-08T09:00:00.000001+08:00', updated_at: '2025-08-08T01:00:00.000001Z' }));
await until('the definition of Python is listed', async () => (await ask('GET', '/api/services')).json.length === 2);
r = await ask('PUT', '/api/services/py-service', { owner: 'us' });
assert.equal(r.status, 200);
assert.equal(definition(r.json).created_at, '2025-08-08T09:00:00.000001+08:00');
definition((await kv.get('py-service')).json());
// And what Python changes under us: its own check is on a revision, ours too.
await kv.put('py-service', JSON.stringify({ ...r.json, owner: 'py again' }));
assert.equal((await ask('GET', '/api/services/py-service')).json.owner, 'py again');
r = await ask('DELETE', '/api/services/py-service');
assert.deepEqual([r.status, r.text], [204, '']);
assert.ok(['DEL', 'PURGE'].includes((await kv.get('py-service'))?.operation));
assert.equal((await ask('DELETE', '/api/services/order-service')).status, 204);
problem(await ask('GET', '/api/services/order-service'), 404, 'SERVICE_NOT_FOUND', who);
assert.equal((await ask('GET', '/api/services')).text, '[]');

// --- instances --------------------------------------------------------------------------------

const python = (serviceName, instanceId, status, lastHeartbeat = now()) => ({ serviceName, instanceId, version: '1.2.3', status, lastHeartbeat,
	stickyActiveGroup: null, metadata: { start_time: now(), config: { a: 1 } } });
const all = [python('billing', 'b-1', 'UNHEALTHY'), python('shop', 'shop-1', 'ACTIVE'), python('shop', 'shop-2', 'STANDBY'),
	python('shop', 'old-1', 'ACTIVE', '2025-01-01T00:00:00+00:00')];
for (const i of all)
	await kv.put(`service-instances__${i.serviceName}__${i.instanceId}`, JSON.stringify(i));
await until('three live instances', async () => (await ask('GET', '/api/instances')).json.length === 3);
r = await ask('GET', '/api/instances');
assert.deepEqual(r.json.map(instance), all.slice(0, 3));
assert.deepEqual((await ask('GET', '/api/instances/shop')).json, all.slice(1, 3));
assert.deepEqual((await ask('GET', '/api/instances/shop/shop-1')).json, all[1]);
problem(await ask('GET', '/api/instances/shop/nobody'), 404, 'HTTP_404', null);
problem(await ask('GET', '/api/instances/shop/old-1'), 404, 'HTTP_404', null);
r = await ask('GET', '/api/instances/health/summary');
assert.deepEqual(Object.keys(r.json), ['total', 'active', 'unhealthy', 'standby']);
assert.deepEqual(r.json, { total: 3, active: 1, unhealthy: 1, standby: 1 });
for (const [status, which] of [['ACTIVE', all[1]], ['STANDBY', all[2]], ['UNHEALTHY', all[0]]])
	assert.deepEqual((await ask('GET', `/api/instances/status/${status}`)).json, [which]);
for (const status of ['active', 'SHUTDOWN', 'ACTIVE,STANDBY'])
	problem(await ask('GET', `/api/instances/status/${status}`), 400, 'HTTP_400', null);

// What an instance reports as its configuration: metadata.config, or all of the metadata.
assert.deepEqual((await ask('GET', '/api/instances/shop/shop-1/config')).json, { serviceName: 'shop', instanceId: 'shop-1', config: { a: 1 } });
const plain = { ...python('shop', 'plain-1', 'ACTIVE'), metadata: { start_time: now(), config: 'none' } };
await kv.put('service-instances__shop__plain-1', JSON.stringify(plain));
await until('it is there', async () => (await ask('GET', '/api/instances/shop/plain-1')).status === 200);
r = await ask('GET', '/api/instances/shop/plain-1/config');
assert.deepEqual([Object.keys(r.json), r.json], [['serviceName', 'instanceId', 'config'], { serviceName: 'shop', instanceId: 'plain-1', config: plain.metadata }]);
problem(await ask('GET', '/api/instances/shop/nobody/config'), 404, 'HTTP_404', null);
problem(await ask('GET', '/api/instances/shop/nobody/settings'), 404, 'HTTP_404', null);
await kv.delete('service-instances__shop__plain-1');

// All fresh instances with what their heartbeats told: null until one was heard; Python's uptime of 0 is unknown.
const beat = { instance_id: 'shop-2', timestamp: Date.now() / 1000, metrics: { uptime_seconds: 0.0, counters: { 'rpc.shop.add.success': 2 },
	gauges: { 'nats.connections': 1.0 }, summaries: { 'rpc.shop.add': { count: 2, average: 0.13, min: 0.07, max: 0.19, p50: 0.19, p90: 0.19, p99: 0.19 } } } };
await until('a heartbeat is heard', async () => {
	nc.publish('internal.heartbeat.shop', JSON.stringify(beat));
	r = await ask('GET', '/api/metrics');
	return r.json.length === 3 && r.json.some((i) => i.metrics !== null);
});
assert.deepEqual(r.json.map(({ metrics, ...record }) => record), all.slice(0, 3));
assert.deepEqual(r.json.map((i) => i.metrics === null), [true, true, false]);
const { uptime_seconds, ...told } = r.json[2].metrics, { uptime_seconds: zero, ...sent } = beat.metrics;
assert.deepEqual(told, sent);
assert.ok(uptime_seconds > 0 && uptime_seconds < 600, `${zero} seconds became ${uptime_seconds}`);

// --- what is not there --------------------------------------------------------------------------

problem(await ask('GET', '/api/nosuch'), 404, 'HTTP_404', null);
problem(await ask('POST', '/api/instances', {}), 405, 'HTTP_405', null);
problem(await ask('DELETE', '/api/services'), 405, 'HTTP_405', null);
r = await fetch(`${base}/api/services`, { headers: {} });
problem({ status: r.status, headers: r.headers, json: await r.json() }, 401, 'HTTP_401', null);

for (const i of all)
	await kv.delete(`service-instances__${i.serviceName}__${i.instanceId}`);
await nc.drain();
console.log('every row answers as the Python API does');
