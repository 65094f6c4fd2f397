// The charts of an instance: what they show is what the server tells of real calls; read with the keyboard alone,
// as a table, and as CSV, to the last digit.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Stack, until } from './support/stack.mjs';
import { enter, judge, run, test } from './support/ui.mjs';

const stack = await Stack.start();
stack.instance('orders', 'orders-1', '--app-stdio', '--', process.execPath, resolve(import.meta.dirname, '../support/app.mjs'), 'stdio');
const { page } = await enter(stack, 'viewer');
const PLACE = '/api/instances/orders/orders-1/series';
const series = () => page.evaluate((place) => fetch(place).then((r) => r.json()), PLACE);
const said = () => page.textContent('#say-now');
const chart = (name) => page.locator('figure.chart', { has: page.locator(`h2:text-is("${name}")`) });
let calls = 0;

test('calls are seen: every chart has a line, axes with units, and a legend', async () => {
	await page.waitForSelector('.instance:has-text("orders-1")');
	await page.goto(stack.url + '/services/orders/orders-1');
	// Some beats with calls in them; one row at the least is not the beginning of a line yet.
	await until('figures of calls', async () => {
		stack.aegis('call', 'orders', 'echo', `{"n": ${++calls}}`);
		return (await series()).rows.filter((r) => r[4] !== null).length >= 3;
	});
	for (const [name, unit] of [['RPC latency', /ms|s/], ['Calls that succeeded and failed', /\/s/], ['Error rate', /%/], ['Queue', /\d/]]) {
		await chart(name).locator('svg .line').first().waitFor({ state: 'attached' });	// flat ones have no height
		assert.match((await chart(name).locator('.y span').allTextContents()).join(' '), unit, name);
		assert.match((await chart(name).locator('.x span').allTextContents()).join(' '), /\d\d:\d\d/, name);
	}
	assert.deepEqual((await chart('RPC latency').locator('.legend > span:not(.hint)').allTextContents()).map((s) => s.trim().split(' ')[0]), ['p99', 'p90', 'p50']);
	assert.equal(new Set(await chart('RPC latency').locator('path.line').evaluateAll((all) => all.map((p) => p.getAttribute('stroke-dasharray')))).size, 3, 'told apart by colour alone');
});

test('with the keyboard alone: along the line, from line to line, told', async () => {
	const plot = chart('RPC latency').locator('.plot');
	await plot.focus();
	await page.keyboard.press('End');
	await until('the newest is told', async () => /^p99 /.test(await said()));
	await page.waitForSelector('.chart .cursor', { state: 'attached' });
	await page.keyboard.press('ArrowDown');
	await until('the next line', async () => /^p90 /.test(await said()));
	await page.keyboard.press('ArrowUp');
	await page.keyboard.press('ArrowUp');
	await until('the last one, round about', async () => /^p50 /.test(await said()));
	const when = (await said()).split(', ').at(-1);
	await page.keyboard.press('Home');
	await until('the oldest', async () => (await said()).split(', ').at(-1) < when);
	assert.equal(await page.evaluate(() => document.activeElement.className), 'plot');
	assert.deepEqual(await judge(page), []);
});

test('as a table, with the same figures', async () => {
	const button = chart('RPC latency').locator('button:has-text("View as table")');
	await button.focus();
	await page.keyboard.press('Enter');
	const table = chart('RPC latency').locator('table');
	await table.waitFor();
	assert.deepEqual(await table.locator('thead th').allTextContents(), ['Time', 'p99', 'p90', 'p50']);
	await until('as many rows as the server has', async () => Math.abs(await table.locator('tbody tr').count() - (await series()).rows.length) <= 1);
	assert.match((await table.locator('tbody td').allTextContents()).join(' '), /\d ms/);
	assert.deepEqual(await judge(page), []);
	await chart('RPC latency').locator('button:has-text("View as chart")').click();
	await chart('RPC latency').locator('.plot').waitFor();
});

test('as CSV, to the last digit', async () => {
	const [download] = await Promise.all([page.waitForEvent('download'), page.click('role=button[name="CSV: RPC latency"]')]);
	assert.equal(download.suggestedFilename(), 'rpc-latency.csv');
	const text = readFileSync(await download.path(), 'utf8'), lines = text.split('\r\n');
	assert.equal(lines[0], 'time,p99,p90,p50');
	assert.equal(lines.pop(), '');
	const { columns, rows } = await series();
	const of = (r, name) => r[columns.indexOf(name)] ?? '';
	const told = new Map(rows.map((r) => [new Date(r[0] * 1000).toISOString(), [of(r, 'p99_ms'), of(r, 'p90_ms'), of(r, 'p50_ms')].join(',')]));
	assert(lines.length >= 3, text);	// the page is a moment behind
	for (const line of lines.slice(1)) {
		const [at, ...values] = line.split(',');
		assert.equal(values.join(','), told.get(at), line);
	}
	assert(lines.slice(1).some((l) => /,\d/.test(l)), text);
});

await run();
