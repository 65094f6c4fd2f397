// screenshots.mjs - the pictures of README, of the page over `aegis dev` and a few wrapped programs: one group
// of three with a leader, and one instance that is unwell.  `make screenshots` takes them.
//
//	node screenshots.mjs OUT [SECONDS]
//
// SECONDS is how much of history the charts show; the demo is called all the while.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Stack, until } from './stack.mjs';
import { close, open, settled } from './ui.mjs';

const [out, seconds = '90'] = process.argv.slice(2);
const QUALITY = 82;
const PATIENCE_MS = 60_000;	// pictures may be taken on a machine that has other things to do
const SIZE = { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1, isMobile: true };	// so no place is kept for a scroll bar
mkdirSync(out, { recursive: true });

// --- what there is to see ------------------------------------------------------------------------

const stack = await Stack.demo();
const definitions = [['settlement', 'payments', 'settles trades once a minute; one of three leads', '2.4.1'],
	['mail-gateway', 'platform', 'sends mail to customers', '1.8.0'], ['market-data', 'trading', 'feeds prices from the exchanges', '3.0.2']];
for (const [name, owner, description, version] of definitions)
	stack.define(name, { owner, description, version });
const greeter = join(import.meta.dirname, '../../../deploy/examples/greeter.sh');
const place = (version, zone) => ['--version', version, '--metadata', `zone="${zone}"`, '--app-stdio', '--', 'sh', greeter];
['zone-a', 'zone-b', 'zone-c'].forEach((zone, i) => stack.instance('settlement', `settlement-${i + 1}`, '--single-active', '--profile', 'relaxed', ...place('2.4.1', zone)));
['zone-a', 'zone-b'].forEach((zone, i) => stack.instance('mail-gateway', `mail-gateway-${i + 1}`, ...place('1.8.0', zone)));
stack.instance('market-data', 'market-data-1', ...place('3.0.2', 'zone-a'));

// calls: a few of everything, again and again, some of them wrong.
const CALLS = [['order-service', 'create_order', { symbol: 'AAPL', quantity: 10 }, 40], ['pricing-service', 'get_price', { symbol: 'IBM' }, 20],
	['risk-service', 'assess_risk', { symbol: 'TSLA', quantity: 5, price: 240.5 }, 8], ['echo-service', 'echo', { text: 'hello' }, 15],
	['greeter-service', 'greet', { name: 'world' }, 6], ['mail-gateway', 'greet', { name: 'customer' }, 9], ['market-data', 'echo', { symbol: 'IBM' }, 30],
	['settlement', 'echo', { day: '2026-11-20' }, 4], ['order-service', 'create_order', { symbol: 'AAPL', quantity: -1 }, 1]];
let calling = true;
const keepCalling = async ([service, method, params, count]) => {
	while (calling)
		await new Promise((done) => spawn(stack.program, ['call', service, method, JSON.stringify(params), '--count', String(count + Math.floor(Math.random() * count))],
			{ env: stack.env, stdio: 'ignore' }).once('exit', () => setTimeout(done, 300 * Math.random())));
};
const callers = CALLS.map(keepCalling);

const context = await open();
context.setDefaultTimeout(PATIENCE_MS);
const page = await context.newPage();
await page.goto(stack.link('admin'));
await page.waitForURL(stack.url + '/');
const api = (path) => page.evaluate((p) => fetch(p).then((r) => r.json()), path);
await page.waitForSelector('.instance:has-text("market-data-1")');
stack.ill('mail-gateway-2');
await page.waitForSelector('.instance.is-unhealthy:has-text("mail-gateway-2")');
await until(`${seconds} s of history`, async () => {
	const series = await api('/api/instances/order-service/order-service-1/series');
	return series.rows.length * series.step_seconds >= Number(seconds);
}, 600_000);

// --- the pictures ----------------------------------------------------------------------------------

let bytes = 0;
async function shoot(name, of = page) {
	const devtools = await of.context().newCDPSession(of);
	const { data } = await devtools.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY });
	const picture = Buffer.from(data, 'base64');
	writeFileSync(join(out, name + '.webp'), picture);
	bytes += picture.length;
	console.log(`${name}.webp ${(picture.length / 1000).toFixed(0)} kB`);
	await devtools.detach();
}

async function visit(name, path, { ready, ...options }) {
	const c = await open({ ...SIZE, storageState: await context.storageState(), ...options });
	c.setDefaultTimeout(PATIENCE_MS);
	const p = await c.newPage();
	await p.goto(stack.url + path);
	await settled(p);
	await p.waitForSelector('.live.on');
	await p.waitForSelector(ready);
	await shoot(name, p);
	await c.close();
}

await visit('dashboard', '/', { ready: '.instance' });
await visit('dashboard-dark', '/?group=service', { colorScheme: 'dark', ready: '.instance' });
await visit('dashboard-zh', '/', { locale: 'zh-CN', ready: '.instance' });
await visit('phone', '/', { viewport: { width: 390, height: 844 }, ready: '.instance' });
await visit('phone-dark', '/services/order-service/order-service-1', { viewport: { width: 390, height: 844 }, colorScheme: 'dark', ready: 'figure .line' });
await visit('instance', '/services/order-service/order-service-1', { colorScheme: 'dark', ready: 'figure .line' });
await visit('leader', '/groups/settlement/default', { ready: 'table' });

// A conflict: somebody else was faster.
const c = await open({ ...SIZE, storageState: await context.storageState() }), mine = await c.newPage();
c.setDefaultTimeout(PATIENCE_MS);
await mine.goto(stack.url + '/manage/market-data');
await mine.fill('#f-owner', 'market data team');
await mine.fill('#f-description', 'feeds prices from five exchanges');
stack.define('market-data', { owner: 'trading desk', description: 'feeds prices from the exchanges', version: '3.1.0' });
await mine.waitForSelector('text=Somebody else changed it.');
await mine.click('button:has-text("Save")');
await mine.waitForSelector('dialog[open] >> text=both changed it');
await shoot('conflict', mine);

console.log(`${(bytes / 1000).toFixed(0)} kB in all`);
calling = false;
await Promise.all(callers);
await close();
await stack.stopAll();
