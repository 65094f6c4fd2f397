// nats.mjs - the official NATS client for shell scripts: what is stored and said on the bus, seen
// by somebody who is not aegis.  `node nats.mjs VERB ARGUMENTS…`, server in $NATS_URL.
//
//	bucket NAME [CONFIG-JSON]		makes a bucket as the Python SDK does, CONFIG on top
//	put BUCKET KEY VALUE			prints the revision
//	get BUCKET KEY				prints {"revision","value"}; exit 3 when there is none
//	del BUCKET KEY				removes it as Python does
//	keys BUCKET				one per line, sorted
//	instance SERVICE ID [AGE_S [JSON]]	a record as Python writes it, that old, JSON on top
//	many SERVICE N				so many instances of it, pipelined
//	stream NAME				the stream's info as JSON
//	streams					the names of all
//	messages NAME SUBJECT			every message of that subject: {"seq","headers"}, one per line
//	edit NAME JSON				changes a stream's configuration
//	remove NAME				deletes a stream
//	consumers NAME				how many consumers it has
//	consume NAME N				adds so many, which read nothing
//	unconsume NAME [CONSUMER]		deletes that one, or all
//	consumer-list NAME			their infos, one per line
//	identities DIR				keys, tokens and credentials for scenario 16
import { connect } from '@nats-io/transport-node';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';

const REGISTRY = 'service_registry';

function pythonRecord(service, id, ageSeconds = 0, more = {}) {
	const beat = new Date(Date.now() - ageSeconds * 1000).toISOString().replace('Z', '000+00:00');
	return JSON.stringify({ serviceName: service, instanceId: id, version: '1.0.0', status: 'ACTIVE',
		lastHeartbeat: beat, stickyActiveGroup: null, metadata: { start_time: beat }, ...more });
}

async function makeBucket(nc, name, more = {}) {
	const jsm = await jetstreamManager(nc);
	await jsm.streams.add({ name: `KV_${name}`, subjects: [`$KV.${name}.>`], retention: 'limits',
		max_msgs_per_subject: 10, max_msg_size: 1 << 20, max_age: 0, storage: 'file', discard: 'new',
		allow_direct: true, allow_rollup_hdrs: true, deny_delete: true, num_replicas: 1,
		allow_msg_ttl: true, ...more });
}

async function openBucket(nc, name) {
	return await new Kvm(nc).open(name);
}

async function publishMany(nc, service, n) {
	const js = jetstream(nc);
	const waiting = [];
	for (let i = 0; i < n; i++) {
		const id = `${service}-${String(i).padStart(6, '0')}`;
		waiting.push(js.publish(`$KV.${REGISTRY}.service-instances__${service}__${id}`,
			pythonRecord(service, id), { timeout: 30000 }));
		if (waiting.length === 500)
			await Promise.all(waiting.splice(0));
	}
	await Promise.all(waiting);
}

async function identities(dir) {
	const { createOperator, createAccount, createUser } = await import('@nats-io/nkeys');
	const { encodeOperator, encodeAccount, encodeUser, fmtCreds } = await import('@nats-io/jwt');
	const { writeFileSync } = await import('node:fs');
	const text = (bytes) => new TextDecoder().decode(bytes);
	const operator = createOperator(), account = createAccount(), user = createUser(), stranger = createAccount(), system = createAccount();
	const accountJwt = await encodeAccount('A', account, { limits: { mem_storage: -1, disk_storage: -1,
		streams: -1, consumer: -1, conn: -1, subs: -1, data: -1, payload: -1, imports: -1, exports: -1,
		leaf: -1, wildcards: true } }, { signer: operator });
	writeFileSync(`${dir}/operator.jwt`, await encodeOperator('O', operator));
	writeFileSync(`${dir}/system.pub`, system.getPublicKey());
	writeFileSync(`${dir}/system.jwt`, await encodeAccount('SYS', system, {}, { signer: operator }));
	writeFileSync(`${dir}/account.pub`, account.getPublicKey());
	writeFileSync(`${dir}/account.jwt`, accountJwt);
	writeFileSync(`${dir}/user.creds`, fmtCreds(await encodeUser('U', user, account), user));
	writeFileSync(`${dir}/foreign.creds`, fmtCreds(await encodeUser('U', user, stranger), user));
	for (const name of ['good', 'wrong']) {
		const key = createUser();
		writeFileSync(`${dir}/${name}.nk`, text(key.getSeed()) + '\n');
		writeFileSync(`${dir}/${name}.pub`, key.getPublicKey());
	}
}

