// The ways through the page: back to where one was, not past what is unsaved, on when a session ended; and
// what stays of an instance that left.  The browser's clock is an hour off, and nobody notices.
import assert from 'node:assert/strict';
import { Stack } from './support/stack.mjs';
import { enter, open, run, test } from './support/ui.mjs';

const HOUR_MS = 3_600_000;
const stack = await Stack.start();
for (let i = 0; i < 12; i++)
	stack.instance('shop', `shop-${String(i).padStart(2, '0')}`);
stack.define('mailer');
const { context, page } = await enter(stack, 'admin', { viewport: { width: 800, height: 600 } });
await page.waitForSelector('.strip >> text=12 instances');

test('back restores what was in sight and what had the focus', async () => {
	const last = '/services/shop/shop-11';
	await page.locator(`a[href="${last}"]`).focus();
	const y = await page.evaluate(() => scrollY);
	assert(y > 0, 'there is nothing to scroll');
	await page.keyboard.press('Enter');
	await page.waitForSelector('.tabs');
	await page.waitForFunction(() => document.activeElement.tagName === 'H1' && scrollY === 0);
	await page.goBack();
	await page.waitForFunction((to) => document.activeElement.getAttribute('href') === to, last);
	await page.waitForFunction((to) => Math.abs(scrollY - to) <= 1, y);
	await page.goForward();
	await page.waitForFunction(() => document.activeElement.tagName === 'H1');
	assert(page.url().endsWith(last));
});

test('the back button asks before it loses something', async () => {
	await page.goto(stack.url + '/manage');
	await page.click('text=mailer');
	await page.fill('#f-owner', 'team-b');
	await page.waitForSelector('button:has-text("Save"):enabled');
	const asked = (answer) => page.waitForEvent('dialog').then((d) => d[answer]());
	const no = asked('dismiss');
	await page.evaluate(() => history.back());
	await no;
	await page.waitForURL('**/manage/mailer');
	assert.equal(await page.inputValue('#f-owner'), 'team-b');
	const yes = asked('accept');
	await page.evaluate(() => history.back());
	await yes;
	await page.waitForURL('**/manage');
});

test('a session that ends leaves what is unsaved in its place', async () => {
	await page.click('text=mailer');
	await page.fill('#f-owner', 'team-c');
	await context.clearCookies();
	await page.click('text=Save');
	await page.waitForSelector('dialog[open] >> text=Your session has ended');
	await page.waitForFunction(() => document.activeElement.id === 'token');
	await page.fill('#token', stack.token('operator'));
	await page.keyboard.press('Enter');
	await page.waitForSelector('dialog', { state: 'detached' });
	assert.equal(await page.inputValue('#f-owner'), 'team-c');
	await page.click('text=Save');
	await page.waitForSelector('.timeline >> text=team-c');
});

test('without anything unsaved the login says why it is there', async () => {
	await page.goto(stack.url + '/groups');
	await page.waitForSelector('text=No group');
	await context.clearCookies();
	await page.click('nav >> text=Dashboard');
	await page.waitForURL('**/login*');
	await page.waitForSelector('.login >> text=Your session has ended');
	await page.waitForFunction(() => document.activeElement.id === 'token');
});

test('an instance that left is counted, and its page says when and why', async () => {
	await stack.stop('shop-03');
	const { page: other } = await enter(stack, 'viewer');
	await other.waitForSelector('.departed summary:has-text("1")');
	await other.click('.departed summary');
	await other.click('.departed a');
	await other.waitForSelector('.note >> text=deregistered');
	await other.waitForSelector('h1:has-text("shop-03")');
});

test('a shared address names the moment that it was', async () => {
	await context.grantPermissions(['clipboard-read', 'clipboard-write']);
	await page.goto(stack.link('viewer'));
	await page.waitForURL(stack.url + '/');
	await page.goto(stack.url + '/services/shop/shop-05');
	await page.waitForSelector('.chart');
	const before = Date.now();
	await page.click('text=Copy link');
	const shared = new URL(await page.evaluate(() => navigator.clipboard.readText()));
	assert(Math.abs(Date.parse(shared.searchParams.get('at')) - before) < 120_000, shared.href);
	await page.goto(shared.href);
	await page.waitForSelector('.note >> text=The charts show the shared moment');
	await page.waitForSelector('.chart .cursor', { state: 'attached' });
	await page.click('text=Show the newest');
	await page.waitForURL((u) => !u.searchParams.has('at'));
	await page.waitForSelector('.chart .cursor', { state: 'detached' });
});

test('ages are told by the server\'s clock', async () => {
	// Without shared workers the page's own worker has a script that can be given a wrong clock, too.
	const wrong = `{ const now = Date.now; Date.now = () => now() + ${HOUR_MS}; }`;
	const late = await open();
	await late.addInitScript(`${wrong} delete window.SharedWorker;`);
	await late.route('**/assets/worker-*.js', async (route) => {
		const r = await route.fetch();
		await route.fulfill({ response: r, body: wrong + await r.text() });
	});
	const there = await late.newPage();
	await there.goto(stack.link('viewer'));
	await there.waitForSelector('.beat time:text-matches("^[0-9]+ s ago$")');
	const ages = await there.locator('.beat time').allTextContents();
	assert(ages.every((a) => a === '' || /^\d+ s ago$/.test(a)), String(ages));
	assert.match(await there.textContent('.live .age'), /^\d{1,3} s$/);
});

await run();
