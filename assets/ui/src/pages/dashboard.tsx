// dashboard.tsx - all instances, worst first; what is shown, and how, stands in the address.
import { computed } from '@preact/signals';
import type { Signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { ComponentChildren, JSX } from 'preact';
import { compare, DENSITIES, groupOf, GROUPS, matches, SORTS } from '../filter';
import { plural, t, type Text } from '../i18n';
import { allCards, cards, figuresOf, goneNow, groups, link, loaded, now, overview, services, shape, retryNow } from '../live/live';
import { cardKey } from '../live/state';
import { Age } from '../parts/age';
import { Badge } from '../parts/badge';
import { Cards } from '../parts/card';
import { Icon } from '../parts/icon';
import { title } from '../parts/shell';
import { Empty, Failed, Skeleton, useLoad } from '../parts/states';
import { address, at, href, query, setQuery } from '../router';
import type { Card, Departed } from '../types';

const GROUP_WORDS: Record<string, Text> = { '': 'No groups', service: 'Service', group: 'Group', zone: 'Zone', node: 'Node', version: 'Version' };
const SORT_WORDS: Record<string, Text> = { '': 'Worst first', name: 'Name', p99: 'p99', rate: 'Calls', errors: 'Errors', newest: 'Newest change' };
const DENSITY_WORDS: Record<string, Text> = { comfortable: 'Comfortable', compact: 'Compact', table: 'Table' };
const DENSITY_ICONS: Record<string, string> = { comfortable: 'grid', compact: 'rows', table: 'table' };

const words = computed(() => query('q'));
const sort = computed(() => (SORTS as readonly string[]).includes(query('sort')) ? query('sort') : '');
const by = computed(() => (GROUPS as readonly string[]).includes(query('group')) ? query('group') : '');
const density = computed(() => {
	void address.value;
	const d = query('density') || (localStorage.getItem('aegis.density') ?? '');
	return (DENSITIES as readonly string[]).includes(d) ? d : 'comfortable';
});
// Orders by figures are looked at again every few seconds, not at every beat.
const again = computed(() => sort.value === '' || sort.value === 'name' ? 0 : Math.floor(now.value / 5000));

const shown = computed<[string, Signal<Card>[]][]>(() => {
	void shape.value;
	void again.value;
	const list = [...cards.values()].map((s) => [s.peek(), s] as const).filter(([c]) => matches(c, words.value));
	const order = compare(sort.value, (c) => figuresOf(cardKey(c)).peek());
	list.sort(([a], [b]) => order(a, b));
	if (by.value === '')
		return [['', list.map(([, s]) => s)]];
	const found = new Map<string, Signal<Card>[]>();
	for (const [c, s] of list) {
		const g = groupOf(c, by.value);
		found.set(g, [...(found.get(g) ?? []), s]);
	}
	return [...found];
});

// --- the strip ----------------------------------------------------------------------------------

function Fact({ n, q, children, tone }: { n: number; q: string; children: ComponentChildren; tone?: string }): JSX.Element {
	const on = words.value === q;
	const p = new URLSearchParams(address.value.query);
	if (on || q === '')
		p.delete('q');
	else
		p.set('q', q);
	return <li><a class={`fact ${n > 0 && tone ? tone : ''}`} aria-current={on && q !== '' ? 'true' : undefined} href={href('/?' + p.toString()).replace(/\?$/, '')}>{children}</a></li>;
}

function Strip(): JSX.Element {
	const all = allCards.value;
	const n = (f: (c: Card) => boolean) => all.filter(f).length;
	const bad = n((c) => c.status === 'UNHEALTHY' && !c.stale), stale = n((c) => c.stale), lead = n((c) => c.leader);
	const standby = n((c) => c.status === 'STANDBY' && !c.stale), active = n((c) => c.status === 'ACTIVE' && !c.stale);
	const alone = [...groups.value.values()].filter((g) => g.leader === null).length;
	const kinds = new Set(all.map((c) => c.serviceName));
	for (const s of services.value.keys())
		kinds.add(s);
	return <ul class="strip" aria-label={t('Summary')}>
		<li><a class="fact" href={href('/manage')}>{plural(kinds.size, '{0} service', '{0} services')}</a></li>
		<Fact n={all.length} q="">{plural(all.length, '{0} instance', '{0} instances')}</Fact>
		<Fact n={bad} q="status:unhealthy" tone="unhealthy"><Icon name="unhealthy" />{t('{0} unhealthy', bad)}</Fact>
		{stale > 0 && <Fact n={stale} q="is:stale" tone="stale"><Icon name="stale" />{t('{0} stale', stale)}</Fact>}
		<Fact n={active} q="status:active" tone="active"><Icon name="active" />{t('{0} active', active)}</Fact>
		{standby > 0 && <Fact n={standby} q="status:standby" tone="standby"><Icon name="standby" />{t('{0} standby', standby)}</Fact>}
		<Fact n={lead} q="is:leader" tone="leader"><Icon name="leader" />{plural(lead, '{0} leader', '{0} leaders')}</Fact>
		{alone > 0 && <li><a class="fact unhealthy" href={href('/groups')}><Icon name="warning" />{plural(alone, '{0} group without leader', '{0} groups without leader')}</a></li>}
	</ul>;
}

function Choice({ name, value, label, options, onChoose }: { name: string; value: string; label: string; options: Record<string, Text>; onChoose: (v: string) => void }): JSX.Element {
	return <label class="choice"><span>{label}</span>
		<select name={name} value={value} onChange={(e) => onChoose(e.currentTarget.value)}>
			{Object.entries(options).map(([v, w]) => <option key={v} value={v}>{t(w)}</option>)}
		</select></label>;
}

function Tools(): JSX.Element {
	return <form class="filters" role="search" onSubmit={(e) => e.preventDefault()}>
		<label class="search"><span class="sr">{t('Search')}</span><Icon name="search" />
			<input type="search" name="q" value={words.value} placeholder={t('Search: name, id, status:unhealthy, zone:a …')} spellcheck={false}
			    onInput={(e) => setQuery({ q: e.currentTarget.value })}
			    onKeyDown={(e) => e.key === 'Enter' && document.querySelector<HTMLElement>('[data-walk]')?.focus()} /></label>
		<Choice name="group" label={t('Group by')} value={by.value} options={GROUP_WORDS} onChoose={(v) => setQuery({ group: v })} />
		<Choice name="sort" label={t('Order')} value={sort.value} options={SORT_WORDS} onChoose={(v) => setQuery({ sort: v })} />
		<div class="segments" role="group" aria-label={t('Density')}>
			{DENSITIES.map((d) => <button key={d} type="button" aria-pressed={density.value === d} title={t(DENSITY_WORDS[d] as Text)} aria-label={t(DENSITY_WORDS[d] as Text)}
			    onClick={() => (localStorage.setItem('aegis.density', d), setQuery({ density: d === 'comfortable' ? '' : d }))}><Icon name={DENSITY_ICONS[d] as string} /></button>)}
		</div>
	</form>;
}

// --- the rest -----------------------------------------------------------------------------------

const SETTLE_MS = 1000;		// a fleet that leaves at once is asked for once
const PAGE = 100;		// so many the server tells at once

function Tombstones(): JSX.Element {
	const load = useLoad<Departed[]>('/api/departed');
	const gone = goneNow.value, first = useRef(gone);
	useEffect(() => {
		if (first.current === gone)
			return;
		const timer = setTimeout(load.reload, SETTLE_MS);
		return () => clearTimeout(timer);
	}, [gone]);
	const n = load.data?.length ?? 0;
	return <details class="departed">
		<summary>{t('Departed in the last 24 h')}{load.data && <small class="num"> {n}{n >= PAGE && '+'}</small>}</summary>
		{load.error ? <Failed error={load.error} retry={load.reload} /> : n === 0 ? <p class="hint">{t('No instance has left.')}</p> :
			<ul class="list">{load.data?.map((d) => <li key={d.service + d.instance + d.at}><Badge tone="gone" /> <a data-walk href={href(at`/services/${d.service}/${d.instance}`)}>{d.service}</a> <code>{d.instance}</code>
				<span class="hint">{cause(d)} · <Age at={d.at} /></span></li>)}</ul>}
	</details>;
}

export function cause(d: { cause: string; by?: string | null }): string {
	return d.cause === 'deregistered' ? t('deregistered') : d.cause === 'expired' ? t('expired: its heartbeats ended') :
		d.cause === 'purged' ? (d.by ? t('purged by {0}', d.by) : t('purged')) : d.cause;
}

function Nothing(): JSX.Element {
	if (cards.size > 0)
		return <Empty title={t('Nothing matches')}><button type="button" onClick={() => setQuery({ q: '' })}>{t('Show all instances')}</button></Empty>;
	return <Empty title={t('No instance is registered')} command="aegis run-service --name my-service -- ./my-program">
		{services.value.size > 0 ? t('Services are defined, but none of them is running. Start one:') : t('Start one; it appears here at once:')}</Empty>;
}

// Waiting: what will be there, in grey, in the places where it will be.
export function Waiting(): JSX.Element {
	return <><div class="strip" aria-hidden="true"><span class="fact">&nbsp;</span></div><Tools /><Skeleton cards={9} /></>;
}

export function Dashboard(): JSX.Element {
	void overview.value;
	title('');
	const l = link.value;
	const list = shown.value;
	const total = list.reduce((n, [, v]) => n + v.length, 0);
	return <>
		<h1 class="sr" tabIndex={-1}>{t('Dashboard')}</h1>
		{!loaded.value ? l.state === 'lost' ? <Failed error={new Error(l.status === 0 ? t('The server does not answer.') : t('The live stream ended with HTTP {0}.', l.status))} retry={retryNow} /> : <Waiting /> : <>
			<Strip />
			<Tools />
			{total === 0 ? <Nothing /> : list.map(([name, v]) => by.value === '' ? <Cards key="" cards={v} density={density.value} /> :
				<section key={name} class="group"><h2>{name || t('without')}<small class="num">{v.length}</small></h2><Cards cards={v} density={density.value} /></section>)}
			<Tombstones />
		</>}
	</>;
}
