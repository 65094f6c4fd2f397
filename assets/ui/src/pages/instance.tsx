// instance.tsx - one instance: how it does, how it is configured, what happened to it.
import { useEffect, useRef } from 'preact/hooks';
import type { JSX } from 'preact';
import { path } from '../api';
import { count, ms, NONE, percent, rate, span } from '../format';
import { t, told, type Text } from '../i18n';
import { cards, figuresOf, goneNow, now, shape } from '../live/live';
import { keyOf } from '../live/state';
import { Age, When } from '../parts/age';
import { Badge, LeaderBadge, StatusBadge } from '../parts/badge';
import { Facts, Head, Live, show, Tabs } from '../parts/bits';
import { Chart, looked, lookAt, type ChartProps } from '../parts/chart';
import { Copy, copied, copy } from '../parts/copy';
import { Icon } from '../parts/icon';
import { Empty, Panel, Scroll, Skeleton, useLoad } from '../parts/states';
import { at, href, query, route, setQuery } from '../router';
import type { Card, Departed, InstanceEvent, Json, Series, Setting, Settings } from '../types';
import { cause } from './dashboard';

// Share: the address of what is shown, for somebody else: "now" becomes the moment that it was.
function Share(): JSX.Element {
	const click = async (e: MouseEvent) => {
		const button = e.currentTarget as HTMLElement, u = new URL(location.href), moment = looked();
		u.searchParams.set('at', new Date(moment === null ? now.peek() : moment * 1000).toISOString());
		copied(await copy(u.href));
		button.focus();
	};
	return <button type="button" class="end" onClick={click}><Icon name="copy" />{t('Copy link')}</button>;
}

// useMoment: the moment that a shared address names, in epoch seconds; the charts rest there.
function useMoment(): number | null {
	const at = Date.parse(query('at')) / 1000, moment = Number.isNaN(at) ? null : at;
	useEffect(() => {
		lookAt(moment);
		return () => lookAt(null);
	}, [moment]);
	return moment;
}

// --- metrics --------------------------------------------------------------------------------------

const REFRESH_MS = 3000;	// the service adds a row at every heartbeat; asking more often shows nothing new

// useSeries: asked for anew when new figures came, but not too often.
function useSeries(service: string, instance: string) {
	const load = useLoad<Series>(path`/api/instances/${service}/${instance}/series`);
	const figures = figuresOf(keyOf(service, instance)).value;
	const last = useRef(Date.now());
	useEffect(() => {
		const timer = setTimeout(() => {
			last.current = Date.now();
			load.reload();
		}, Math.max(0, last.current + REFRESH_MS - Date.now()));
		return () => clearTimeout(timer);
	}, [figures]);
	return load;
}

function column(s: Series, name: string): (number | null)[] {
	const i = s.columns.indexOf(name);
	return s.rows.map((r) => i < 0 ? null : r[i] ?? null);
}

function charts(s: Series): Pick<ChartProps, 'name' | 'lines' | 'show' | 'least'>[] {
	const calls = column(s, 'calls_per_second'), errors = column(s, 'error_rate');
	const part = (f: (e: number) => number) => calls.map((c, i) => c === null ? null : c * f(errors[i] ?? 0));
	return [
		{ name: t('RPC latency'), show: ms, lines: ['p99', 'p90', 'p50'].map((p) => ({ name: p, values: column(s, p + '_ms') })) },
		{ name: t('Calls that succeeded and failed'), show: rate, lines: [{ name: t('succeeded'), values: part((e) => 1 - e) }, { name: t('failed'), values: part((e) => e) }] },
		{ name: t('Error rate'), show: percent, lines: [{ name: t('Error rate'), values: errors }] },
		{ name: t('Queue'), show: count, least: 4, lines: [{ name: t('waiting'), values: column(s, 'queue_depth') }, { name: t('in flight'), values: column(s, 'in_flight') }] },
	];
}

