// audit.tsx - who changed what, newest first.
import { useEffect, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { call } from '../api';
import { t } from '../i18n';
import { When } from '../parts/age';
import { Diff, Head } from '../parts/bits';
import { Empty, Failed, Panel, useLoad } from '../parts/states';
import { query, setQuery } from '../router';
import type { AuditRecord } from '../types';

function Row({ r }: { r: AuditRecord }): JSX.Element {
	const [open, setOpen] = useState(false);
	return <li><details onToggle={(e) => setOpen(e.currentTarget.open)}>
		<summary data-walk><span class="audit-what"><strong>{r.action}</strong> {r.target}</span><span class="hint">{[r.actor.name ?? '–', r.actor.role ?? r.actor.id].filter(Boolean).join(' · ')}</span><span class="hint end"><When at={r.at} /></span></summary>
		{open && <div class="audit-more"><Diff before={r.before} after={r.after} />
			<p class="hint">{t('Revision')} {r.before_revision ?? '–'} → {r.after_revision ?? '–'} · {t('Request')} <code>{r.request_id}</code> · {r.peer}</p></div>}
	</details></li>;
}

export function AuditPage(): JSX.Element {
	const service = query('service'), actor = query('actor');
	const q = new URLSearchParams({ limit: '50', ...(service && { service }), ...(actor && { actor }) });
	const address = '/api/audit?' + q.toString();
	const load = useLoad<AuditRecord[]>(address);
	const [more, setMore] = useState<{ rows: AuditRecord[]; next: string | null } | null>(null);
	const [error, setError] = useState<unknown>(null);
	useEffect(() => setMore(null), [address]);
	const next = more === null ? load.next : more.next;
	const older = async () => {
		setError(null);
		try {
			const u = new URL(next ?? '', location.href);
			const a = await call<AuditRecord[]>('/api/audit' + u.search);
			setMore({ rows: [...(more?.rows ?? []), ...a.data], next: a.next });
		} catch (e) {
			setError(e);
		}
	};
	return <>
		<Head name={t('Audit')} />
		<form class="filters" role="search" onSubmit={(e) => { e.preventDefault(); const f = new FormData(e.currentTarget); setQuery({ service: String(f.get('service')), actor: String(f.get('actor')) }); }}>
			<label class="choice"><span>{t('Service')}</span><input type="search" name="service" value={service} autoComplete="off" /></label>
			<label class="choice"><span>{t('Who')}</span><input type="search" name="actor" value={actor} autoComplete="off" /></label>
			<button>{t('Search')}</button></form>
		<Panel load={load} lines={8}>{(v) => v.length === 0 ? <Empty title={t('Nothing was changed')}>{t('Every change by API, command line or page leaves a record here.')}</Empty> : <>
			<ol class="audit">{[...v, ...(more?.rows ?? [])].map((r) => <Row key={r.seq} r={r} />)}</ol>
			{error !== null && <Failed error={error} />}
			{next && <p class="actions"><button type="button" onClick={() => void older()}>{t('Older ones')}</button></p>}</>}</Panel>
	</>;
}
