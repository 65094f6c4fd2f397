// Who is let in: a token is made, shown once, used and revoked, and whoever used it is out within a moment, also
// with a page open; the audit tells who did all that, with before and after.
import assert from 'node:assert/strict';
import { Stack } from './support/stack.mjs';
import { chord, enter, judge, open, run, settled, test } from './support/ui.mjs';

const stack = await Stack.start();
const { page } = await enter(stack, 'admin');
let token;

test('a token is made, and shown once', async () => {
	await page.goto(stack.url + '/tokens');
	await settled(page);
	await page.click('text=New token');
	await page.waitForSelector('dialog[open] #t-name');
	assert.deepEqual(await judge(page), []);
	await page.keyboard.type('dashboard of the office');
	await page.selectOption('#t-role', 'operator');
	await page.selectOption('#t-life', '30');
	await page.keyboard.press('Tab');
	await page.keyboard.press('Tab');
	await page.focus('#t-name');
	await page.keyboard.press('Enter');
	await page.waitForSelector('dialog .command code');
	token = await page.textContent('dialog .command code');
	assert.match(token, /^aeg_/);
	assert.deepEqual(await judge(page), []);
	await page.click('text=Done');
	await page.waitForSelector('tr:has-text("dashboard of the office")');
	assert(!(await page.content()).includes(token), 'it is still there');
	await page.reload();
	await page.waitForSelector('tr:has-text("dashboard of the office")');
	assert(!(await page.content()).includes(token), 'it is there again');
});

let context, guest;

test('it lets in, and what is done with it has its name', async () => {
	context = await open();
	guest = await context.newPage();
	await guest.goto(stack.url + '/login');
	await guest.fill('#token', token);
	await guest.keyboard.press('Enter');
	await guest.waitForURL(stack.url + '/');
	await guest.goto(stack.url + '/manage?new=1');
	await guest.fill('#f-service_name', 'ledger');
	await guest.fill('#f-owner', 'books');
	await guest.fill('#f-description', 'keeps the books');
	await guest.click('button:has-text("Create")');
	await guest.waitForURL('**/manage/ledger');
	await guest.goto(stack.url + '/');
	await guest.waitForSelector('.live.on');
});

test('revoked: an open page is out at once, without being asked for anything', async () => {
	await page.click('role=button[name="Revoke dashboard of the office"]');
	await page.waitForSelector('dialog[open]');
	assert.deepEqual(await judge(page), []);
	await page.click('dialog button.danger');
	await page.waitForSelector('dialog', { state: 'detached' });
	await guest.waitForURL('**/login**');
	await guest.fill('#token', token);
	await guest.keyboard.press('Enter');
	await guest.waitForSelector('.field-error:has-text("unknown here")');
	await context.close();
});

test('the audit tells who did what, newest first, with before and after', async () => {
	await chord(page, 'a', '**/audit');
	await page.waitForSelector('.audit >> text=ledger');
	const rows = await page.locator('.audit summary').allTextContents();
	const at = (words) => rows.findIndex((r) => words.every((w) => r.includes(w)));
	const made = at(['token.create']), changed = at(['definition.create', 'ledger', 'dashboard of the office']), gone = at(['token.revoke']);
	assert(gone >= 0 && changed > gone && made > changed, rows.join('\n'));
	await page.click('.audit summary:has-text("ledger")');
	await page.waitForSelector('.audit-more >> text=keeps the books');
	assert.deepEqual(await judge(page), []);
	assert(!(await page.content()).includes(token), 'a secret is in the audit');
	await page.fill('input[name=service]', 'ledger');
	await page.keyboard.press('Enter');
	await page.waitForURL('**?service=ledger');
	await page.waitForFunction(() => document.querySelectorAll('.audit summary').length === 1);
});

await run();
