// A definition is created with mistakes that are told at their fields, edited in two windows with a conflict
// that loses nothing, and deleted by typing its name.
import assert from 'node:assert/strict';
import { Stack } from './support/stack.mjs';
import { enter, run, test } from './support/ui.mjs';

const stack = await Stack.start();
stack.instance('mailer', 'mailer-1');
const { context, page } = await enter(stack, 'operator');
const stored = () => JSON.parse(stack.aegis('registry', 'get', 'mailer', '--json'));

test('what is wrong is told at its field', async () => {
	await page.goto(stack.url + '/manage');
	await page.waitForSelector('text=No service is defined');
	await page.click('text=New definition');
	await page.fill('#f-service_name', 'Mailer!');
	await page.fill('#f-version', 'one');
	await page.click('button:has-text("Create")');
	for (const field of ['service_name', 'owner', 'description', 'version']) {
		await page.waitForSelector(`#f-${field}[aria-invalid=true]`);
		assert.notEqual(await page.textContent(`#f-${field}-e`), '', field);
	}
	assert.equal(await page.evaluate(() => document.activeElement.id), 'f-service_name');
});

test('it is created', async () => {
	await page.fill('#f-service_name', 'mailer');
	await page.fill('#f-owner', 'post');
	await page.fill('#f-description', 'sends mail');
	await page.fill('#f-version', '1.0.0');
	await page.click('button:has-text("Create")');
	await page.waitForURL('**/manage/mailer');
	assert.equal(stored().owner, 'post');
	await page.waitForSelector('.timeline >> text=sends mail');
});

test('two windows: the slower one sees three versions, and loses nothing', async () => {
	const other = await context.newPage();
	await other.goto(stack.url + '/manage/mailer');
	await other.fill('#f-owner', 'office');
	await page.fill('#f-owner', 'postmaster');
	await page.fill('#f-description', 'sends mail, and says so');
	await other.click('button:has-text("Save")');
	await other.waitForSelector('button:has-text("Save"):disabled');
	await page.waitForSelector('text=Somebody else changed it.');
	await page.click('button:has-text("Save")');
	await page.waitForSelector('dialog[open] >> text=both changed it');
	assert.deepEqual(await page.locator('dialog tbody tr:first-child td').allTextContents(), ['post', 'office', 'postmaster']);
	assert.equal(stored().owner, 'office', 'it was saved before it was asked');
	await page.locator('input[name=m-owner]').first().check();
	await page.click('text=Save the chosen');
	await page.waitForSelector('dialog', { state: 'detached' });
	await page.waitForSelector('button:has-text("Save"):disabled');
	assert.equal(stored().owner, 'office');
	assert.equal(stored().description, 'sends mail, and says so');
	await other.close();
});

test('an older revision is made the newest', async () => {
	await page.locator('.timeline >> text=Go back to this').last().click();
	await page.waitForFunction(() => document.querySelector('#f-owner').value === 'post');
	assert.equal(stored().description, 'sends mail');
});

test('one does not leave with changes by accident', async () => {
	await page.fill('#f-owner', 'nobody');
	page.once('dialog', (d) => d.dismiss());
	await page.click('nav >> text=Leaders');
	assert.equal(await page.inputValue('#f-owner'), 'nobody');
	assert(page.url().endsWith('/manage/mailer'));
	await page.click('text=Undo changes');
});

test('deleting wants the name, and says who is running', async () => {
	await page.click('text=Delete…');
	await page.waitForSelector('dialog >> text=mailer-1');
	assert(await page.isDisabled('dialog button.danger'));
	await page.fill('#typed', 'maile');
	await page.keyboard.press('Enter');
	assert(await page.isVisible('dialog'));
	await page.fill('#typed', 'mailer');
	await page.keyboard.press('Enter');
	await page.waitForURL(stack.url + '/manage');
	await page.waitForSelector('text=No service is defined');
	assert.throws(stored, /exit 3/);
});

test('with the keyboard alone: created, edited, deleted', async () => {
	await page.focus('text=New definition');
	await page.keyboard.press('Enter');
	await page.waitForSelector('#f-service_name');
	await page.focus('#f-service_name');
	for (const text of ['mailer', 'me', 'sends mail', '']) {
		await page.keyboard.type(text);
		await page.keyboard.press('Tab');
	}
	await page.keyboard.press('Enter');
	await page.waitForURL('**/manage/mailer');
	await page.focus('#f-owner');
	await page.keyboard.type(' too');
	await page.keyboard.press('Enter');
	await page.waitForSelector('button:has-text("Save"):disabled');
	assert.match(stored().owner, /too/);
	await page.focus('text=Delete…');
	await page.keyboard.press('Enter');
	await page.waitForSelector('#typed:focus');
	await page.keyboard.type('mailer');
	await page.keyboard.press('Enter');
	await page.waitForURL(stack.url + '/manage');
	assert.throws(stored, /exit 3/);
});

await run();