function Metrics({ service, instance }: { service: string; instance: string }): JSX.Element {
	const load = useSeries(service, instance);
	const events = useLoad<InstanceEvent[]>(path`/api/instances/${service}/${instance}/events`);
	const f = figuresOf(keyOf(service, instance)).value, moment = useMoment(), oldest = load.data?.rows[0]?.[0];
	return <div class="stack">
		{moment !== null && <p class={`note ${oldest != null && moment < oldest ? 'warning' : 'draining'}`}><span>{oldest != null && moment < oldest ?
			t('Figures of the shared moment are no longer kept:') : t('The charts show the shared moment:')} <When at={new Date(moment * 1000).toISOString()} /></span>
			<button type="button" class="plain" onClick={() => setQuery({ at: '' })}>{t('Show the newest')}</button></p>}
		<dl class="tiles">
			{([['Calls', rate(f?.calls_per_second)], ['p50', ms(f?.p50_ms)], ['p99', ms(f?.p99_ms)], ['Errors', percent(f?.error_rate)],
				['Queue', count(f?.queue_depth)], ['In flight', count(f?.in_flight)]] as [Text, string][]).map(([k, v]) =>
				<div key={k} class="card tile"><dt>{t(k)}</dt><dd class="num">{v}</dd></div>)}
		</dl>
		<Panel load={load} lines={6}>{(s) => s.rows.length === 0 ?
			<Empty title={t('No figures yet')}>{t('They come with the heartbeats; this server keeps those of the last 15 minutes.')}</Empty> :
			<div class="charts">{charts(s).map((c) => <Chart key={c.name} {...c} times={s.rows.map((r) => r[0] as number)}
				marks={(events.data ?? []).map((e) => ({ at: Date.parse(e.at) / 1000, text: told(e.text) }))} />)}</div>}</Panel>
	</div>;
}

// --- configuration --------------------------------------------------------------------------------

const ORIGINS: Record<string, Text> = { flag: 'command line', env: 'environment', file: 'file', central: 'central document', default: 'default' };

function Value({ s }: { s: Setting }): JSX.Element {
	return s.secret ? <span class="hint">{t('secret, not shown')}</span> : <><code>{s.value === null ? NONE : show(s.value)}</code>{s.wanted != null && <span class="hint"> → <code>{show(s.wanted)}</code></span>}</>;
}

function Configuration({ service, instance }: { service: string; instance: string }): JSX.Element {
	const settings = useLoad<Settings>(path`/api/instances/${service}/${instance}/settings`);
	const config = useLoad<{ config: Json }>(path`/api/instances/${service}/${instance}/config`);
	return <div class="stack">
		<section class="stack"><div class="row"><h2>{t('Effective settings')}</h2><span class="hint">{t('asked of the instance just now')}</span>
			<a class="end" href={href(at`/config/${service}`)}>{t('Configure the service')}</a></div>
			<Panel load={settings}>{(s) => <>
				{s.refused && <p class={`note ${s.revision === s.applied_revision ? 'warning' : 'unhealthy'}`}><Icon name="warning" />{s.refused}</p>}
				{s.pending.length > 0 && <p class="note warning"><Icon name="warning" />{t('Waits for a restart: {0}', s.pending.join(', '))}</p>}
				<Scroll><table class="data"><thead><tr><th scope="col">{t('Setting')}</th><th scope="col">{t('Value')}</th><th scope="col">{t('Origin')}</th><th scope="col">{t('A change')}</th></tr></thead>
					<tbody>{s.settings.map((x) => <tr key={x.key}><th scope="row"><code>{x.key}</code></th><td><Value s={x} /></td><td>{ORIGINS[x.origin] ? t(ORIGINS[x.origin] as Text) : x.origin}</td>
						<td>{x.pending ? <Badge tone="warning">{t('pending')}</Badge> : x.live ? t('applies at once') : t('waits for a restart')}</td></tr>)}</tbody></table></Scroll>
				<p class="hint">{s.revision === null ? t('There is no central document.') : t('Central document at revision {0}; applied: {1}.', s.revision, s.applied_revision ?? NONE)}</p></>}</Panel></section>
		<section class="stack"><h2>{t('What it reports about itself')}</h2>
			<Panel load={config}>{(c) => <pre class="card json" tabIndex={0}>{JSON.stringify(c.config, null, 2)}</pre>}</Panel></section>
	</div>;
}

// --- events -----------------------------------------------------------------------------------------

const KINDS: Record<string, Text> = { appeared: 'appeared', status: 'status', role: 'role', epoch: 'epoch', version: 'version', stale: 'stale', departed: 'departed', restarted: 'restarted' };

function tone(e: InstanceEvent): 'unhealthy' | 'active' | 'leader' | 'stale' | 'standby' | 'warning' {
	return e.to === 'UNHEALTHY' ? 'unhealthy' : e.kind === 'epoch' || (e.kind === 'role' && e.to === 'ACTIVE') ? 'leader' : e.kind === 'stale' || e.kind === 'departed' ? 'stale' :
		e.kind === 'restarted' ? 'warning' : e.to === 'ACTIVE' || e.kind === 'appeared' ? 'active' : 'standby';
}

