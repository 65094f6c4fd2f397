// announce.ts - what a screen reader is told.  Trouble and answers to a keystroke at once, the rest
// politely and at most every 10 s.
const POLITE_MS = 10_000;
let last = 0;
let waiting: string | null = null;

function say(id: string, text: string): void {
	const el = document.getElementById(id);
	if (el !== null) {
		// The same words twice are no change, and nobody would hear them.
		el.textContent = el.textContent === text ? text + '\u00a0' : text;
	}
}

export function announce(text: string): void {
	say('say-now', text);
}

export function mention(text: string): void {
	const wait = last + POLITE_MS - Date.now();
	const was = waiting;
	waiting = text;
	if (was !== null)
		return;
	setTimeout(() => {
		last = Date.now();
		say('say-soon', waiting ?? '');
		waiting = null;
	}, Math.max(wait, 0));
}
