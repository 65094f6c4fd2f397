// router.ts - which page the address means.  All state that somebody might share stands in the address.
import { computed, signal } from '@preact/signals';
import { base } from './api';

const read = () => ({ path: decodePath(location.pathname), query: new URLSearchParams(location.search) });

function decodePath(p: string): string {
	return p === base || p.startsWith(base + '/') ? p.slice(base.length) || '/' : p;
}

export const address = signal(read());
export const route = computed(() => address.value.path.split('/').filter(Boolean).map((s) => {
	try {
		return decodeURIComponent(s);
	} catch {
		return s;
	}
}));
export const query = (name: string): string => address.value.query.get(name) ?? '';

// A page with unsaved changes puts a question here; true lets go.
let guard: (() => Promise<boolean>) | null = null;
export function guardLeave(g: typeof guard): void {
	guard = g;
}
// released: nothing is unsaved, or nobody minds.
export async function released(): Promise<boolean> {
	if (guard !== null && !(await guard()))
		return false;
	guard = null;
	return true;
}
export const guarded = (): boolean => guard !== null;

export const href = (path: string): string => base + path;
// at`/services/${name}`: a path whose values are one segment each.
export function at(parts: TemplateStringsArray, ...values: string[]): string {
	return parts.reduce((all, p, i) => all + encodeURIComponent(values[i - 1] ?? '') + p);
}

// What each entry of the history looked like when it was left: entries are numbered as they follow each other.
interface Left {
	y: number;
	focus: string;		// a selector of what had the focus; '' when nothing had
}
const left = new Map<number, Left>();
let entry = Number(history.state?.entry ?? 0);
const RESTORE_MS = 50, RESTORE_TRIES = 40;	// what is to be focused may have to be fetched first

function keep(): void {
	const el = document.activeElement, to = el?.getAttribute('href');
	left.set(entry, { y: scrollY, focus: el?.id ? '#' + CSS.escape(el.id) : to ? `a[href="${CSS.escape(to)}"]` : '' });
}

function restore(l: Left, of: number, tries: number): void {
	if (of !== entry)
		return;
	const el = document.querySelector<HTMLElement>(l.focus || 'main h1');
	scrollTo(0, l.y);
	// A page may have put the focus where one types.
	if (l.focus !== '' || !document.activeElement?.matches('main :is(input, textarea)'))
		el?.focus({ preventScroll: true });
	if (tries > 0 && (el === null || Math.abs(scrollY - l.y) > 1))
		setTimeout(restore, RESTORE_MS, l, of, tries - 1);
}

function show(l?: Left): void {
	const before = address.value.path;
	address.value = read();
	if (l !== undefined || before !== address.value.path)
		requestAnimationFrame(() => requestAnimationFrame(() => restore(l ?? { y: 0, focus: '' }, entry, RESTORE_TRIES)));
}

const sameAddress = (path: string): boolean => new URL(href(path), location.href).href === new URL(href(here()), location.href).href;
// here: the address as it is shown, which may not be that of the browser for a moment (a way back that asks first).
function here(): string {
	const q = address.value.query.toString();
	return address.value.path + (q === '' ? '' : '?' + q);
}

export async function go(path: string, replace = false): Promise<void> {
	if (!sameAddress(path) && !(await released()))
		return;
	if (!replace) {
		keep();
		left.delete(++entry);
	}
	history[replace ? 'replaceState' : 'pushState']({ entry }, '', href(path));
	show();
}

// setQuery({ q: 'x' }): the same page with other words behind the question mark; '' takes one away.
export function setQuery(change: Record<string, string>, replace = true): void {
	const q = new URLSearchParams(address.value.query);
	for (const [k, v] of Object.entries(change))
		if (v === '')
			q.delete(k);
		else
			q.set(k, v);
	const text = q.toString();
	void go(address.value.path + (text === '' ? '' : '?' + text), replace);
}

export function startRouter(): void {
	history.scrollRestoration = 'manual';
	history.replaceState({ entry }, '', location.href);
	let back = 0;		// the way that somebody wants to go, undone until it is known whether he may
	addEventListener('popstate', (e) => {
		const to = Number((e.state as { entry?: number } | null)?.entry ?? 0);
		if (back !== 0) {
			const by = back;
			back = 0;
			void released().then((ok) => ok && history.go(by));
		} else if (guard !== null && to !== entry) {
			history.go(-(back = to - entry));
		} else {
			keep();
			entry = to;
			show(left.get(entry) ?? { y: 0, focus: '' });
		}
	});
	addEventListener('beforeunload', (e) => {
		if (guard !== null)
			e.preventDefault();
	});
	// Every link inside the page is a link; we only follow it without loading.
	document.addEventListener('click', (e) => {
		const a = (e.target as Element).closest?.('a');
		if (!a || e.defaultPrevented || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey ||
		    a.target || a.hasAttribute('download') || a.origin !== location.origin || a.getAttribute('href')?.startsWith('#'))
			return;
		e.preventDefault();
		void go(decodePath(a.pathname) + a.search);
	});
}
