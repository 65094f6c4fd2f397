// card.tsx - one instance, in the sizes of the dashboard.
//
// It draws anew only when its own record or its own figures change.  A thousand of them are many
// thousand nodes, so one far from the window has its name, state and id alone (for search, readers and the
// keyboard) and follows no figures; it is completed before it comes into sight, and stays so.
import type { Signal } from '@preact/signals';
import type { JSX, RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { count, ms, NONE, percent, rate, span, trendWord } from '../format';
import { t } from '../i18n';
import { figuresOf } from '../live/live';
import { cardKey } from '../live/state';
import { at, href } from '../router';
import type { Card as Record, Figures } from '../types';
import { Age } from './age';
import { LeaderBadge, StatusBadge, toneOf } from './badge';
import { Copy } from './copy';
import { Spark } from './spark';
import { Scroll } from './states';

export const place = (c: Pick<Record, 'serviceName' | 'instanceId'>): string =>
	href(at`/services/${c.serviceName}/${c.instanceId}`);

function Figure({ value, label, bad }: { value: string; label: string; bad?: boolean }): JSX.Element {
	return <div class={bad ? 'figure bad' : 'figure'}><dt>{label}</dt><dd class="num">{value}</dd></div>;
}

// What the line says, for those who do not see it: "p99 12 ms, rising".
function Trend({ f }: { f: Figures | null }): JSX.Element {
	const values = f?.trend ?? [];
	const word = trendWord(values);
	return <div class="trend">
		{values.some((v) => v !== null) ? <Spark values={values} /> : <div class="spark none" />}
		<span class="trend-word">{f?.p99_ms == null ? t(values.some((v) => v !== null) ? 'no calls now' : 'no calls yet') : word ? t('p99 {0}, {1}', ms(f.p99_ms), word) : `p99 ${ms(f.p99_ms)}`}</span>
	</div>;
}

const NEAR_PX = 900;		// how far ahead of the window a card is completed
const FIRST = 24;		// so many are complete from the start: nobody sees those grow
const waiting = new Map<Element, () => void>();
const ahead = new IntersectionObserver((entries) => {
	for (const e of entries)
		if (e.isIntersecting)
			waiting.get(e.target)?.();
}, { rootMargin: `${NEAR_PX}px 0px` });

// useNear: whether the element is, or was, near the window.
function useNear<T extends Element>(from: boolean): [RefObject<T>, boolean] {
	const ref = useRef<T>(null);
	const [near, setNear] = useState(from);
	useEffect(() => {
		const el = ref.current;
		if (near || el === null)
			return;
		waiting.set(el, () => setNear(true));
		ahead.observe(el);
		return () => {
			waiting.delete(el);
			ahead.unobserve(el);
		};
	}, [near]);
	return [ref, near];
}

function Rest({ c, compact }: { c: Record; compact: boolean }): JSX.Element {
	const f = figuresOf(cardKey(c)).value, zone = c.metadata?.['zone'];
	return <>
		{!compact && <p class="card-facts"><span title={c.version}>v{c.version}</span>{typeof zone === 'string' && <span title={zone}>{zone}</span>}
			{f?.uptime_seconds != null && <span class="num">{t('up {0}', span(f.uptime_seconds * 1000))}</span>}
			<span class="beat">{t('heard')} <Age at={c.lastHeartbeat} /></span></p>}
		<dl class="figures">
			<Figure label={t('calls')} value={rate(f?.calls_per_second)} />
			<Figure label="p99" value={ms(f?.p99_ms)} />
			<Figure label={t('errors')} value={percent(f?.error_rate)} bad={(f?.error_rate ?? 0) >= 0.01} />
		</dl>
		{!compact && <Trend f={f} />}
	</>;
}

function InstanceCard({ card, compact, first }: { card: Signal<Record>; compact: boolean; first: boolean }): JSX.Element {
	const c = card.value;
	const [ref, near] = useNear<HTMLLIElement>(first);
	return <li ref={ref} class={`card instance is-${toneOf(c)}${compact ? ' compact' : ''}`}>
		<div class="card-top">
			<a class="card-link" data-walk href={place(c)}>{c.serviceName}</a>
			<span class="badges">{c.leader && <LeaderBadge epoch={c.epoch} />}<StatusBadge card={c} /></span>
		</div>
		<div class="card-id"><code title={c.instanceId}>{c.instanceId}</code>{near && <Copy text={c.instanceId} what={t('instance id')} />}</div>
		{near && <Rest c={c} compact={compact} />}
	</li>;
}

function RowRest({ c }: { c: Record }): JSX.Element {
	const f = figuresOf(cardKey(c)).value;
	return <>
		<td class="num">{rate(f?.calls_per_second)}</td><td class="num">{ms(f?.p99_ms)}</td><td class="num">{percent(f?.error_rate)}</td>
		<td class="num">{f?.queue_depth == null ? NONE : count(f.queue_depth)}</td><td><Age at={c.lastHeartbeat} /></td>
	</>;
}

function InstanceRow({ card, first }: { card: Signal<Record>; first: boolean }): JSX.Element {
	const c = card.value;
	const [ref, near] = useNear<HTMLTableRowElement>(first);
	return <tr ref={ref} class={`is-${toneOf(c)}`}>
		<td><span class="badges"><StatusBadge card={c} />{c.leader && <LeaderBadge epoch={c.epoch} />}</span></td>
		<th scope="row"><a data-walk href={place(c)}>{c.serviceName}</a></th>
		<td><code>{c.instanceId}</code></td>
		<td class="num">{c.version}</td>
		{near ? <RowRest c={c} /> : <td colSpan={5} />}
	</tr>;
}

export function Cards({ cards, density }: { cards: Signal<Record>[]; density: string }): JSX.Element {
	const key = (s: Signal<Record>) => cardKey(s.peek());
	if (density !== 'table')
		return <ul class={`grid ${density}`}>{cards.map((s, i) => <InstanceCard key={key(s)} card={s} compact={density === 'compact'} first={i < FIRST} />)}</ul>;
	return <Scroll><table class="data">
		<thead><tr><th scope="col">{t('Status')}</th><th scope="col">{t('Service')}</th><th scope="col">{t('Instance')}</th>
			<th scope="col" class="num">{t('Version')}</th><th scope="col" class="num">{t('Calls')}</th><th scope="col" class="num">p99</th>
			<th scope="col" class="num">{t('Errors')}</th><th scope="col" class="num">{t('Queue')}</th><th scope="col">{t('Last heartbeat')}</th></tr></thead>
		<tbody>{cards.map((s, i) => <InstanceRow key={key(s)} card={s} first={i < FIRST} />)}</tbody>
	</table></Scroll>;
}
