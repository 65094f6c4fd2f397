// An instance turns unhealthy: it is seen, from another tab as well, opened, understood, and seen to be well
// again; once with the mouse, and once with the keyboard alone.
import assert from 'node:assert/strict';
import { Stack, until } from './support/stack.mjs';
import { chord, enter, run, test } from './support/ui.mjs';

const stack = await Stack.start();
for (const id of ['orders-1', 'orders-2'])
	stack.instance('orders', id);
stack.instance('prices', 'prices-1');
const { page } = await enter(stack);
const ids = () => page.locator('.instance code').allTextContents();
const shows = (...want) => until(`the cards are ${want}`, async () => (await ids()).join() === want.join());

test('instances come by themselves, in order', async () => {
	await page.waitForSelector('.instance:has-text("prices-1")');
	await shows('orders-1', 'orders-2', 'prices-1');
	await page.waitForFunction(() => document.title === 'aegis');
	await page.waitForSelector('.strip >> text=3 instances');
});

test('the unhealthy one is seen at once, told to readers, and named in the title', async () => {
	stack.ill('prices-1');
	await page.waitForFunction(() => document.title === '(1✖) aegis');
	await shows('prices-1', 'orders-1', 'orders-2');
	await page.waitForSelector('#say-now:has-text("1 unhealthy")', { state: 'attached' });
	await page.waitForSelector('.instance:first-child .badge:has-text("Unhealthy")');
	await page.waitForSelector('#icon[href*="trouble"]', { state: 'attached' });
});

test('with the mouse: filtered, opened, its events tell why', async () => {
	await page.click('.strip >> text=1 unhealthy');
	await page.waitForURL('**/?q=status%3Aunhealthy');
	await shows('prices-1');
	await page.click('.instance .card-link');
	await page.waitForURL('**/services/prices/prices-1');
	await page.waitForSelector('.head .badge:has-text("Unhealthy")');
	await page.click('role=tab[name="Events"]');
	await page.waitForURL('**?tab=events');
	await page.waitForSelector('.timeline .badge.unhealthy');
	await page.goBack();
	await page.goBack();
	await shows('prices-1');
	await page.click('.strip >> text=3 instances');
});

test('with the keyboard alone', async () => {
	await page.locator('body').press('/');
	await page.keyboard.type('status:unhealthy');
	await shows('prices-1');
	await page.keyboard.press('Enter');
	await page.keyboard.press('Enter');
	await page.waitForURL('**/services/prices/prices-1');
	await page.waitForSelector('role=tab[name="Metrics"]');
	await page.focus('role=tab[name="Metrics"]');
	await page.keyboard.press('ArrowRight');
	await page.waitForURL('**?tab=config');
	await chord(page, 'd', stack.url + '/');
	await chord(page, 's', stack.url + '/?group=service');
	await page.waitForSelector('h2:has-text("orders")');
	await chord(page, 'd', stack.url + '/');
	await page.keyboard.press('?');
	await page.waitForSelector('dialog[open] kbd');
	await page.keyboard.press('Escape');
	await page.waitForSelector('dialog', { state: 'detached' });
	await page.keyboard.press('j');
	await page.keyboard.press('j');
	await page.keyboard.press('k');
	await page.waitForFunction(() => document.activeElement.closest('.instance')?.querySelector('code').textContent === 'prices-1');
});

test('it is well again, and leaves', async () => {
	stack.well('prices-1');
	await page.waitForFunction(() => document.title === 'aegis');
	await stack.stop('prices-1');
	await shows('orders-1', 'orders-2');
	await page.click('text=Departed in the last 24 h');
	await page.waitForSelector('.departed >> text=prices-1');
	await page.waitForSelector('.departed li:has-text("deregistered")');
});

await run();
