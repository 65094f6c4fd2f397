// The central settings of a service: a running instance shows what it goes by and where that came from; a
// change that is wrong is told at its field; a right one reaches the instance, and is in the history.
import assert from 'node:assert/strict';
import { Stack, until } from './support/stack.mjs';
import { enter, run, test } from './support/ui.mjs';

const stack = await Stack.start();
stack.instance('orders', 'orders-1');
const { page } = await enter(stack, 'operator');
const row = (key) => page.locator('.data tr', { has: page.locator(`th:has-text("${key}")`) }).first().textContent();

test('an instance shows its effective settings with their origins', async () => {
	await page.waitForSelector('.instance:has-text("orders-1")');
	await page.goto(stack.url + '/services/orders/orders-1?tab=config');
	await page.waitForSelector('th:has-text("heartbeat_interval")');
	assert.match(await row('heartbeat_interval'), /command line/);
	assert.match(await row('log_level'), /default/);
});

test('a wrong value is told at its field, and nothing is stored', async () => {
	await page.click('text=Configure the service');
	await page.waitForURL('**/config/orders');
	await page.selectOption('#add', 'max_inflight');
	await page.fill('#c-max_inflight', 'many');
	await page.click('button:has-text("Save")');
	await page.waitForSelector('#c-max_inflight[aria-invalid=true]');
	await page.fill('#c-max_inflight', '0');
	await page.click('button:has-text("Save")');
	await until('the server refuses it', async () => /max_inflight|at least|1/.test(await page.textContent('#c-max_inflight-e')) &&
		!/number/.test(await page.textContent('#c-max_inflight-e')));
	assert.equal(await page.locator('.timeline li').count(), 0);
});

test('a right one reaches the instance', async () => {
	await page.fill('#c-max_inflight', '7');
	await page.selectOption('#add', 'log_level');
	await page.selectOption('#c-log_level', 'debug');
	await page.click('button:has-text("Save")');
	await page.waitForSelector('.timeline >> text=debug');
	await page.waitForSelector('button:has-text("Save"):disabled');
	await until('the instance goes by it', async () => {
		await page.goto(stack.url + '/services/orders/orders-1?tab=config');
		await page.waitForSelector('th:has-text("log_level")');
		return /debug.*central document/.test(await row('log_level'));
	});
});

await run();
