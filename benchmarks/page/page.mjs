// page.mjs - samples of the page in a browser: one line for each name, its numbers behind it.
//
//	node page.mjs URL LINK NATS_URL BUILD
//
// LINK logs in; behind URL are a thousand instances; BUILD/ui holds the page's files.  Both ends of each
// interval are read from the same clock: that of this machine.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beat } from '../../tests/support/fleet.mjs';
import { link } from '../../tests/support/sdk.mjs';
import { close, open } from '../../tests/ui/support/ui.mjs';

const [url, login, nats, build] = process.argv.slice(2);
const INSTANCES = 1000, LOADS = 15, FRAMES_MS = 20_000, BURSTS = 10, BURST = 200, CHANGES = 300;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const tell = (name, numbers) => console.log(name, numbers.map((n) => n.toFixed(2)).join(' '));

// --- what it weighs --------------------------------------------------------------------------

const weigh = (path) => statSync(join(build, 'ui', path + '.gz')).size / 1000;
const html = readFileSync(join(build, 'ui/index.html'), 'utf8');
const initial = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/g)].map((m) => m[1]);
const all = ['index.html', ...readdirSync(join(build, 'ui/assets')).filter((f) => !/\.(gz|br)$/.test(f)).map((f) => 'assets/' + f)];
tell('initial', [initial.reduce((n, f) => n + weigh(f), 0)]);
tell('all', [all.reduce((n, f) => n + weigh(f), 0)]);

// --- how soon it is drawn ----------------------------------------------------------------------

process.env.NATS_URL = nats;
const nc = await link(), context = await open(), page = await context.newPage();
await page.goto(login);
await page.waitForURL(url + '/');

// Before the page's own scripts: what happens in a frame, from its begin until it is painted.  Frames that
// changed nothing do not count.
await page.addInitScript((instances) => {
	const watch = window.watch = { frames: [], drawn: null, changed: false, seen: {} };
	const after = new MessageChannel();
	let began = 0;
	after.port1.onmessage = () => {
		if (watch.changed)
			watch.frames.push(performance.now() - began);
		watch.changed = false;
		if (watch.drawn === null && document.querySelectorAll('.instance').length >= instances)
			watch.drawn = performance.now();
	};
	const frame = () => {
		began = performance.now();
		requestAnimationFrame(frame);
		after.port2.postMessage(null);
	};
	requestAnimationFrame(frame);
	new MutationObserver(() => {
		watch.changed = true;
		for (const s of watch.of?.querySelectorAll('.card-facts span:first-child') ?? [])
			watch.seen[s.textContent] ??= performance.timeOrigin + performance.now();
	}).observe(document, { childList: true, subtree: true, characterData: true, attributes: true });
}, INSTANCES);

const first = [];
for (let i = 0; i < LOADS; i++) {
	await page.goto(url + '/');
	await page.waitForFunction(() => window.watch.drawn !== null, undefined, { timeout: 30_000 });
	first.push(await page.evaluate(() => window.watch.drawn));
}
tell('first', first);

// --- what an update costs ------------------------------------------------------------------------

const frames = () => page.evaluate(() => window.watch.frames.splice(0));
await pause(3000);
await frames();
await pause(FRAMES_MS);
tell('frame', await frames());

const longest = [];
const id = (i) => [`bench-fleet`, `bench-fleet-${String(i + 1).padStart(5, '0')}`];
for (let i = 0; i < BURSTS; i++) {
	for (let k = 0; k < BURST; k++)
		beat(nc, ...id(k * 5), `2.0.${i}`);
	await nc.flush();
	await page.waitForFunction((v) => [...document.querySelectorAll('.instance')].some((e) => e.textContent.includes(v)), `v2.0.${i}`);
	await pause(1000);
	longest.push(Math.max(...await frames()));
}
tell('burst', longest);

// --- how long a change takes -----------------------------------------------------------------------

beat(nc, 'a-changing', 'a-changing-1', '1.0.0');
await page.waitForSelector('.instance:has-text("a-changing-1")');
await page.evaluate(() => (window.watch.of = [...document.querySelectorAll('.instance')].find((e) => e.textContent.includes('a-changing-1'))));
const seen = [];
for (let i = 1; i <= CHANGES; i++) {
	const version = `3.0.${i}`, at = performance.timeOrigin + performance.now();
	beat(nc, 'a-changing', 'a-changing-1', version);
	const when = await page.waitForFunction((v) => window.watch.seen[v], 'v' + version, { polling: 20 });
	seen.push(await when.jsonValue() - at);
	await pause(Math.random() * 30);		// in no step with the frames
}
tell('seen', seen);
await nc.close();
await close();
