// Every page, in both themes, wide and 320 px narrow, with and without data and with a server that fails: no
// violation of WCAG 2.1 A and AA that axe can find, nothing to scroll sideways, and in Chinese as well.
import assert from 'node:assert/strict';
import { Stack } from './support/stack.mjs';
import { enter, judge, run, settled, test } from './support/ui.mjs';

const empty = await Stack.start(), full = await Stack.start();
full.instance('orders', 'orders-1', '--single-active');
full.instance('orders', 'orders-2', '--single-active');
full.instance('prices', 'prices-1');
full.ill('prices-1');
for (const name of ['orders', 'prices', 'ledger'])
	full.define(name);

const PLACES = ['/', '/?density=compact&group=service', '/?density=table', '/?q=nothing', '/login', '/services/orders', '/services/orders/orders-1',
	'/services/orders/orders-1?tab=config', '/services/orders/orders-1?tab=events', '/services/none/none', '/groups', '/groups/orders/default',
	'/manage', '/manage?new=1', '/manage/orders', '/config/orders', '/tokens', '/audit'];

async function walk(stack, options, prepare = async () => {}) {
	const { context, page } = await enter(stack, 'admin', options);
	await prepare(page);
	const found = [];
	for (const place of PLACES) {
		await page.goto(stack.url + place);
		await settled(page);
		for (const v of await judge(page))
			found.push(`${place}: ${v}`);
		const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
		if (over > 0)
			found.push(`${place}: ${over} px wider than the window`);
	}
	await context.close();
	assert.deepEqual(found, []);
}

const narrow = { viewport: { width: 320, height: 800 } };
for (const colorScheme of ['light', 'dark']) {
	test(`populated, ${colorScheme}`, () => walk(full, { colorScheme }));
	test(`populated, ${colorScheme}, narrow`, () => walk(full, { colorScheme, ...narrow }));
	test(`empty, ${colorScheme}`, () => walk(empty, { colorScheme }));
	test(`failing, ${colorScheme}`, () => walk(full, { colorScheme }, (page) => page.route('**/api/**', (route) =>
		route.request().url().endsWith('/api/session') ? route.continue() : route.fulfill({ status: 503, contentType: 'application/json',
			body: JSON.stringify({ status: 503, title: 'Service unavailable', detail: 'there is no connection to NATS', request_id: 'r' }) }))));
}

const chinese = { locale: 'zh-CN' };
test('populated, in Chinese', () => walk(full, { ...chinese, colorScheme: 'light' }));
test('populated, in Chinese, dark, narrow', () => walk(full, { ...chinese, colorScheme: 'dark', ...narrow }));
test('empty, in Chinese', () => walk(empty, { ...chinese, colorScheme: 'light' }));

test('the language is told, and changed', async () => {
	const { context, page } = await enter(full, 'admin', { locale: 'zh-CN' });
	await page.waitForSelector('.instance:has-text("异常")');
	assert.equal(await page.getAttribute('html', 'lang'), 'zh-CN');
	assert.match(await page.title(), /AegisSDK 服务监控/);
	assert.deepEqual(await judge(page), []);
	await page.click('text=English');
	await page.waitForSelector('.instance:has-text("Unhealthy")');
	assert.equal(await page.getAttribute('html', 'lang'), 'en');
	await context.close();
});

await run();