function Events({ service, instance, since }: { service: string; instance: string; since: string }): JSX.Element {
	const load = useLoad<InstanceEvent[]>(path`/api/instances/${service}/${instance}/events`);
	useEffect(load.reload, [since]);
	return <Panel load={load}>{(v) => v.length === 0 ? <Empty title={t('Nothing happened')}>{t('Changes of status, role and version appear here.')}</Empty> :
		<ol class="timeline">{v.map((e, i) => <li key={e.at + i}><Badge tone={tone(e)}>{KINDS[e.kind] ? t(KINDS[e.kind] as Text) : e.kind}</Badge>
			<div><p>{told(e.text)}{e.from !== null && e.to !== null && <span class="hint"> {e.from} → {e.to}</span>}</p><p class="hint"><When at={e.at} /></p></div></li>)}</ol>}</Panel>;
}

// --- the page ---------------------------------------------------------------------------------------

// A tombstone: what is known of an instance for a day after it left, on every replica the same.
function Tombstone({ d }: { d: Departed }): JSX.Element {
	return <div class="stack">
		<p class="note gone"><Icon name="gone" /><span>{t('This instance has left')} · {cause(d)} · <Age at={d.at} /></span></p>
		<Facts rows={[[t('Left at'), <When at={d.at} />], ...(d.last ? [[t('Last status'), <StatusBadge card={d.last} />],
			[t('Last heartbeat'), <Age at={d.last.lastHeartbeat} />], [t('Version'), d.last.version]] as [string, JSX.Element | string][] : [])]} />
		{d.last && <section class="stack"><h2>{t('What it reported about itself')}</h2><pre class="card json" tabIndex={0}>{JSON.stringify(d.last.metadata, null, 2)}</pre></section>}
		<p><a href={href(at`/services/${d.service}`)}>{t('Other instances of {0}', d.service)}</a></p></div>;
}

function Gone({ service, instance }: { service: string; instance: string }): JSX.Element {
	const here = goneNow.value.get(keyOf(service, instance));
	const load = useLoad<Departed[]>('/api/departed');
	useEffect(load.reload, [here]);
	const d = load.data?.find((x) => x.service === service && x.instance === instance) ?? (here && { ...here, by: null, last: null });
	if (d)
		return <Tombstone d={d} />;
	return load.loading ? <Skeleton /> : <Empty title={t('There is no such instance')} command={`aegis registry ls --all --service ${service}`}>
		<a href={href(at`/services/${service}`)}>{t('Other instances of {0}', service)}</a></Empty>;
}

function Body({ card }: { card: Card }): JSX.Element {
	const { serviceName: s, instanceId: i } = card;
	const up = figuresOf(keyOf(s, i)).value?.uptime_seconds;
	const tab = ['config', 'events'].includes(query('tab')) ? query('tab') : 'metrics';
	const label = (k: string) => typeof card.metadata[k] === 'string' ? card.metadata[k] as string : null;
	return <>
		<Facts rows={[
			[t('Status since'), <Age at={card.since} />], [t('Last heartbeat'), <Age at={card.lastHeartbeat} />], [t('Version'), card.version],
			[t('Up'), up == null ? null : span(up * 1000)], [t('Zone'), label('zone')], [t('Node'), label('node')],
			[t('Epoch'), card.leader && card.epoch !== null ? String(card.epoch) : null],
			[t('Group'), card.stickyActiveGroup && <a href={href(at`/groups/${s}/${card.stickyActiveGroup}`)}>{card.stickyActiveGroup}</a>],
			[t('Id'), <span class="row tight"><code>{i}</code><Copy text={i} what={t('instance id')} /></span>],
		]} />
		<Tabs value={tab} tabs={[['metrics', t('Metrics')], ['config', t('Configuration')], ['events', t('Events')]]} />
		<div role="tabpanel" id="tabpanel" aria-labelledby={'tab-' + tab} tabIndex={-1}>
			{tab === 'config' ? <Configuration service={s} instance={i} /> : tab === 'events' ? <Events service={s} instance={i} since={card.since} /> :
				<Metrics service={s} instance={i} />}
		</div>
	</>;
}

export function InstancePage(): JSX.Element {
	const [, service = '', instance = ''] = route.value;
	void shape.value;
	const card = cards.get(keyOf(service, instance))?.value;
	return <>
		<Head name={instance} up={[['/', t('Dashboard')], [at`/services/${service}`, service]]}>
			{card && <span class="badges"><StatusBadge card={card} />{card.leader && <LeaderBadge epoch={card.epoch} />}</span>}{card && <Share />}</Head>
		<Live>{() => card ? <Body key={instance} card={card} /> : <Gone service={service} instance={instance} />}</Live>
	</>;
}
