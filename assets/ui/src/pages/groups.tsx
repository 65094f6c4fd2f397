// groups.tsx - groups of which one member leads: who, since when, under which epoch, and what is in the way.
import { useEffect, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { call, path } from '../api';
import { ms, NONE } from '../format';
import { plural, t, told, type Text } from '../i18n';
import { groups } from '../live/live';
import { keyOf } from '../live/state';
import { Age, When } from '../parts/age';
import { announce } from '../parts/announce';
import { Badge } from '../parts/badge';
import { Facts, Head, Live } from '../parts/bits';
import { Dialog } from '../parts/dialog';
import { Empty, Failed, Panel, Scroll, useLoad } from '../parts/states';
import { at, href, route } from '../router';
import { may } from '../session';
import type { Group, Member } from '../types';

// Why somebody could take the lead (election.md's words).
const REASONS: Record<string, Text> = {
	first: 'nobody had led before', released: 'the one before gave the lead back', expired: 'the lease of the one before ran out',
	self: 'it had led before and took the lead again',
};

const place = (g: Group): string => href(at`/groups/${g.service}/${g.group}`);

function State({ g }: { g: Group }): JSX.Element {
	if (g.leader === null)
		return <Badge tone="unhealthy">{t('No leader')}</Badge>;
	return g.obstacle !== null || g.warnings.length > 0 ? <Badge tone="warning">{t('Leads, with less in reserve')}</Badge> : <Badge tone="leader">{t('Has a leader')}</Badge>;
}

function MemberBadge({ m }: { m: Member }): JSX.Element {
	const tone = m.stale ? 'stale' : m.status === 'UNHEALTHY' ? 'unhealthy' : m.role === 'leader' ? 'leader' : m.role === 'electing' ? 'warning' : 'standby';
	return <Badge tone={tone}>{m.role === 'electing' && tone === 'warning' ? t('Electing') : undefined}</Badge>;
}

export function GroupTable({ groups: list }: { groups: Group[] }): JSX.Element {
	return <Scroll><table class="data">
		<thead><tr><th scope="col">{t('State')}</th><th scope="col">{t('Group')}</th><th scope="col">{t('Leader')}</th><th scope="col" class="num">{t('Epoch')}</th><th scope="col">{t('Since')}</th><th scope="col" class="num">{t('Members')}</th></tr></thead>
		<tbody>{list.map((g) => <tr key={keyOf(g.service, g.group)} class={g.leader === null ? 'is-unhealthy' : ''}>
			<td><State g={g} /></td>
			<th scope="row"><a data-walk href={place(g)}>{g.service}/{g.group}</a>{(g.obstacle ?? g.warnings[0]) && <p class="hint">{told(g.obstacle ?? g.warnings[0] ?? '')}</p>}</th>
			<td>{g.leader ? <a href={href(at`/services/${g.service}/${g.leader.instance}`)}><code>{g.leader.instance}</code></a> : NONE}</td>
			<td class="num">{g.leader?.epoch ?? NONE}</td><td>{g.leader?.since ? <Age at={g.leader.since} /> : NONE}</td><td class="num">{g.members.length}</td>
		</tr>)}</tbody></table></Scroll>;
}

export function GroupsPage(): JSX.Element {
	return <>
		<Head name={t('Leaders')} />
		<Live>{() => {
			const list = [...groups.value.values()].sort((a, b) => Number(a.leader !== null) - Number(b.leader !== null) ||
				(keyOf(a.service, a.group) < keyOf(b.service, b.group) ? -1 : 1));
			return list.length === 0 ? <Empty title={t('No group')} command="aegis run-service --single-active --name my-service -- ./my-program">
				{t('A group has one active member and others that wait. Start one:')}</Empty> : <GroupTable groups={list} />;
		}}</Live>
	</>;
}

// --- one group ----------------------------------------------------------------------------------------

function StepDown({ g, onClose }: { g: Group; onClose: () => void }): JSX.Element {
	const [to, setTo] = useState('');
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState<unknown>(null);
	const others = g.members.filter((m) => m.instance !== g.leader?.instance && m.status !== 'UNHEALTHY' && !m.stale);
	const act = async () => {
		setBusy(true);
		setError(null);
		try {
			const a = await call<Group>(path`/api/groups/${g.service}/${g.group}/step-down`, { method: 'POST', body: { to: to || null } });
			announce(a.data.leader ? t('{0} leads now', a.data.leader.instance) : t('The leader stepped down'));
			onClose();
		} catch (e) {
			setError(e);
			setBusy(false);
		}
	};
	return <Dialog title={t('Let {0} step down', g.leader?.instance ?? '')} onClose={onClose}>
		<p>{t('It finishes what it does and hands the lead over; calls wait meanwhile, usually well below a second.')}</p>
		<div class="field"><label for="to">{t('Who is to lead')}</label>
			<select id="to" value={to} onChange={(e) => setTo(e.currentTarget.value)}><option value="">{t('whoever is first')}</option>
				{others.map((m) => <option key={m.instance} value={m.instance}>{m.instance}</option>)}</select></div>
		{others.length === 0 && <p class="note warning">{t('Nobody else could lead at the moment.')}</p>}
		{error !== null && <Failed error={error} />}
		<div class="actions"><button type="button" onClick={onClose}>{t('Cancel')}</button>
			<button type="button" class="danger" disabled={busy} onClick={() => void act()}>{busy ? t('One moment…') : t('Step down')}</button></div>
	</Dialog>;
}

function Detail({ live, asking, setAsking }: { live: Group; asking: boolean; setAsking: (on: boolean) => void }): JSX.Element {
	const load = useLoad<Group>(path`/api/groups/${live.service}/${live.group}`);
	useEffect(load.reload, [live]);
	return <div class="stack">
		{live.obstacle && <p class="note unhealthy">{told(live.obstacle)}</p>}
		{live.warnings.map((w) => <p key={w} class="note warning">{told(w)}</p>)}
		<Facts rows={[
			[t('Leader'), live.leader ? <a href={href(at`/services/${live.service}/${live.leader.instance}`)}>{live.leader.instance}</a> : t('nobody')],
			[t('Epoch'), live.leader ? String(live.leader.epoch) : null], [t('Since'), live.leader?.since ? <Age at={live.leader.since} /> : null],
			[t('Profile'), live.profile], [t('Lease'), live.lease_ms === null ? null : ms(live.lease_ms)],
		]} />
		<section class="stack"><h2>{t('Members')}</h2><Scroll><table class="data"><thead><tr><th scope="col">{t('Role')}</th><th scope="col">{t('Instance')}</th></tr></thead>
			<tbody>{live.members.map((m) => <tr key={m.instance}><td><MemberBadge m={m} /></td><th scope="row"><a data-walk href={href(at`/services/${live.service}/${m.instance}`)}><code>{m.instance}</code></a></th></tr>)}</tbody></table></Scroll></section>
		<Panel load={load}>{(g) => <>
			{g.registers && <section class="stack"><h2>{t('Registers')}</h2><Scroll><table class="data">
				<thead><tr><th scope="col" class="num">{t('Number')}</th><th scope="col">{t('Node')}</th><th scope="col">{t('State')}</th><th scope="col">{t('Held by')}</th><th scope="col" class="num">{t('Epoch')}</th><th scope="col" class="num">{t('Age')}</th></tr></thead>
				<tbody>{g.registers.map((r) => <tr key={r.number}><td class="num">{r.number}</td><th scope="row">{r.node ?? NONE}</th>
					<td>{r.reached ? <Badge tone={r.state === 'held' ? 'active' : 'standby'}>{told(r.state)}</Badge> : <Badge tone="unhealthy">{t('not reached')}</Badge>}{r.problem && <p class="hint">{r.problem}</p>}</td>
					<td><code>{r.owner ?? NONE}</code></td><td class="num">{r.reached ? r.epoch : NONE}</td><td class="num">{r.reached ? ms(r.age_ms) : NONE}</td></tr>)}</tbody></table></Scroll></section>}
			{g.changes && <section class="stack"><h2>{t('History')}</h2>{g.changes.length === 0 ? <p class="hint">{t('No change was seen yet; {0}.', plural(live.members.length, '{0} member', '{0} members'))}</p> :
				<ol class="timeline">{g.changes.map((c, i) => <li key={i}><Badge tone="leader">e{c.epoch}</Badge><div><p><code>{c.instance}</code> <span class="hint">{REASONS[c.reason] ? t(REASONS[c.reason] as Text) : c.reason}</span></p>{c.at && <p class="hint"><When at={c.at} /></p>}</div></li>)}</ol>}</section>}
		</>}</Panel>
		{asking && <StepDown g={live} onClose={() => setAsking(false)} />}
	</div>;
}

export function GroupPage(): JSX.Element {
	const [, service = '', group = ''] = route.value;
	const g = groups.value.get(keyOf(service, group));
	const [asking, setAsking] = useState(false);
	return <>
		<Head name={`${service}/${group}`} up={[['/groups', t('Leaders')]]}>{g && <State g={g} />}{g?.leader && may('operator', service) && <button type="button" class="end" onClick={() => setAsking(true)}>{t('Step down…')}</button>}</Head>
		<Live>{() => g ? <Detail key={keyOf(service, group)} live={g} asking={asking} setAsking={setAsking} /> : <Empty title={t('There is no such group')}><a href={href('/groups')}>{t('All groups')}</a></Empty>}</Live>
	</>;
}
