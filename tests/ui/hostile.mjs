// What others wrote is text, wherever it is shown: names, descriptions, metadata, settings and reasons full of markup
// and script run nothing, load nothing, and are read as they were written.
import assert from 'node:assert/strict';
import { link, now } from '../support/sdk.mjs';
import { Stack } from './support/stack.mjs';
import { enter, run, settled, test } from './support/ui.mjs';

const EVIL = '"\'><img src=x onerror="window.pwned=1;alert(1)"><script>window.pwned=2;alert(2)</script><svg/onload=alert(3)>{{7*7}}${alert(4)}';
const LINK = 'javascript:alert(document.domain)//';
const stack = await Stack.start();
stack.define('orders', { owner: EVIL.slice(0, 100), description: EVIL });
stack.define('orders', { owner: LINK, description: EVIL + LINK });
stack.aegis('config', 'set', '--service', 'orders', `workload.note=${EVIL}`, 'max_inflight=7');
stack.aegis('config', 'set', '--service', 'orders', `workload.note=${LINK}`);
stack.instance('orders', 'orders-1', '--metadata', `zone=${EVIL}`, '--metadata', `node=${LINK}`, '--description', EVIL);
stack.token('viewer', '--ttl', '1h');
stack.aegis('token', 'create', '--role', 'viewer', '--name', EVIL.slice(0, 60));

// Records that no aegis would write, as others may.
process.env.NATS_URL = stack.nats;
const nc = await link();
const raw = (id, more) => nc.publish(`$KV.service_registry.service-instances__orders__${id}`, JSON.stringify({ serviceName: 'orders', instanceId: id, version: '1.0.0', status: 'UNHEALTHY',
	lastHeartbeat: now(), stickyActiveGroup: null, metadata: {}, ...more }));
const keep = setInterval(() => {
	raw('raw-1', { metadata: { zone: { [EVIL]: EVIL }, node: [EVIL], config: { [EVIL]: EVIL, url: LINK } } });
	raw('raw-2', { stickyActiveGroup: EVIL, metadata: { zone: EVIL, version: EVIL, sticky_active_status: EVIL } });
}, 1000);
keep.unref();

const PLACES = ['/', '/?density=compact&group=zone', '/?density=table&group=node', '/services/orders', '/services/orders/orders-1', '/services/orders/orders-1?tab=config',
	'/services/orders/orders-1?tab=events', '/services/orders/raw-1?tab=config', '/services/orders/raw-2', '/services/orders/raw-2?tab=config', '/groups', '/manage', '/manage/orders', '/config/orders', '/tokens', '/audit',
	`/?q=${encodeURIComponent(EVIL)}`, `/services/${encodeURIComponent(EVIL)}/x`, `/manage/${encodeURIComponent(EVIL)}`, `/groups/${encodeURIComponent(EVIL)}/x`, `/config/${encodeURIComponent(EVIL)}`];

const { page } = await enter(stack, 'admin');
const asked = [], strange = [];
page.on('dialog', async (d) => {
	asked.push(`${d.type()}: ${d.message()}`);
	await d.dismiss();
});
page.on('request', (r) => !r.url().startsWith(stack.url + '/') && !r.url().startsWith('blob:') && strange.push(r.url()));
page.on('request', (r) => new URL(r.url()).pathname.endsWith('/x') && r.resourceType() === 'image' && strange.push(r.url()));

// What the page is made of: its own elements, and addresses that lead nowhere else.
const foreign = () => page.evaluate(() => [
	...[...document.querySelectorAll('img:not([src^="/assets/"]), iframe, object, embed, script:not([src^="/assets/"]), [onerror], [onload], [onclick]')].map((e) => e.outerHTML),
	...[...document.querySelectorAll('[href], [src], [action]')].flatMap((e) => ['href', 'src', 'action'].map((a) => e.getAttribute(a)))
		.filter((v) => v !== null && !/^(\/|#|\?|data:image\/|$)/.test(v)),
]);

test('nothing of it runs or loads, on any page', async () => {
	await page.waitForSelector('.instance:has-text("raw-2")');
	for (const place of PLACES) {
		await page.goto(stack.url + place);
		await settled(page);
		assert.equal(await page.evaluate(() => window.pwned), undefined, place);
		assert.deepEqual(await foreign(), [], place);
	}
	assert.deepEqual(asked, []);
	assert.deepEqual(strange, []);
});

test('it is read as it was written', async () => {
	const shows = async (place, selector, text) => {
		await page.goto(stack.url + place);
		await page.waitForFunction(([s, t]) => [...document.querySelectorAll(s)].some((e) => (e.value ?? e.textContent).includes(t)), [selector, text]);
	};
	await shows('/manage/orders', '#f-description', EVIL + LINK);
	await shows('/manage/orders', '.timeline', EVIL);
	await shows('/services/orders/raw-1?tab=config', 'pre.json', JSON.stringify(EVIL).slice(1, -1));
	await shows('/services/orders/orders-1', '.facts', EVIL);
	await shows('/tokens', 'tr', EVIL.slice(0, 60));
	await shows('/config/orders', '.timeline', LINK);
});

test('an answer that quotes it is text, too', async () => {
	await page.goto(stack.url + '/manage?new=1');
	await page.fill('#f-service_name', EVIL);
	await page.fill('#f-owner', 'o');
	await page.fill('#f-description', 'd');
	await page.click('button:has-text("Create")');
	await page.waitForSelector('#f-service_name[aria-invalid=true]');
	assert.match(await page.textContent('#f-service_name-e'), /<img src=x/);
	assert.deepEqual(await foreign(), []);
	assert.deepEqual(asked, []);
	clearInterval(keep);
	await nc.close();
});

await run();
