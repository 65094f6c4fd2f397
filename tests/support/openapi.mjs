// openapi.mjs URL [TOKEN-FILE [DO]] - is GET /openapi.json right in itself, and (with a token) do all
// operations answer as it says?  DO is a module that exports `samples`: operationId -> {path, query, body, headers,
// status, prepare(ask)}, `names` of things that exist, and the `order` of those that depend on others.
// What has no sample is called with the names alone, and must answer with a success or a refusal.
import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

const [base, tokenFile, module] = process.argv.slice(2);
const spec = await (await fetch(`${base}/openapi.json`)).json();
const judged = await new Validator().validate(structuredClone(spec));
if (!judged.valid)
	throw new Error(`no valid OpenAPI: ${JSON.stringify(judged.errors)}`);
if (spec.openapi !== '3.1.0')
	throw new Error(`version ${spec.openapi}`);

const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
// All schemas of the document refer to each other within it.
ajv.addSchema({ $id: 'aegis:spec', components: spec.components });
const operations = [];
for (const [path, item] of Object.entries(spec.paths))
	for (const [method, op] of Object.entries(item))
		operations.push({ path, method: method.toUpperCase(), op });
const ids = operations.map((x) => x.op.operationId);
if (new Set(ids).size !== ids.length)
	throw new Error(`an operationId stands twice: ${ids.sort()}`);

function check(where, schema, value) {
	const text = JSON.stringify(schema).replaceAll('"#/components', '"aegis:spec#/components');
	const valid = ajv.compile(JSON.parse(text));
	if (!valid(value))
		throw new Error(`${where}: ${JSON.stringify(valid.errors)}: ${JSON.stringify(value)?.slice(0, 400)}`);
}

// call: one request; its answer must be one that the document tells.
async function call({ path, method, op }, sample, token) {
	const at = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(sample.path?.[name] ?? sample.names?.[name] ?? 'nosuch'));
	const headers = { accept: '*/*', ...sample.headers };
	if (token)
		headers.authorization = `Bearer ${token}`;
	if (sample.body !== undefined)
		headers['content-type'] = 'application/json';
	const cut = new AbortController();
	const r = await fetch(base + at + (sample.query ?? ''), { method, headers, redirect: 'manual', signal: cut.signal,
		body: sample.body === undefined ? undefined : JSON.stringify(sample.body) });
	const type = (r.headers.get('content-type') ?? '').split(';')[0];
	if (type === 'text/event-stream') {
		cut.abort();
		return { status: r.status, type, headers: r.headers };
	}
	const text = await r.text(), where = `${method} ${at} -> ${r.status}`;
	const told = op.responses[r.status] ?? op.responses.default;
	if (r.status < 400 && !op.responses[r.status] && !(r.status === 200 && sample.query?.includes('dry_run')) && r.status !== 304)
		throw new Error(`${where}: a success that is not told`);
	const answer = op.responses[r.status] ? told : r.status < 400 ? op.responses[Object.keys(op.responses)[0]] : told;
	if (!answer.content) {
		if (text !== '')
			throw new Error(`${where}: a body that is not told: ${text}`);
	} else if (r.status >= 400 || answer.content['application/json']) {
		if (!/^application\/(problem\+)?json$/.test(type))
			throw new Error(`${where}: ${type}`);
		check(where, answer.content['application/json'].schema, JSON.parse(text));
	} else if (!answer.content[type] && !answer.content['*/*']) {
		throw new Error(`${where}: ${type}, not ${Object.keys(answer.content)}`);
	}
	return { status: r.status, type, headers: r.headers, json: type.endsWith('json') ? JSON.parse(text) : undefined };
}

if (tokenFile) {
	const token = readFileSync(tokenFile, 'utf8').trim();
	const { samples = {}, names = {}, order = [] } = await import(module);
	const rank = (x) => order.includes(x.op.operationId) ? order.indexOf(x.op.operationId) : -1;
	let good = 0;
	for (const x of operations.sort((a, b) => rank(a) - rank(b))) {
		const id = x.op.operationId, sample = { names, ...samples[id] };
		if (typeof sample.prepare === 'function')
			Object.assign(sample, await sample.prepare((other, more) => call(operations.find((o) => o.op.operationId === other),
				{ names, ...samples[other], ...more }, token)));
		const r = await call(x, sample, token);
		const want = sample.status ?? (id in samples ? Number(Object.keys(x.op.responses)[0]) : undefined);
		if (want !== undefined ? r.status !== want : r.status >= 500)
			throw new Error(`${id}: ${r.status}, not ${want ?? 'a success or a refusal'}: ${JSON.stringify(r.json)}`);
		good++;
		// The same without a credential.
		const bare = await call(x, { names, path: sample.path }, null);
		if (x.op['x-role'] === 'public' ? bare.status === 401 || bare.status === 403 : bare.status !== 401)
			throw new Error(`${id}: without a credential ${bare.status}`);
	}
	console.log(`${good} operations answer as they are told`);
}
