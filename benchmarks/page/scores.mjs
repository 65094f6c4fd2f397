// scores.mjs - what Lighthouse says of the page, logged in: one line for each category, a number for each page.
//
//	node scores.mjs URL LINK
import { createServer } from 'node:net';
import lighthouse from 'lighthouse';
import { close, open } from '../../tests/ui/support/ui.mjs';

const [url, link] = process.argv.slice(2);
const CATEGORIES = ['accessibility', 'best-practices', 'performance'];
const PLACES = ['/', '/services/bench-fleet/bench-fleet-00001', '/groups', '/manage', '/config/bench-fleet', '/audit'];

const port = await new Promise((done) => {
	const s = createServer().listen(0, '127.0.0.1', () => {
		const { port } = s.address();
		s.close(() => done(port));
	});
});
const context = await open({}, [`--remote-debugging-port=${port}`]), page = await context.newPage();
await page.goto(link);
await page.waitForURL(url + '/');
// Lighthouse opens tabs of the browser's own profile, which is none of the contexts: our cookie goes there, too, and
// a tab that stays keeps the profile.
const devtools = await context.browser().newBrowserCDPSession();
await devtools.send('Target.createTarget', { url: 'about:blank' });
await devtools.send('Storage.setCookies', { cookies: await context.cookies() });

// score: a trace that it could not record, it asks to record again.
async function score(place) {
	for (let tries = 1;; tries++) {
		const { lhr } = await lighthouse(url + place, { port, onlyCategories: CATEGORIES, logLevel: 'error', disableStorageReset: true });
		if (!lhr.runtimeError)
			return lhr;
		if (tries === 5)
			throw new Error(`${place}: ${lhr.runtimeError.message}`);
	}
}

const scores = Object.fromEntries(CATEGORIES.map((c) => [c, []]));
for (const place of PLACES) {
	// Its processor time is simulated from what it measured, so one run says little: of three the median.
	const runs = [await score(place), await score(place), await score(place)];
	const lhr = runs.sort((a, b) => a.categories.performance.score - b.categories.performance.score)[1];
	if (new URL(lhr.finalDisplayedUrl).pathname !== place)
		throw new Error(`${place}: led to ${lhr.finalDisplayedUrl}`);
	for (const c of CATEGORIES) {
		const { score, auditRefs } = lhr.categories[c];
		scores[c].push(Math.round(score * 100));
		for (const { id, weight } of auditRefs)
			if (weight > 0 && lhr.audits[id].score !== null && lhr.audits[id].score < 0.9)
				console.error(`${place}: ${c}: ${lhr.audits[id].title}: ${lhr.audits[id].displayValue ?? ''} ${JSON.stringify(lhr.audits[id].details?.items ?? []).slice(0, 600)}`);
	}
}
for (const c of CATEGORIES)
	console.log(c, scores[c].join(' '));
await close();
