// bits.tsx - small things that the pages behind the dashboard share.
import type { ComponentChildren, JSX } from 'preact';
import { t } from '../i18n';
import { link, loaded, retryNow } from '../live/live';
import { href, query, setQuery } from '../router';
import { Failed, Skeleton } from './states';
import { title } from './shell';

// Head: where we are, and the name of what is shown.
export function Head({ name, up, children }: { name: string; up?: [string, string][]; children?: ComponentChildren }): JSX.Element {
	title(name);
	return <div class="head">
		{up && <nav class="crumbs" aria-label={t('Where this is')}>{up.map(([to, words]) => <a key={to} href={href(to)}>{words}</a>)}</nav>}
		<h1 tabIndex={-1}>{name}</h1>{children}
	</div>;
}

// Live: what is drawn from the stream, once there is something.
export function Live({ children }: { children: () => ComponentChildren }): JSX.Element {
	const l = link.value;
	if (loaded.value)
		return <>{children()}</>;
	return l.state === 'lost' ? <Failed error={new Error(l.status === 0 ? t('The server does not answer.') :
		t('The live stream ended with HTTP {0}.', l.status))} retry={retryNow} /> : <Skeleton lines={5} />;
}

export function Facts({ rows }: { rows: [string, ComponentChildren][] }): JSX.Element {
	return <dl class="facts">{rows.filter(([, v]) => v !== null && v !== '' && v !== undefined).map(([k, v]) => <div key={k}><dt>{k}</dt><dd>{v}</dd></div>)}</dl>;
}

// Tabs: links, so that each stands in the address; the arrow keys walk along them.
export function Tabs({ tabs, value }: { tabs: [string, string][]; value: string }): JSX.Element {
	const walk = (e: KeyboardEvent) => {
		const by = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0;
		if (by === 0)
			return;
		e.preventDefault();
		const all = [...(e.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[role=tab]')];
		const to = all[(all.indexOf(document.activeElement as HTMLElement) + by + all.length) % all.length];
		to?.focus();
		to?.click();
	};
	return <div class="tabs" role="tablist" onKeyDown={walk}>
		{tabs.map(([id, words]) => <button key={id} type="button" role="tab" id={'tab-' + id} aria-controls="tabpanel" aria-selected={id === value}
			tabIndex={id === value ? 0 : -1} onClick={() => id !== value && setQuery({ tab: id === tabs[0]?.[0] ? '' : id }, false)}>{words}</button>)}
	</div>;
}

// SortHead: a column that orders the table; what it is ordered by stands in the address.
export function SortHead({ by, num, children }: { by: string; num?: boolean; children: ComponentChildren }): JSX.Element {
	const now = query('sort'), up = now === by, down = now === '-' + by;
	return <th scope="col" class={num ? 'num' : ''} aria-sort={up ? 'ascending' : down ? 'descending' : 'none'}>
		<button type="button" onClick={() => setQuery({ sort: up ? '-' + by : by })}>{children}<span aria-hidden="true">{up ? ' ↑' : down ? ' ↓' : ''}</span></button></th>;
}

export function sorted<T>(list: T[], get: (x: T, by: string) => string | number, fallback: string): T[] {
	const by = query('sort') || fallback, sign = by.startsWith('-') ? -1 : 1, key = by.replace('-', '');
	return [...list].sort((a, b) => {
		const x = get(a, key), y = get(b, key);
		return x < y ? -sign : x > y ? sign : 0;
	});
}

// Diff: two versions of the same thing, member by member; equal ones are left out.
export function Diff({ before, after }: { before: unknown; after: unknown }): JSX.Element {
	const a = flat(before), b = flat(after);
	const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((k) => a[k] !== b[k]);
	if (keys.length === 0)
		return <p class="hint">{t('No difference.')}</p>;
	return <dl class="diff">{keys.map((k) => <div key={k}><dt><code>{k}</code></dt><dd>
		{k in a && <del>{a[k]}</del>}{k in b && <ins>{b[k]}</ins>}</dd></div>)}</dl>;
}

export function flat(v: unknown): Record<string, string> {
	if (v === null || typeof v !== 'object')
		return v === null || v === undefined ? {} : { '': show(v) };
	return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, show(x)]));
}
export const show = (v: unknown): string => typeof v === 'string' ? v : JSON.stringify(v);
