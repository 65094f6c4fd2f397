// keys.ts - the keyboard.  Single keys can be switched off, for those whose voice or hand types them.
import { signal } from '@preact/signals';

export const keysOn = signal(localStorage.getItem('aegis.keys') !== 'off');
export function switchKeys(on: boolean): void {
	keysOn.value = on;
	localStorage.setItem('aegis.keys', on ? 'on' : 'off');
}

export type KeyMap = { [key: string]: () => void };
const CHORD_MS = 1500;		// how long a `g` waits for its second key
let chordAt = 0;

const typing = (el: EventTarget | null): boolean =>
	el instanceof HTMLElement && (el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName));

export function startKeys(single: KeyMap, chords: KeyMap): void {
	addEventListener('keydown', (e) => {
		if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented)
			return;
		if (e.key === 'Escape' && typing(e.target)) {
			(e.target as HTMLElement).blur();
			return;
		}
		if (typing(e.target) || document.querySelector('dialog[open]') || !keysOn.value)
			return;
		const chord = Date.now() - chordAt < CHORD_MS;
		chordAt = 0;
		const act = chord ? chords[e.key] : single[e.key];
		if (act) {
			e.preventDefault();
			act();
		} else if (e.key === 'g') {
			chordAt = Date.now();
		}
	});
}

// step: moves the focus among the things that can be walked through (data-walk).
export function step(by: number): void {
	const all = [...document.querySelectorAll<HTMLElement>('[data-walk]')];
	const at = all.indexOf(document.activeElement as HTMLElement);
	const to = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + by))];
	to?.focus();
	to?.scrollIntoView({ block: 'nearest' });
}
// columns: how many of them stand in one row, so that up and down mean what they look like.
export function columns(): number {
	const all = [...document.querySelectorAll<HTMLElement>('[data-walk]')].slice(0, 12);
	const top = all[0]?.getBoundingClientRect().top;
	return Math.max(1, all.filter((el) => el.getBoundingClientRect().top === top).length);
}
