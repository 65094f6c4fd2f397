// The live stream: one for a browser however many tabs it has; when it breaks the page says so, keeps what it
// knew with its age, comes back by itself, and has what happened meanwhile.
import assert from 'node:assert/strict';
import { Stack, until } from './support/stack.mjs';
import { enter, run, test } from './support/ui.mjs';

const stack = await Stack.start();
stack.instance('orders', 'orders-1');
const { context, page } = await enter(stack);
const token = stack.token('metrics');

async function streams() {
	const text = await (await fetch(stack.url + '/metrics', { headers: { Authorization: `Bearer ${token}` } })).text();
	return Number(/^aegis_sse_clients(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? NaN);
}

test('eight tabs, one stream, and calls are answered', async () => {
	const tabs = [];
	for (let i = 0; i < 8; i++) {
		const tab = await context.newPage();
		await tab.goto(stack.url + '/');
		await tab.waitForSelector('.instance:has-text("orders-1")');
		tabs.push(tab);
	}
	await until('one stream', async () => await streams() === 1);
	for (const tab of tabs)
		assert.equal(await tab.evaluate(() => fetch('/api/instances').then((r) => r.status)), 200);
	stack.instance('orders', 'orders-2');
	for (const tab of tabs)
		await tab.waitForSelector('.instance:has-text("orders-2")');
	for (const tab of tabs)
		await tab.close();
});

test('the server ends: old data stays, with its age; it is back: nothing is missing', async () => {
	await stack.stop('api', 'SIGKILL');
	await page.waitForSelector('.live.half:has-text("Reconnecting")');
	await page.waitForSelector('#say-now:has-text("interrupted")', { state: 'attached' });
	assert.equal(await page.locator('.instance').count(), 2);
	await until('its age grows', async () => /data ([2-9]|\d\d+) s old|data \d+ min/.test(await page.textContent('.live')));
	stack.instance('orders', 'orders-3');
	await stack.startApi();
	await page.waitForSelector('.live.on');
	await page.waitForSelector('.instance:has-text("orders-3")');
});

test('NATS ends: the page says so, and follows again when it is back', async () => {
	await stack.stop('nats', 'SIGKILL');
	await page.waitForSelector('.live.half:has-text("NATS")');
	assert(await page.locator('.instance').count() >= 3);
	await stack.startNats();
	await page.waitForSelector('.live.on');
	stack.instance('orders', 'orders-4');
	await page.waitForSelector('.instance:has-text("orders-4")');
});

test('updates can be held', async () => {
	await page.locator('body').press('p');
	await page.waitForSelector('.live.paused');
	stack.instance('orders', 'orders-5');
	await until('it is registered', () => stack.aegis('registry', 'ls', '--json').includes('orders-5'));
	assert.equal(await page.locator('.instance:has-text("orders-5")').count(), 0);
	await page.locator('body').press('p');
	await page.waitForSelector('.instance:has-text("orders-5")');
});

await run();
