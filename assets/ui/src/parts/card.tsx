// card.tsx - one instance, in the sizes of the dashboard.  It draws anew only when its own record or its
// own figures change.
import type { Signal } from '@preact/signals';
import type { JSX } from 'preact';
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
		<span class="trend-word">{f?.p99_ms == null ? t('no calls yet') : word ? `p99 ${ms(f.p99_ms)}, ${word}` : `p99 ${ms(f.p99_ms)}`}</span>
	</div>;
}

export function InstanceCard({ card, compact }: { card: Signal<Record>; compact: boolean }): JSX.Element {
	const c = card.value, f = figuresOf(cardKey(c)).value;
	const zone = c.metadata?.['zone'];
	return <li class={`card instance is-${toneOf(c)}${compact ? ' compact' : ''}`}>
		<div class="card-top">
			<a class="card-link" data-walk href={place(c)}>{c.serviceName}</a>
			<span class="badges">{c.leader && <LeaderBadge epoch={c.epoch} />}<StatusBadge card={c} /></span>
		</div>
		<div class="card-id"><code title={c.instanceId}>{c.instanceId}</code><Copy text={c.instanceId} what={t('instance id')} /></div>
		{!compact && <p class="card-facts"><span>v{c.version}</span>{typeof zone === 'string' && <span>{zone}</span>}
			{f?.uptime_seconds != null && <span class="num">{t('up {0}', span(f.uptime_seconds * 1000))}</span>}
			<span class="beat">{t('heard')} <Age at={c.lastHeartbeat} /></span></p>}
		<dl class="figures">
			<Figure label={t('calls')} value={rate(f?.calls_per_second)} />
			<Figure label="p99" value={ms(f?.p99_ms)} />
			<Figure label={t('errors')} value={percent(f?.error_rate)} bad={(f?.error_rate ?? 0) >= 0.01} />
		</dl>
		{!compact && <Trend f={f} />}
	</li>;
}

export function InstanceRow({ card }: { card: Signal<Record> }): JSX.Element {
	const c = card.value, f = figuresOf(cardKey(c)).value;
	return <tr class={`is-${toneOf(c)}`}>
		<td><span class="badges"><StatusBadge card={c} />{c.leader && <LeaderBadge epoch={c.epoch} />}</span></td>
		<th scope="row"><a data-walk href={place(c)}>{c.serviceName}</a></th>
		<td><code>{c.instanceId}</code></td>
		<td class="num">{c.version}</td>
		<td class="num">{rate(f?.calls_per_second)}</td>
		<td class="num">{ms(f?.p99_ms)}</td>
		<td class="num">{percent(f?.error_rate)}</td>
		<td class="num">{f?.queue_depth == null ? NONE : count(f.queue_depth)}</td>
		<td><Age at={c.lastHeartbeat} /></td>
	</tr>;
}

export function Cards({ cards, density }: { cards: Signal<Record>[]; density: string }): JSX.Element {
	const key = (s: Signal<Record>) => cardKey(s.peek());
	if (density !== 'table')
		return <ul class={`grid ${density}`}>{cards.map((s) => <InstanceCard key={key(s)} card={s} compact={density === 'compact'} />)}</ul>;
	return <div class="scroll"><table class="data">
		<thead><tr><th scope="col">{t('Status')}</th><th scope="col">{t('Service')}</th><th scope="col">{t('Instance')}</th>
			<th scope="col" class="num">{t('Version')}</th><th scope="col" class="num">{t('calls')}</th><th scope="col" class="num">p99</th>
			<th scope="col" class="num">{t('errors')}</th><th scope="col" class="num">{t('queue')}</th><th scope="col">{t('heard')}</th></tr></thead>
		<tbody>{cards.map((s) => <InstanceRow key={key(s)} card={s} />)}</tbody>
	</table></div>;
}
