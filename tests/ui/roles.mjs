// What each role sees and may do: a viewer is offered nothing that changes anything, and is refused when he tries
// all the same; so is another site's page that uses somebody's cookie; an operator of one service changes that one.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Stack } from './support/stack.mjs';
import { enter, open, run, settled, test } from './support/ui.mjs';

const stack = await Stack.start();
for (const name of ['orders', 'prices'])
	stack.define(name);
for (const id of ['orders-1', 'orders-2'])
	stack.instance('orders', id, '--single-active', '--profile', 'relaxed');

// What somebody who looks may use: these change what is shown, and nothing else.
const HARMLESS = /^(Live|Instances|Reconnecting|Connecting|Theme|中文|\?|Keyboard|Log out|Copy|Comfortable|Compact|Table|View as|CSV|Search|Older|Show all|Try|Metrics|Configuration|Events)/;
const PLACES = ['/', '/services/orders/orders-1', '/services/orders/orders-1?tab=config', '/groups', '/groups/orders/default', '/manage',
	'/manage/orders', '/config/orders'];

const send = (page, method, path, body, headers = {}) => page.evaluate(async ([method, path, body, headers]) => {
	const r = await fetch(path, { method, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) });
	return r.status;
}, [method, path, body, headers]);
const definition = (service_name) => ({ service_name, owner: 'mallory', description: 'mine now', version: '6.6.6' });
const owner = (name) => JSON.parse(stack.aegis('registry', 'get', name, '--json')).owner;

test('a viewer is offered nothing that changes anything', async () => {
	const { context, page } = await enter(stack, 'viewer');
	for (const place of PLACES) {
		await page.goto(stack.url + place);
		await settled(page);
		const buttons = await page.$$eval('button:not([disabled]):not(th button), a.button', (all) => all.map((b) => b.getAttribute('aria-label') || b.textContent.trim()));
		assert.deepEqual(buttons.filter((b) => !HARMLESS.test(b)), [], place);
		assert.equal(await page.locator('main input:not([type=search]):not([readonly]):not([disabled]), main textarea:not([readonly]):not([disabled])').count(), 0, place);
	}
	await context.close();
});

test('a viewer is refused, whatever he sends', async () => {
	const { context, page } = await enter(stack, 'viewer');
	assert.equal(await send(page, 'PUT', '/api/services/orders', definition('orders')), 403);
	assert.equal(await send(page, 'POST', '/api/services', definition('fresh')), 403);
	assert.equal(await send(page, 'PUT', '/api/config/orders', { settings: {} }, { 'If-None-Match': '*' }), 403);
	assert.equal(await send(page, 'POST', '/api/groups/orders/default/step-down', {}), 403);
	assert.equal(await send(page, 'POST', '/api/tokens', { name: 'x', role: 'admin' }), 403);
	assert.equal(await page.evaluate(() => fetch('/api/audit').then((r) => r.status)), 403);
	assert.equal(owner('orders'), 'team-a');
	// A page that is not for him says so, and why.
	await page.goto(stack.url + '/tokens');
	await page.waitForSelector('.failed');
	await context.close();
});

test('what another site sends with the cookie is refused', async () => {
	const { context, page } = await enter(stack, 'admin');
	const other = createServer((q, r) => r.writeHead(200, { 'Content-Type': 'text/html' }).end('<title>other</title>')).listen(0, '127.0.0.1');
	await new Promise((done) => other.once('listening', done));
	const evil = await context.newPage();
	evil.removeAllListeners('console');	// what it complains of is its own business
	await evil.goto(`http://localhost:${other.address().port}/`);
	const tried = await evil.evaluate(([url, body]) => Promise.all(['text/plain', 'application/x-www-form-urlencoded', 'application/json'].map((type) =>
		fetch(url + '/api/services', { method: 'POST', mode: type === 'application/json' ? 'cors' : 'no-cors', credentials: 'include', headers: { 'Content-Type': type },
			body: JSON.stringify(body) }).then((r) => r.type, () => 'refused'))), [stack.url, definition('fresh')]);
	assert.equal(tried[2], 'refused');
	// Neither did the others do anything.
	assert.equal(await page.evaluate(() => fetch('/api/services/fresh').then((r) => r.status)), 404);
	other.close();
	await context.close();
});

test('who may change one service changes that one alone', async () => {
	const context = await open(), page = await context.newPage();
	await page.goto(stack.url + '/login');
	await page.fill('#token', stack.token('operator', '--service', 'orders'));
	await page.keyboard.press('Enter');
	await page.waitForURL(stack.url + '/');
	await page.waitForSelector('.instance:has-text("orders-1")');
	await page.goto(stack.url + '/manage/orders');
	await page.fill('#f-owner', 'team-b');
	await page.click('button:has-text("Save")');
	await page.waitForSelector('button:has-text("Save"):disabled');
	assert.equal(owner('orders'), 'team-b');
	assert.equal(await send(page, 'PUT', '/api/services/prices', definition('prices')), 403);
	assert.equal(owner('prices'), 'team-a');
	await page.goto(stack.url + '/manage/prices');
	await page.waitForSelector('main h1, main .failed, main .empty');
	assert.equal(await page.locator('button:has-text("Save"), button:has-text("Delete")').count(), 0);
	await context.close();
});

await run();
