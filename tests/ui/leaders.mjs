// Groups and leaders: who leads is seen, in the list, on the card and in the group; an operator asks it to step
// down, with the mouse and with the keyboard alone, and sees who leads then; no dialog has a barrier.
import assert from 'node:assert/strict';
import { Stack, until } from './support/stack.mjs';
import { chord, enter, judge, run, test } from './support/ui.mjs';

const stack = await Stack.start();
for (const id of ['pay-1', 'pay-2', 'pay-3'])
	stack.instance('pay', id, '--single-active', '--profile', 'wan');
const { page } = await enter(stack, 'operator');
const leader = () => page.textContent('.facts a');
const epoch = async () => Number(/Epoch\s*(\d+)/.exec(await page.textContent('.facts'))[1]);

test('who leads is seen in the list, on the card, and in the group', async () => {
	await page.waitForSelector('.strip >> text=3 instances');
	await page.goto(stack.url + '/groups');
	await page.waitForSelector('tr:has-text("pay/default"):has-text("3") .badge.leader');
	const name = await page.textContent('tr:has-text("pay/default") td a');
	assert.match(name, /^pay-[123]$/);
	await page.goto(stack.url + '/?q=is%3Aleader');
	await page.waitForSelector(`.instance:has-text("${name}") .badge.leader`);
	await page.click('.strip >> text=2 standby');
	await until('the others stand by', async () => await page.locator('.instance').count() === 2);
	await page.goto(stack.url + '/groups');
	await page.click('text=pay/default');
	await page.waitForSelector('h2:has-text("Registers")');
	assert.equal(await leader(), name);
});

// Who was named goes first, but waits for nobody; so that it is certain who leads then, the third one is not fit.
test('it steps down for the one that was chosen', async () => {
	const before = await leader(), was = await epoch();
	const [to, third] = ['pay-1', 'pay-2', 'pay-3'].filter((i) => i !== before);
	stack.ill(third);
	await page.waitForSelector(`tr:has-text("${third}"):has-text("Unhealthy")`);
	await page.click('text=Step down…');
	await page.waitForSelector('dialog[open]');
	assert.deepEqual(await judge(page), []);
	assert.deepEqual(await page.$$eval('#to option', (all) => all.map((o) => o.value)), ['', to]);
	await page.selectOption('#to', to);
	const asked = page.waitForRequest('**/step-down');
	await page.click('dialog button.danger');
	assert.deepEqual((await asked).postDataJSON(), { to });
	await page.waitForSelector('dialog', { state: 'detached' });
	await until(`${to} leads`, async () => await leader() === to);
	assert(await epoch() > was);
	await page.waitForSelector(`.timeline li:first-child >> text=${to}`);
	stack.well(third);
	await page.waitForSelector('main .badge.unhealthy', { state: 'detached' });
});

test('with the keyboard alone', async () => {
	const was = await epoch();
	await chord(page, 'l', stack.url + '/groups');
	await page.waitForSelector('tr:has-text("pay/default")');
	await page.keyboard.press('j');
	await page.keyboard.press('Enter');
	await page.waitForURL('**/groups/pay/default');
	await page.waitForSelector('text=Step down…');
	for (let i = 0; i < 30 && !(await page.evaluate(() => document.activeElement.textContent)).startsWith('Step down'); i++)
		await page.keyboard.press('Tab');
	await page.keyboard.press('Enter');
	await page.waitForSelector('dialog[open]');
	assert(await page.evaluate(() => document.querySelector('dialog').contains(document.activeElement)));
	for (let i = 0; i < 10 && !await page.evaluate(() => document.activeElement.matches('dialog .danger')); i++)
		await page.keyboard.press('Tab');
	await page.keyboard.press('Enter');
	await page.waitForSelector('dialog', { state: 'detached' });
	await until('another epoch', async () => await epoch() > was);
	assert.match(await page.evaluate(() => document.activeElement.textContent), /Step down/, 'the focus is lost');
});

test('nobody leads: it is said, with what is in the way', async () => {
	for (const id of ['pay-1', 'pay-2', 'pay-3'])
		stack.ill(id);
	await page.goto(stack.url + '/groups');
	await page.waitForSelector('tr:has-text("pay/default") .badge.unhealthy:has-text("No leader")', { timeout: 120_000 });
	await page.goto(stack.url + '/');
	await page.waitForSelector('.strip >> text=1 group without leader');
	for (const id of ['pay-1', 'pay-2', 'pay-3'])
		stack.well(id);
	await page.waitForSelector('.strip >> text=1 leader', { timeout: 120_000 });
});

test('the last one is not asked to leave its group without a leader', async () => {
	await page.goto(stack.url + '/groups/pay/default');
	await page.waitForSelector('.facts a');
	for (const id of ['pay-1', 'pay-2', 'pay-3'])
		if (id !== await leader())
			await stack.stop(id);
	const last = await leader(), was = await epoch();
	await page.click('text=Step down…');
	await page.waitForSelector('dialog >> text=Nobody else could lead');
	await page.click('dialog button.danger');
	await page.waitForSelector('dialog .failed >> text=nobody else is there to lead');
	await page.keyboard.press('Escape');
	assert.deepEqual([await leader(), await epoch()], [last, was]);
});

await run();
