// A thousand instances: drawn in time, updates that nobody feels, and a change that is in the page before one
// could wonder.  The limits are ten times what it takes, so that a busy machine keeps them; what was measured is said.
import assert from 'node:assert/strict';
import { beat } from '../support/fleet.mjs';
import { link } from '../support/sdk.mjs';
import { Stack, until } from './support/stack.mjs';
import { enter, run, test } from './support/ui.mjs';

const FLEET = 1000, CHANGES = 60;
const stack = await Stack.start();
process.env.NATS_URL = stack.nats;
const nc = await link();

const put = (i, version) => beat(nc, `svc-${i % 40}`, `svc-${i % 40}-${i}`, version);
const all = async (...more) => {
	for (let i = 0; i < FLEET; i++)
		put(i, ...more);
	await nc.flush();
};

const { page } = await enter(stack, 'viewer');
await page.addInitScript(() => {
	window.long = [];
	new PerformanceObserver((l) => window.long.push(...l.getEntries().map((e) => e.duration))).observe({ entryTypes: ['longtask'] });
	new MutationObserver(() => {
		if (!window.drawn && document.querySelectorAll('.instance').length >= 1000)
			requestAnimationFrame(() => setTimeout(() => (window.drawn ??= performance.now())));
	}).observe(document, { childList: true, subtree: true });
});

test('drawn within time', async () => {
	// Told anew at each look, so that none of them is stale before it is drawn.
	await until('all are registered', async () => {
		await all();
		return JSON.parse(stack.aegis('registry', 'ls', '--instances', '--json')).length >= FLEET;
	});
	await page.goto(stack.url + '/');
	await page.waitForFunction(() => window.drawn, undefined);
	const ms = await page.evaluate(() => window.drawn);
	console.log(`# ${FLEET} cards after ${Math.round(ms)} ms, from the click on`);
	assert(ms < 30_000, `${ms} ms`);
	await page.waitForSelector(`.strip >> text=${FLEET} instances`);
});

test('all of them changed at once: no task that one would feel for long', async () => {
	await page.evaluate(() => (window.long.length = 0));
	await all('1.0.1');
	await page.waitForSelector('.instance:first-child >> text=v1.0.1');
	await page.waitForFunction(() => !document.querySelector('.instance .card-facts span:first-child:not(:empty)')?.textContent.includes('1.0.0'));
	const long = await page.evaluate(() => window.long);
	console.log(`# long tasks: ${long.map(Math.round).join(' ')} ms`);
	assert(Math.max(0, ...long) < 10_000, String(long));
});

test('from the store into the page', async () => {
	await page.goto(stack.url + '/?q=svc-7-7');
	await page.waitForSelector('.instance:has-text("svc-7-7")');
	await page.evaluate(() => {
		window.seen = {};
		const look = () => document.querySelectorAll('.card-facts span:first-child').forEach((s) => (window.seen[s.textContent] ??= Date.now()));
		new MutationObserver(look).observe(document.querySelector('main'), { childList: true, subtree: true, characterData: true });
	});
	const took = [];
	for (let i = 1; i <= CHANGES; i++) {
		const at = Date.now();
		put(7, `2.0.${i}`);
		const seen = await until('it is seen', () => page.evaluate((v) => window.seen[v], `v2.0.${i}`));
		took.push(seen - at);
	}
	took.sort((a, b) => a - b);
	console.log(`# p50 ${took[CHANGES >> 1]} ms, p99 ${took[Math.ceil(CHANGES * 0.99) - 1]} ms`);
	assert(took[CHANGES >> 1] < 3000, took.join(' '));
});

await run();
