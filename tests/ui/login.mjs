// Who may come in: by a token, by a link that works once; whoever is out gets the login, and comes back to
// where he was.  What a role may not do is not offered.
import assert from 'node:assert/strict';
import { Stack } from './support/stack.mjs';
import { open, run, test } from './support/ui.mjs';

const stack = await Stack.start();

test('a token lets in, and leads to where one wanted to go', async () => {
	const page = await (await open()).newPage();
	await page.goto(stack.url + '/manage?sort=-owner');
	await page.waitForURL('**/login?from=*');
	await page.fill('#token', 'aeg_' + '0'.repeat(64));
	await page.keyboard.press('Enter');
	await page.waitForSelector('.field-error:has-text("unknown")');
	assert.equal(await page.getAttribute('#token', 'aria-invalid'), 'true');
	await page.fill('#token', stack.token('viewer'));
	await page.keyboard.press('Enter');
	await page.waitForURL(stack.url + '/manage?sort=-owner');
	await page.waitForSelector('h1:has-text("Definitions")');
	assert.equal(await page.locator('text=New definition').count(), 0, 'a viewer is offered to create');
	assert.equal(await page.locator('nav >> text=Tokens').count(), 0, 'a viewer is offered tokens');
	await page.close();
});

test('a link logs in once, and leaves no code in the address', async () => {
	const link = stack.link('admin'), context = await open(), page = await context.newPage();
	await page.goto(link);
	await page.waitForURL(stack.url + '/');
	await page.waitForSelector('nav >> text=Tokens');
	await page.goBack().catch(() => {});
	assert(!page.url().includes('code='));
	const other = await (await open()).newPage();
	await other.goto(link);
	await other.waitForSelector('.field-error:has-text("already used")');
	await context.close();
});

test('logging out ends it, also for the other tab', async () => {
	const context = await open(), page = await context.newPage(), other = await context.newPage();
	await page.goto(stack.link('operator'));
	await page.waitForURL(stack.url + '/');
	await other.goto(stack.url + '/groups');
	await other.waitForSelector('h1:has-text("Leaders")');
	await page.click('text=Log out');
	await page.waitForURL('**/login');
	await other.goto(stack.url + '/manage');
	await other.waitForURL('**/login?from=*');
	await context.close();
});

await run();
