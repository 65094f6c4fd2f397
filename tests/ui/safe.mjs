// Over HTTPS: the browser takes the cookie by its strict rules (__Host-: Secure, no Domain, all paths), scripts never see
// it, it lets nobody in by plain HTTP, and the live stream comes over TLS as well.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Stack, freePort } from './support/stack.mjs';
import { open, run, test } from './support/ui.mjs';

const stack = new Stack();
process.on('exit', () => stack.end());
const [key, cert] = ['key.pem', 'cert.pem'].map((f) => join(stack.dir, f));
assert.equal(spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=here',
	'-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert]).status, 0);
const safe = `https://127.0.0.1:${await freePort()}`;
await stack.startNats();
await stack.startApi(['--listen', safe, '--http-tls-cert', cert, '--http-tls-key', key]);
stack.instance('orders', 'orders-1');

// The certificate is its own authority; a shared worker asks for itself, so the whole browser has to be told.
const context = await open({}, ['--ignore-certificate-errors']);
const page = await context.newPage();

test('a login by token sets the strict cookie, and the browser keeps it', async () => {
	await page.goto(safe + '/login');
	await page.fill('#token', stack.token('operator'));
	await page.keyboard.press('Enter');
	await page.waitForURL(safe + '/');
	const cookies = await context.cookies(safe);
	assert.deepEqual(cookies.map(({ name, domain, path, httpOnly, secure, sameSite }) => ({ name, domain, path, httpOnly, secure, sameSite })),
		[{ name: '__Host-aegis', domain: '127.0.0.1', path: '/', httpOnly: true, secure: true, sameSite: 'Strict' }]);
	assert.equal(await page.evaluate(() => document.cookie), '');
	assert.equal(await page.evaluate(() => isSecureContext), true);
});

test('the page lives: its stream, and what is changed', async () => {
	await page.waitForSelector('.live.on');
	await page.waitForSelector('.instance:has-text("orders-1")');
	await page.goto(safe + '/manage?new=1');
	for (const [field, value] of [['service_name', 'orders'], ['owner', 'me'], ['description', 'takes orders']])
		await page.fill('#f-' + field, value);
	await page.click('button:has-text("Create")');
	await page.waitForURL(safe + '/manage/orders');
	assert.equal(JSON.parse(stack.aegis('registry', 'get', 'orders', '--json')).owner, 'me');
});

test('by plain HTTP the same browser is nobody', async () => {
	const other = await context.newPage();
	await other.goto(stack.url + '/');
	await other.waitForURL('**/login*');
	assert.equal(await other.evaluate(() => fetch('/api/services').then((r) => r.status)), 401);
	await other.close();
});

test('a link logs in over HTTPS, and logging out ends the cookie', async () => {
	await context.clearCookies();
	await page.goto(stack.link('viewer').replace(stack.url, safe));
	await page.waitForURL(safe + '/');
	assert.deepEqual((await context.cookies(safe)).map((c) => c.name), ['__Host-aegis']);
	await page.click('text=Log out');
	await page.waitForURL('**/login');
	assert.deepEqual(await context.cookies(safe), []);
});

await run();