const [verb, ...args] = process.argv.slice(2);
if (verb === 'identities') {
	await identities(args[0]);
	process.exit(0);
}
const nc = await connect({ servers: process.env.NATS_URL, timeout: 10000,
	user: process.env.JS_USER, pass: process.env.JS_PASSWORD });
let code = 0;
switch (verb) {
case 'bucket':
	await makeBucket(nc, args[0], args[1] ? JSON.parse(args[1]) : {});
	break;
case 'put':
	console.log(await (await openBucket(nc, args[0])).put(args[1], args[2]));
	break;
case 'get': {
	const e = await (await openBucket(nc, args[0])).get(args[1]);
	if (e === null || e.operation !== 'PUT')
		code = 3;
	else
		console.log(JSON.stringify({ revision: e.revision, value: e.string() }));
	break;
}
case 'del':
	await (await openBucket(nc, args[0])).delete(args[1]);
	break;
case 'keys': {
	const all = [];
	for await (const k of await (await openBucket(nc, args[0])).keys())
		all.push(k);
	if (all.length > 0)
		console.log(all.sort().join('\n'));
	break;
}
case 'instance': {
	const [service, id, age, more] = args;
	await (await openBucket(nc, REGISTRY)).put(`service-instances__${service}__${id}`,
		pythonRecord(service, id, Number(age ?? 0), more ? JSON.parse(more) : {}));
	break;
}
case 'many':
	await publishMany(nc, args[0], Number(args[1]));
	break;
case 'headers': {
	const m = await (await jetstreamManager(nc)).streams.getMessage(`KV_${args[0]}`,
		{ last_by_subj: `$KV.${args[0]}.${args[1]}` });
	console.log(JSON.stringify(Object.fromEntries([...m.header].map(([k, v]) => [k, v[0]]))));
	break;
}
case 'stream':
	console.log(JSON.stringify(await (await jetstreamManager(nc)).streams.info(args[0])));
	break;
case 'streams': {
	const names = [];
	for await (const si of (await jetstreamManager(nc)).streams.list())
		names.push(si.config.name);
	console.log(names.sort().join(' '));
	break;
}
case 'messages': {
	const streams = (await jetstreamManager(nc)).streams;
	for (let seq = 1; ; seq++) {
		const m = await streams.getMessage(args[0], { seq, next_by_subj: args[1] });
		if (m === null)
			break;
		seq = m.seq;
		console.log(JSON.stringify({ seq, headers: Object.fromEntries([...m.header].map(([k, v]) => [k, v[0]])) }));
	}
	break;
}
case 'edit':
	await (await jetstreamManager(nc)).streams.update(args[0], JSON.parse(args[1]));
	break;
case 'remove':
	await (await jetstreamManager(nc)).streams.delete(args[0]);
	break;
case 'consume': {
	const jsm = await jetstreamManager(nc);
	for (let i = 0; i < Number(args[1]); i++)
		await jsm.consumers.add(args[0], { durable_name: `reader-${i}`, ack_policy: 'explicit' });
	break;
}
case 'unconsume': {
	const jsm = await jetstreamManager(nc), names = args[1] ? [args[1]] : [];
	if (names.length === 0)
		for await (const c of jsm.consumers.list(args[0]))
			names.push(c.name);
	for (const name of names)
		await jsm.consumers.delete(args[0], name);
	break;
}
case 'purge':
	await (await jetstreamManager(nc)).streams.purge(args[0]);
	break;
case 'fill': {
	const kv = await openBucket(nc, args[0]);
	try {
		for (let i = 0; i < 10000; i++)
			await kv.put(`k${i}`, 'x'.repeat(Number(args[1])));
		code = 1;
	} catch (e) {
		console.log(e.message);
	}
	break;
}
case 'consumers':
	console.log((await (await jetstreamManager(nc)).streams.info(args[0])).state.consumer_count);
	break;
case 'consumer-list':
	for await (const c of (await jetstreamManager(nc)).consumers.list(args[0]))
		console.log(JSON.stringify(c));
	break;
default:
	console.error(`nats.mjs: no verb '${verb}'`);
	code = 2;
}
await nc.close();
process.exit(code);
