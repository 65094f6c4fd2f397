// walk.mjs - who may what at the management API: every operation of /openapi.json with every kind of
// credential, each answer held against the operation's own x-role and x-reach.
//
//	walk.mjs routes URL URL2 FACTS		the walk; FACTS is a file of JSON: tokens by role and kind
//	walk.mjs session URL URL2 FACTS		cookies: their looks, foreign pages, logging out on another replica
//	walk.mjs code URL URL2 CODE		one login by code, and no second one
//	walk.mjs throttle URL TOKEN		ten guesses, then 429, for that address alone
//	walk.mjs revoke URL URL2 ADMIN		a token's life by the API, and its end everywhere within a second
//	walk.mjs audit URL URL2 FACTS		changes stand in the trail
//	walk.mjs readonly URL FACTS		every write is refused
//	walk.mjs away URL TOKEN COOKIE		NATS is gone: the known goes on, the unknown is not let in
import http from 'node:http';
import { readFileSync } from 'node:fs';

const roles = ['none', 'metrics', 'viewer', 'operator', 'admin'];
let next = 0, failures = 0, asked = 0;

function fail(text) {
	if (failures++ < 20) console.error(`NOT AS EXPECTED: ${text}`);
}

function check(holds, text) {
	if (!holds) fail(text);
}

// Guesses count by address, and this is about access: so each request comes from an address of its own.
function address() {
	next++;
	return `127.${1 + (next >> 16 & 127)}.${next >> 8 & 255}.${1 + next % 254}`;
}

// ask: {status, headers, body}; what streams is left at its head.
export function ask(url, method, path, headers = {}, body = undefined, from = address()) {
	const u = new URL(path, url);
	asked++;
	return new Promise((resolve, reject) => {
		const r = http.request({ host: u.hostname, port: u.port, method, path: u.pathname + u.search, headers, localAddress: from,
			agent: false }, res => {
			const answer = { status: res.statusCode, headers: res.headers, body: '' };
			if ((res.headers['content-type'] ?? '').startsWith('text/event-stream')) { r.destroy(); resolve(answer); return; }
			res.setEncoding('utf8');
			res.on('data', d => { answer.body += d; });
			res.on('end', () => resolve(answer));
			res.on('error', reject);
		});
		r.on('error', reject);
		r.end(body);
	});
}

