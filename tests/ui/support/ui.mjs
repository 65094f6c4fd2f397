// ui.mjs - the browser of the tests, and their form: `test(name, fn)`, then `await run()`.
//
// Every page that is opened is watched: an error of a script, or a violation of the content policy, fails
// the test during which it happened.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';

const root = resolve(import.meta.dirname, '../../..');
const CHROME = process.env.CHROME ?? '/usr/bin/chromium';
const axeSource = readFileSync(join(import.meta.dirname, '../node_modules/axe-core/axe.min.js'), 'utf8');
const shots = join(process.env.AEGIS_BUILD ?? join(root, 'build'), 'test-logs');

let browser;
const wrong = [];	// what the watched pages complained of
const tests = [];

export const test = (name, fn) => tests.push([name, fn]);

// open: a context is one visitor with cookies of his own.  The first begins the browser, with the arguments; close ends it.
export async function open(options = {}, args = []) {
	browser ??= await chromium.launch({ executablePath: CHROME, args: ['--no-sandbox', ...args] });
	const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce', locale: 'en-GB', ...options });
	context.setDefaultTimeout(120_000);	// of which a machine that has the time needs none
	await context.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) =>
		console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`)));
	context.on('page', (page) => {
		page.on('pageerror', (e) => wrong.push(`error of a script: ${e.stack}`));
		page.on('console', (m) => /policy:|Content Security|TrustedScript/.test(m.text()) && wrong.push(m.text()));
	});
	return context;
}

// enter: a visitor who is logged in.
export async function enter(stack, role = 'admin', options = {}) {
	const context = await open(options);
	const page = await context.newPage();
	await page.goto(stack.link(role));
	await page.waitForURL(stack.url + '/');
	return { context, page };
}

// chord: a `g` and its second key, until they lead to the address: a `g` is forgotten after a second and a half, which is
// soon where the browser gets no processor.
export async function chord(page, key, url) {
	for (let there = false; !there;) {
		await page.keyboard.press('g');
		await page.keyboard.press(key);
		there = await page.waitForURL(url, { timeout: 5000 }).then(() => true, (e) => /Timeout/.test(e.message) ? false : Promise.reject(e));
	}
}

// judge: what axe finds, as sentences.
export async function judge(page) {
	await page.evaluate(axeSource);
	const found = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }));
	return found.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`);
}

// settled: nothing is loading any more.
export const settled = (page) => page.waitForFunction(() => document.querySelector('main h1, main .failed, main .empty') && !document.querySelector('[aria-busy]'));

export const close = () => browser?.close();

export async function run() {
	if (!existsSync(CHROME)) {
		console.log(`ok 1 - ${process.argv[1].split('/').pop()} # SKIP there is no ${CHROME}`);
		process.exit(0);
	}
	let n = 0, failed = 0;
	for (const [name, fn] of tests) {
		n++;
		wrong.length = 0;
		try {
			await fn();
			if (wrong.length > 0)
				throw new Error(wrong.join('\n'));
			console.log(`ok ${n} - ${name}`);
		} catch (e) {
			failed++;
			console.log(`not ok ${n} - ${name}\n${String(e.stack).replace(/^/gm, '# ')}`);
			await shoot(`${process.argv[1].split('/').pop()}-${n}`);
		}
	}
	console.log(`1..${n}`);
	await close();
	process.exit(failed > 0 ? 1 : 0);
}

// shoot: what the open pages look like, beside the logs.
async function shoot(name) {
	mkdirSync(shots, { recursive: true });
	let i = 0;
	for (const context of browser?.contexts() ?? [])
		for (const page of context.pages()) {
			const path = join(shots, `${name}-${++i}.png`);
			await page.screenshot({ path }).then(() => console.log(`# ${path}`), () => {});
		}
}
