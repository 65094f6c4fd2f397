// router.ts - which page the address means.  All state that somebody might share stands in the address.
import { computed, signal } from '@preact/signals';
import { base } from './api';

const read = () => ({ path: decodePath(location.pathname), query: new URLSearchParams(location.search) });

function decodePath(p: string): string {
	return p.startsWith(base) ? p.slice(base.length) || '/' : p;
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

export const href = (path: string): string => base + path;
// at`/services/${name}`: a path whose values are one segment each.
export function at(parts: TemplateStringsArray, ...values: string[]): string {
	return parts.reduce((all, p, i) => all + encodeURIComponent(values[i - 1] ?? '') + p);
}

const places = new Map<string, number>();	// how far each entry of the history was scrolled
let entry = String(history.state?.entry ?? Math.random());

function show(restore: boolean): void {
	const before = address.value.path;
	address.value = read();
	if (before === address.value.path && !restore)
		return;
	const y = restore ? places.get(entry) ?? 0 : 0;
	requestAnimationFrame(() => requestAnimationFrame(() => {
		scrollTo(0, y);
		if (!restore)
			document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true });
	}));
}

export async function go(path: string, replace = false): Promise<void> {
	if (guard !== null && path.split('?')[0] !== address.value.path) {
		if (!(await guard()))
			return;
		guard = null;
	}
	places.set(entry, scrollY);
	if (!replace)
		entry = String(Math.random());
	history[replace ? 'replaceState' : 'pushState']({ entry }, '', href(path));
	show(false);
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
	history.replaceState({ entry }, '');
	addEventListener('popstate', (e) => {
		places.set(entry, scrollY);
		entry = String((e.state as { entry?: string } | null)?.entry ?? Math.random());
		show(true);
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