const bearer = token => ({ Authorization: `Bearer ${token}` });
const json = text => ({ 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
const facts = file => JSON.parse(readFileSync(file, 'utf8'));

async function operations(url) {
	const api = JSON.parse((await ask(url, 'GET', '/openapi.json')).body);
	const list = [];
	for (const [path, methods] of Object.entries(api.paths))
		for (const [method, o] of Object.entries(methods))
			list.push({ path, method: method.toUpperCase(), id: o.operationId, role: o['x-role'], reach: o['x-reach'],
				body: o.requestBody !== undefined, secured: o.security.length > 0 });
	return list;
}

// place: the operation's path, of that service.
const place = (o, service) => o.path.replace(/\{(service|name)\}/g, service).replace('{id}', '0'.repeat(26))
	.replace('{status}', 'ACTIVE').replace('{file}', 'none.js').replace(/\{\w+\}/g, 'nobody');

async function send(url, o, service, headers) {
	const more = o.body ? json('{}') : {};
	return await ask(url, o.method, place(o, service), { ...more, ...headers }, o.body ? '{}' : undefined);
}

// verdict: 401, 403 or 'in' by the answer's status.
const verdict = a => a.status === 401 || a.status === 403 ? a.status : 'in';

// due: what an operation owes to a credential of a role, bound to a service or not.
function due(o, role, bound, service) {
	if (o.role === 'public') return 'in';
	if (role === 'none') return 401;
	if (roles.indexOf(role) < roles.indexOf(o.role)) return 403;
	if (bound === null || o.reach === 'list') return 'in';
	return o.reach === 'service' && bound === service ? 'in' : 403;
}

async function expect(url, o, what, headers, want, service = 'walk-a') {
	const a = await send(url, o, service, headers);
	check(verdict(a) === want, `${o.method} ${place(o, service)} (${o.role}, ${o.reach}) with ${what}: ${a.status}, not ${want}`);
	if (a.status === 401) check(/^Bearer/.test(a.headers['www-authenticate'] ?? ''), `${o.id}: a 401 without WWW-Authenticate`);
	if (a.status >= 400) {
		check(!/aeg_[0-9a-f]{8}/.test(a.body), `${o.id}: the answer repeats a secret`);
		if (o.method !== 'HEAD')
			check(JSON.parse(a.body).error.code !== undefined, `${o.id} with ${what}: an error without its body`);
	}
	return a;
}

async function walkTokens(urls, o, f) {
	const [url, other] = urls;
	await expect(url, o, 'nothing', {}, due(o, 'none'));
	for (const kind of ['expired', 'revoked', 'foreign'])
		await expect(kind === 'revoked' ? other : url, o, `a token that is ${kind}`, bearer(f[kind]), due(o, 'none'));
	for (const header of ['Bearer', 'Bearer aeg_', `Bearer ${f.admin}0`, `Bearer ${f.admin.toUpperCase()}`, `Basic ${f.admin}`,
	    `Bearer ${f.admin} ${f.admin}`, f.admin, '', `Bearer ${'x'.repeat(4000)}`])
		await expect(url, o, `the header '${header.slice(0, 20)}…'`, { Authorization: header }, due(o, 'none'));
	// Not where a credential belongs.
	const path = place(o, 'walk-a');
	const a = await ask(url, o.method, `${path}?token=${f.admin}&access_token=${f.admin}`);
	check(verdict(a) === due(o, 'none') , `${o.id} took a token from the address: ${a.status}`);
	for (const role of roles.slice(1)) {
		await expect(urls[roles.indexOf(role) % 2], o, `the role ${role}`, bearer(f[role]), due(o, role, null, 'walk-a'));
		for (const service of ['walk-a', 'walk-b', 'walk-a2', 'WALK-A'])
			await expect(url, o, `${role} bound to walk-a, for ${service}`, bearer(f[`${role}-bound`]),
				due(o, role, 'walk-a', service), service);
	}
}

async function walkCookies(url, o, f) {
	const own = { Origin: url, 'Sec-Fetch-Site': 'same-origin' }, isWrite = o.method !== 'GET' && o.method !== 'HEAD';
	for (const value of ['', 'x', f.admin, f.goneCookie, f.foreign.slice(4)])
		await expect(url, o, `the cookie '${value.slice(0, 8)}…'`, { Cookie: `aegis=${value}`, ...own }, due(o, 'none'));
	await expect(url, o, 'two cookies', { Cookie: `aegis=${f.cookies.admin}; aegis=${f.foreign.slice(4)}`, ...own }, due(o, 'none'));
	await expect(url, o, 'a wrong token beside a good cookie', { Cookie: `aegis=${f.cookies.admin}`, ...bearer(f.foreign), ...own },
		due(o, 'none'));
	for (const role of roles.slice(1)) {
		const cookie = { Cookie: `other=1; aegis=${f.cookies[role]}` }, want = due(o, role, null, 'walk-a');
		// Ending a session would spoil the rest; others may be ended here.
		if (o.id === 'endSession') continue;
		await expect(url, o, `a session of ${role}`, { ...cookie, ...own }, want);
		if (!isWrite || want !== 'in' || o.role === 'public') continue;
		for (const foreign of [{}, { Origin: 'https://evil.example' }, { Origin: 'null' }, { 'Sec-Fetch-Site': 'cross-site' },
		    { 'Sec-Fetch-Site': 'same-site', Origin: url }, { Origin: url.replace(/:\d+$/, ':1') }])
			await expect(url, o, `a session of ${role}, from ${JSON.stringify(foreign)}`, { ...cookie, ...foreign }, 403);
		if (!o.body) continue;
		for (const type of ['text/plain', 'application/x-www-form-urlencoded', undefined]) {
			const a = await ask(url, o.method, place(o, 'walk-a'), { ...cookie, ...own, 'Content-Length': 2,
				...(type !== undefined ? { 'Content-Type': type } : {}) }, '{}');
			check(a.status === 403, `${o.id}: a session's body of type ${type} is answered ${a.status}`);
		}
	}
}

async function routes(url, other, file) {
	const f = facts(file), list = await operations(url);
	check(list.length >= 20, `only ${list.length} operations`);
	for (const o of list) check([...roles.slice(1), 'public'].includes(o.role) && o.secured === (o.role !== 'public'), `${o.id}: role`);
	// Public is what may be: health, the page, the description, and logging in.
	for (const o of list.filter(x => x.role === 'public'))
		check(/^(page\w+|livez|readyz|startupz|getHealth\w*|getReady|getStatus|getOpenapi|createSession)$/.test(o.id),
			`${o.id} is public`);
	const gets = list.filter(o => o.method === 'GET').map(o => ({ ...o, method: 'HEAD' }));
	for (const o of [...list, ...gets]) {
		await walkTokens([url, other], o, f);
		await walkCookies(url, o, f);
	}
	for (const path of ['/api/nosuch', '/api', '/api/services/x/y/z', '/API/services', '/api//services', '/api/tokens/'])
		for (const headers of [{}, bearer(f.admin)])
			check([404, 400].includes((await ask(url, 'GET', path, headers)).status), `${path} is not 404`);
	console.log(`${list.length} operations, ${asked} requests`);
}

async function login(url, body, headers = {}, from = address()) {
	const text = JSON.stringify(body);
	return await ask(url, 'POST', '/api/session', { ...json(text), ...headers }, text, from);
}

const cookieOf = a => /^aegis=([0-9a-f]{64});/.exec((a.headers['set-cookie'] ?? [''])[0])?.[1];

async function session(url, other, file) {
	const f = facts(file);
	let a = await login(url, { token: f.operator });
	check(a.status === 200, `a login is answered ${a.status} ${a.body}`);
	check(/^aegis=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Strict$/.test(a.headers['set-cookie'][0]), `Set-Cookie: ${a.headers['set-cookie']}`);
	check(a.headers['cache-control'] === 'no-store', 'a session may be cached');
	const cookie = { Cookie: `aegis=${cookieOf(a)}` }, s = JSON.parse(a.body);
	check(s.role === 'operator' && s.via === 'cookie' && s.idle_seconds === 1800 && s.service === null, a.body);
	const left = Date.parse(s.expires_at) - Date.now();
	check(left > 11.9 * 3600e3 && left <= 12 * 3600e3, `expires_at: ${s.expires_at}`);
	a = await ask(other, 'GET', '/api/session', cookie);
	check(a.status === 200 && JSON.parse(a.body).id === s.id, `the other replica answers ${a.status}`);
	a = await ask(url, 'GET', '/api/session', bearer(f.viewer));
	check(JSON.parse(a.body).via === 'token' && JSON.parse(a.body).idle_seconds === null, a.body);
	// A token whose end is near takes its session along.
	a = await login(url, { token: f.short });
	check(Date.parse(JSON.parse(a.body).expires_at) - Date.now() < 3600e3, `a session outlives its token: ${a.body}`);
	// Wrong bodies, and a page of somebody else that wants to log its visitor in.
	for (const body of [{}, [], { token: 1 }, { token: f.operator, code: 'x' }, { token: f.operator, more: 1 }])
		check((await login(url, body)).status === 422, `${JSON.stringify(body).slice(0, 30)} is not 422`);
	for (const body of [{ token: '' }, { token: 'aeg_x' }, { code: f.operator }, { token: f.foreign }, { token: f.revoked }, { token: f.expired }])
		check((await login(url, body)).status === 401, `${JSON.stringify(body).slice(0, 30)} is not 401`);
	check((await login(url, { token: f.operator }, { Origin: 'https://evil.example' })).status === 403, 'a foreign page logs in');
	check((await login(url, { token: f.operator }, { Origin: url })).status === 200, 'the own page does not log in');
	check((await ask(url, 'POST', '/api/session', { 'Content-Type': 'text/plain', 'Content-Length': 2 }, '{}')).status === 415, 'text/plain');
	// Out, by the other replica; and a token has no session.
	check((await ask(url, 'DELETE', '/api/session', bearer(f.viewer))).status === 400, 'a token logs out');
	check((await ask(other, 'DELETE', '/api/session', cookie)).status === 403, 'logging out from anywhere');
	a = await ask(other, 'DELETE', '/api/session', { ...cookie, Origin: other });
	check(a.status === 204 && /^aegis=;.*Max-Age=0$/.test(a.headers['set-cookie'][0]), `logging out: ${a.status} ${a.headers['set-cookie']}`);
	check((await ask(other, 'GET', '/api/session', cookie)).status === 401, 'logged out, and still in');
	await within(1000, async () => (await ask(url, 'GET', '/api/session', cookie)).status === 401, 'the first replica forgets the session');
}

async function within(ms, holds, what) {
	const begin = Date.now();
	while (!await holds()) {
		if (Date.now() - begin > 120000) { fail(`never: ${what}`); return; }
		await new Promise(r => setTimeout(r, 1));
	}
	// What is promised is kept where the machine has the time; a busy one gets ten times that.
	const took = Date.now() - begin;
	check(took <= 10 * ms, `${what}: took ${took} ms, not ${ms}`);
	console.log(`${what}: ${took} ms`);
}

async function code(url, other, text) {
	const a = await login(other, { code: text });
	check(a.status === 200 && JSON.parse(a.body).role === 'admin', `the code is answered ${a.status}: ${a.body}`);
	check((await ask(url, 'GET', '/api/tokens', { Cookie: `aegis=${cookieOf(a)}` })).status === 200, 'the login is none');
	for (const u of [url, other]) check((await login(u, { code: text })).status === 401, 'the code works twice');
}

async function throttle(url, token) {
	const here = '127.200.0.1', there = '127.200.0.2', guess = i => ({ token: 'aeg_' + String(i).padStart(64, '0') });
	// blocked: guesses until that is enough, which is forgotten one by one after six seconds.
	const blocked = async () => {
		for (let i = 0; ; i++) {
			const a = await login(url, guess(i), {}, here);
			if (a.status !== 401 || i >= 100) return { ...a, guesses: i };
		}
	};
	let a = await blocked();
	check(a.guesses >= 10, `only ${a.guesses} guesses`);
	check(a.status === 429 && Number(a.headers['retry-after']) >= 1 && Number(a.headers['retry-after']) <= 6,
		`a guess too many is answered ${a.status}, Retry-After ${a.headers['retry-after']}`);
	check(JSON.parse(a.body).error.code === 'HTTP_429', a.body);
	await blocked();
	a = await ask(url, 'GET', '/api/services', bearer('aeg_' + 'f'.repeat(64)), undefined, here);
	check(a.status === 429, `a guess in Authorization: ${a.status}`);
	await blocked();
	check((await login(url, { code: 'aegc_' + 'f'.repeat(64) }, {}, here)).status === 429, 'a guessed code');
	check((await ask(url, 'GET', '/api/services', bearer(token), undefined, here)).status === 200, 'a known token suffers');
	check((await login(url, { token }, {}, here)).status === 200, 'a login with a known token suffers');
	check((await login(url, guess(11), {}, there)).status === 401, 'another address suffers');
}

// follow: an event stream that is read until it ends.
function follow(url, headers) {
	const u = new URL('/api/events', url), s = { status: 0, ended: false };
	http.get({ host: u.hostname, port: u.port, path: u.pathname, headers, localAddress: address(), agent: false }, res => {
		s.status = res.statusCode;
		res.on('data', () => {});
		res.on('close', () => { s.ended = true; });
		res.on('error', () => {});
	}).on('error', () => { s.ended = true; });
	return s;
}

async function revoke(url, other, admin) {
	const body = JSON.stringify({ name: 'made by the API', role: 'viewer', ttl_seconds: 600, service: null });
	const post = more => ask(url, 'POST', '/api/tokens', { ...bearer(admin), ...json(body), ...more }, body);
	let a = await post({ 'Idempotency-Key': 'walk' });
	const made = JSON.parse(a.body), path = `/api/tokens/${made.id}`;
	check(a.status === 201 && a.headers.location === path && /^"\d+"$/.test(a.headers.etag), `made: ${a.status} ${a.body}`);
	check(made.created_by === 'admin' && made.token.startsWith(made.prefix), a.body);
	check((await post({ 'Idempotency-Key': 'walk' })).status === 409, 'the same request again makes another token');
	// At once, on the other replica.
	check((await ask(other, 'GET', '/api/services', bearer(made.token))).status === 200, 'the other replica does not know it yet');
	const cookie = { Cookie: `aegis=${cookieOf(await login(other, { token: made.token }))}` };
	check((await ask(url, 'GET', '/api/session', cookie)).status === 200, 'its session');
	const streams = [follow(other, bearer(made.token)), follow(other, cookie), follow(url, cookie)], kept = follow(other, bearer(admin));
	await within(5000, async () => [...streams, kept].every(s => s.status === 200 && !s.ended), 'streams begin');
	a = await ask(other, 'GET', '/api/tokens', bearer(admin));
	const listed = JSON.parse(a.body).find(t => t.id === made.id);
	check(listed !== undefined && !('token' in listed) && !a.body.includes('sha256'), 'the list');
	a = await ask(url, 'GET', '/api/tokens?filter=role:viewer&sort=-created_at&limit=1', bearer(admin));
	check(JSON.parse(a.body).length === 1 && JSON.parse(a.body)[0].id === made.id, `filter and sort: ${a.body}`);
	a = await ask(other, 'GET', path, bearer(admin));
	check(a.status === 200 && JSON.parse(a.body).token === undefined, 'one token');
	const etag = a.headers.etag;
	for (const wrong of [{ role: 'emperor' }, { name: '' }, { ttl_seconds: 0 }, { ttl_seconds: 'x' }, { service: 'a b' }, { more: 1 }]) {
		const text = JSON.stringify({ name: 'x', role: 'viewer', ...wrong });
		a = await ask(url, 'POST', '/api/tokens', { ...bearer(admin), ...json(text) }, text);
		check(a.status === 422 && JSON.parse(a.body).errors[0].pointer === `/${Object.keys(wrong)[0]}`, `${text}: ${a.status} ${a.body}`);
	}
	check((await ask(url, 'DELETE', path, bearer(admin))).status === 428, 'revoked without a condition');
	check((await ask(url, 'DELETE', path, { ...bearer(admin), 'If-Match': '"1"' })).status === 412, 'revoked by a stale one');
	check((await ask(url, 'DELETE', path, { ...bearer(admin), 'If-Match': etag })).status === 204, 'not revoked');
	check((await ask(url, 'GET', '/api/services', bearer(made.token))).status === 401, 'it lives on here');
	await within(1000, async () => (await ask(other, 'GET', '/api/services', bearer(made.token))).status === 401, 'the other replica refuses it');
	check((await ask(other, 'GET', '/api/session', cookie)).status === 401, 'its session lives on');
	await within(1500, async () => streams.every(s => s.ended), 'its streams end');
	check(!kept.ended, 'a stream of somebody else ends, too');
	check((await ask(url, 'GET', path, bearer(admin))).status === 404, 'it is still told');
}

// What was changed stands in the trail: who, what, before, after; read on the other replica.
async function audit(url, other, file) {
	const f = facts(file), call = async (method, path, body, more = {}) => {
		const text = body !== undefined ? JSON.stringify(body) : undefined;
		return await ask(url, method, path, { ...bearer(f.operator), ...(text ? json(text) : {}), ...more }, text);
	};
	const definition = { service_name: 'audited', owner: 'a', description: 'd', version: '1.0.0' };
	let a = await call('POST', '/api/services', definition);
	check(a.status === 201 && a.headers.warning === undefined, `created: ${a.status} ${a.headers.warning}`);
	const first = Number(a.headers.etag.slice(1, -1)), request = a.headers['x-request-id'];
	check((await call('POST', '/api/services?dry_run=true', { ...definition, service_name: 'not-made' })).status === 200, 'a dry run');
	check((await call('POST', '/api/services', definition)).status === 409, 'made twice');
	check((await call('PUT', '/api/services/audited', { owner: 'b' })).status === 200, 'changed');
	a = await call('POST', '/api/services/audited/revert', { revision: first }, { 'If-Match': '*' });
	check(a.status === 200, `reverted: ${a.status}`);
	check((await call('DELETE', '/api/services/audited')).status === 204, 'removed');
	check((await ask(other, 'GET', '/api/audit', bearer(f.operator))).status === 403, 'an operator reads the trail');
	const read = async query => await ask(other, 'GET', `/api/audit${query}`, bearer(f.admin));
	a = await read('?service=audited');
	const rows = JSON.parse(a.body);
	check(rows.map(r => r.action).join() === 'definition.delete,definition.revert,definition.update,definition.create', a.body);
	const [removed, reverted, changed, created] = rows;
	check(created.request_id === request && created.before === null && created.before_revision === null &&
		created.after.owner === 'a' && created.after_revision === first && created.peer.startsWith('127.'), JSON.stringify(created));
	check(changed.before.owner === 'a' && changed.before_revision === first && changed.after.owner === 'b', JSON.stringify(changed));
	check(reverted.before.owner === 'b' && reverted.after.owner === 'a', JSON.stringify(reverted));
	check(removed.after === null && removed.after_revision === null && removed.before.owner === 'a', JSON.stringify(removed));
	check(rows.every(r => r.actor.name === 'operator' && r.actor.role === 'operator' && /^[0-9a-f]{26}$/.test(r.actor.id) &&
		r.target === 'audited' && Math.abs(Date.parse(r.at) - Date.now()) < 60000), 'who and when');
	// Page by page, without gap or repetition.
	const seen = [];
	for (let next = '?service=audited&limit=1&actor=operator'; next !== undefined;) {
		a = await read(next);
		check(a.status === 200 && JSON.parse(a.body).length <= 1, `a page: ${a.status} ${a.body}`);
		seen.push(...JSON.parse(a.body).map(r => r.seq));
		next = /<\/api\/audit(\?[^>]*)>; rel="next"/.exec(a.headers.link ?? '')?.[1];
	}
	check(seen.join() === rows.map(r => r.seq).join(), `pages: ${seen}`);
	a = await read('?limit=1000');
	check(JSON.parse(a.body).some(r => r.action === 'token.create' && r.after.name === 'made by the API') &&
		JSON.parse(a.body).some(r => r.action === 'token.revoke' && r.before.name === 'made by the API'), 'tokens');
	check(!/aegc?_[0-9a-f]{16}/.test(a.body) && !a.body.includes('sha256'), 'a secret is in the trail');
	check(JSON.parse((await read('?actor=nobody')).body).length === 0, 'nobody did something');
	for (const query of ['?limit=0', '?limit=1001', '?limit=x', '?cursor=x', '?cursor=-1'])
		check((await read(query)).status === 422, `${query} is not refused`);
}

async function readonly(url, file) {
	const f = facts(file);
	for (const o of (await operations(url)).filter(x => x.method !== 'GET' && !/Session$/.test(x.id)))
		check((await send(url, o, 'walk-a', bearer(f.admin))).status === 403, `${o.id} is not refused`);
	const a = await login(url, { token: f.admin });
	check(a.status === 200 && JSON.parse(a.body).read_only === true, `logging in: ${a.status}`);
	check((await ask(url, 'DELETE', '/api/session', { Cookie: `aegis=${cookieOf(a)}`, Origin: url })).status === 204, 'logging out');
}

async function away(url, token, cookie) {
	check((await ask(url, 'GET', '/api/session', bearer(token))).status === 200, 'a known token');
	check((await ask(url, 'GET', '/api/session', { Cookie: `aegis=${cookie}` })).status === 200, 'a known session');
	const begin = Date.now();
	check((await ask(url, 'GET', '/api/services', bearer(token))).status === 503, 'data');
	check((await ask(url, 'GET', '/api/session', bearer('aeg_' + '7'.repeat(64)))).status === 503, 'an unknown token');
	check((await login(url, { token })).status === 503, 'a login');
	check(Date.now() - begin < 10000, 'the refusals took as long as answers that nobody gives');
	check((await ask(url, 'GET', '/api/session', bearer('nonsense'))).status === 401, 'no token at all');
}

const verbs = { routes, session, code, throttle, revoke, audit, readonly, away };
await verbs[process.argv[2]](...process.argv.slice(3));
if (failures > 0) console.error(`${failures} of ${asked} answers are not as expected`);
process.exit(failures > 0 ? 1 : 0);
