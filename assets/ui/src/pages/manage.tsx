// manage.tsx - definitions of services: the list, and one of them with its form and its history.
//
// Every change names the revision that it was made from.  When somebody else was faster, the three
// versions (where we began, theirs, ours) are shown side by side, and nothing is lost.
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { ApiError, call, path } from '../api';
import { plural, t, type Text } from '../i18n';
import { allCards, services } from '../live/live';
import { Age, When } from '../parts/age';
import { announce } from '../parts/announce';
import { StatusBadge } from '../parts/badge';
import { Diff, Head, Live, SortHead, sorted } from '../parts/bits';
import { Dialog } from '../parts/dialog';
import { Icon } from '../parts/icon';
import { Merge } from '../parts/merge';
import { Empty, Failed, Panel, Scroll, useLoad } from '../parts/states';
import { at, go, guardLeave, href, query, route } from '../router';
import { may } from '../session';
import type { Card, Definition, DefinitionVersion, Service } from '../types';

// --- the list -------------------------------------------------------------------------------------

function Table(): JSX.Element {
	const live = new Map<string, number>();
	for (const c of allCards.value)
		if (!c.stale)
			live.set(c.serviceName, (live.get(c.serviceName) ?? 0) + 1);
	const all = [...services.value.values()];
	if (all.length === 0)
		return <Empty title={t('No service is defined')} command="aegis registry put my-service.json">
			{t('A definition says who owns a service and what it is for. Services run without one, too.')}</Empty>;
	const list = sorted<Service>(all, (s, by) => by === 'live' ? live.get(s.service_name) ?? 0 : by === 'changed' ? s.updated_at :
		by === 'owner' ? s.owner : by === 'version' ? s.version : s.service_name, 'name');
	return <Scroll><table class="data">
		<thead><tr><SortHead by="name">{t('Service')}</SortHead><SortHead by="owner">{t('Owner')}</SortHead><th scope="col">{t('Description')}</th>
			<SortHead by="version" num>{t('Version')}</SortHead><SortHead by="live" num>{t('Live')}</SortHead><SortHead by="changed">{t('Changed')}</SortHead></tr></thead>
		<tbody>{list.map((s) => <tr key={s.service_name}>
			<th scope="row"><a data-walk href={href(at`/manage/${s.service_name}`)}>{s.service_name}</a></th><td>{s.owner}</td><td>{s.description}</td>
			<td class="num">{s.version}</td><td class="num"><a href={href(at`/services/${s.service_name}`)}>{live.get(s.service_name) ?? 0}</a></td><td><Age at={s.updated_at} /></td>
		</tr>)}</tbody></table></Scroll>;
}

// --- the form -------------------------------------------------------------------------------------

type Fields = { service_name: string; owner: string; description: string; version: string };
const EMPTY: Fields = { service_name: '', owner: '', description: '', version: '1.0.0' };
const LABELS: Record<string, Text> = { service_name: 'Name', owner: 'Owner', description: 'Description', version: 'Version' };
const HINTS: Record<string, Text> = {
	service_name: 'Letters, digits and hyphens; programs know it by this name.', owner: 'A team or a person, 1 to 100 characters.',
	description: 'What it is for, 1 to 500 characters.', version: 'Three numbers with dots.',
};
const KEYS = ['service_name', 'owner', 'description', 'version'] as const;
const fieldsOf = (d: Definition): Fields => ({ service_name: d.service_name, owner: d.owner, description: d.description, version: d.version });

function Field({ name, value, error, fixed, focus, onInput }: { name: keyof Fields; value: string; error: string | null; fixed: boolean; focus: boolean; onInput: (v: string) => void }): JSX.Element {
	const id = 'f-' + name;
	const common = { id, name, value, autoFocus: focus, 'aria-invalid': error !== null, 'aria-describedby': `${id}-h ${id}-e`, readOnly: fixed, spellcheck: name === 'description' };
	return <div class="field"><label for={id}>{t(LABELS[name] as Text)}</label>
		{name === 'description' ? <textarea {...common} rows={3} onInput={(e) => onInput(e.currentTarget.value)} /> : <input {...common} autoComplete="off" onInput={(e) => onInput(e.currentTarget.value)} />}
		<p class="hint" id={id + '-h'}>{t(HINTS[name] as Text)}</p><p class="field-error" id={id + '-e'}>{error}</p></div>;
}

interface FormProps {
	base: Fields;			// what the form began with
	etag: string | null;		// of which revision; null: a new one
	saved: (d: Definition, etag: string | null) => void;
}

function Form({ base, etag, saved }: FormProps): JSX.Element {
	const [mine, setMine] = useState(base);
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState<unknown>(null);
	const [theirs, setTheirs] = useState<{ fields: Fields; etag: string | null } | null>(null);
	const dirty = KEYS.some((k) => mine[k] !== base[k]);
	const isNew = etag === null;
	const writable = may('operator', isNew ? undefined : base.service_name);
	useLayoutEffect(() => {
		guardLeave(dirty ? () => Promise.resolve(confirm(t('Leave without saving?'))) : null);
		return () => guardLeave(null);
	}, [dirty]);

	const send = async (fields: Fields, match: string | null) => {
		setBusy(true);
		setError(null);
		const { service_name, ...rest } = fields;
		try {
			const a = isNew ? await call<Definition>('/api/services', { method: 'POST', body: fields }) :
				await call<Definition>(path`/api/services/${service_name}`, { method: 'PUT', body: rest, ifMatch: match });
			guardLeave(null);
			announce(t('Saved'));
			saved(a.data, a.etag);
		} catch (e) {
			if (!isNew && e instanceof ApiError && e.code === 'CONCURRENT_UPDATE') {
				const now = await call<Definition>(path`/api/services/${service_name}`).catch(() => null);
				setTheirs(now && { fields: fieldsOf(now.data), etag: now.etag });
			}
			setError(e);
			requestAnimationFrame(() => document.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
		}
		setBusy(false);
	};
	const problem = error instanceof ApiError ? error : null;
	const atField = (k: string) => problem?.field(k) ?? (k === 'service_name' && problem?.code === 'SERVICE_ALREADY_EXISTS' ? problem.message : null);
	const shownAtFields = KEYS.some((k) => atField(k) !== null);
	return <form class="card form" noValidate onSubmit={(e) => (e.preventDefault(), void send(mine, etag))}>
		{error !== null && !shownAtFields && theirs === null && <Failed error={error} />}
		{KEYS.map((k) => <Field key={k} name={k} value={mine[k]} fixed={!writable || (k === 'service_name' && !isNew)} error={atField(k)} focus={isNew && k === 'service_name'} onInput={(v) => setMine({ ...mine, [k]: v })} />)}
		{writable && <div class="actions"><button class="primary" disabled={busy || (!dirty && !isNew)}>{busy ? t('One moment…') : isNew ? t('Create') : t('Save')}</button>
			{dirty && !isNew && <button type="button" onClick={() => (setMine(base), setError(null))}>{t('Undo changes')}</button>}
			{isNew && <a class="button" href={href('/manage')}>{t('Cancel')}</a>}</div>}
		{theirs !== null && <Merge name={base.service_name} base={base} theirs={theirs.fields} mine={mine} keys={['owner', 'description', 'version']} labels={LABELS}
			onClose={() => setTheirs(null)} onSave={(merged) => {
				setTheirs(null);
				setMine(merged as Fields);
				void send(merged as Fields, theirs.etag);
			}} />}
	</form>;
}

// --- deleting -------------------------------------------------------------------------------------

function Delete({ name, etag, onClose }: { name: string; etag: string | null; onClose: () => void }): JSX.Element {
	const [typed, setTyped] = useState('');
	const [error, setError] = useState<unknown>(null);
	const live: Card[] = allCards.value.filter((c) => c.serviceName === name && !c.stale);
	const act = async () => {
		try {
			await call(path`/api/services/${name}`, { method: 'DELETE', ifMatch: etag });
			announce(t('{0} was deleted', name));
			void go('/manage');
		} catch (e) {
			setError(e);
		}
	};
	return <Dialog title={t('Delete {0}', name)} onClose={onClose}>
		{live.length === 0 ? <p>{t('No instance of it is running.')}</p> : <>
			<p class="note warning"><Icon name="warning" />{plural(live.length, '{0} instance is running. It goes on, without a definition.', '{0} instances are running. They go on, without a definition.')}</p>
			<ul class="list">{live.slice(0, 8).map((c) => <li key={c.instanceId}><StatusBadge card={c} /><code>{c.instanceId}</code></li>)}{live.length > 8 && <li>…</li>}</ul></>}
		<form class="stack" onSubmit={(e) => (e.preventDefault(), typed === name && void act())}>
			<div class="field"><label for="typed">{t('Type {0} to delete its definition', name)}</label>
				<input id="typed" value={typed} autoComplete="off" spellcheck={false} autoFocus onInput={(e) => setTyped(e.currentTarget.value)} /></div>
			{error !== null && <Failed error={error} />}
			<div class="actions"><button type="button" onClick={onClose}>{t('Cancel')}</button><button class="danger" disabled={typed !== name}>{t('Delete')}</button></div>
		</form>
	</Dialog>;
}

// --- history --------------------------------------------------------------------------------------

function History({ name, etag, revision, done }: { name: string; etag: string | null; revision: number; done: () => void }): JSX.Element {
	const load = useLoad<DefinitionVersion[]>(path`/api/services/${name}/history`);
	const [error, setError] = useState<unknown>(null);
	useEffect(load.reload, [revision]);
	const revert = async (to: number) => {
		setError(null);
		try {
			await call(path`/api/services/${name}/revert`, { method: 'POST', body: { revision: to }, ifMatch: etag });
			announce(t('Saved'));
			done();
		} catch (e) {
			setError(e);
		}
	};
	const pick = (d: Definition | null | undefined) => d && fieldsOf(d);
	return <section class="stack"><h2>{t('History')}</h2>
		{error !== null && <Failed error={error} />}
		<Panel load={load}>{(v) => <ol class="timeline">{v.map((x, i) => <li key={x.revision}><span class="badge standby">{x.revision}</span><div>
			{x.deleted || x.service === null ? <p>{t('deleted')}</p> : <Diff before={pick(v[i + 1]?.service)} after={pick(x.service)} />}
			<p class="hint row tight"><When at={x.at} />{i > 0 && x.service && may('operator', name) && <button type="button" class="plain" onClick={() => void revert(x.revision)}>{t('Go back to this')}</button>}</p>
		</div></li>)}</ol>}</Panel></section>;
}

// --- pages ----------------------------------------------------------------------------------------

function Edit({ name }: { name: string }): JSX.Element {
	const load = useLoad<Definition>(path`/api/services/${name}`);
	const [asking, setAsking] = useState(false);
	const live = services.value.get(name);
	const behind = live && load.etag !== null && load.etag !== `"${live.revision}"` && !load.loading;
	if (load.error instanceof ApiError && load.error.status === 404)
		return <Empty title={t('{0} is not defined', name)}>{may('operator') && <a class="button primary" href={href('/manage?new=' + encodeURIComponent(name))}>{t('Define it')}</a>}</Empty>;
	return <Panel load={load}>{(d) => <div class="columns">
		<div class="stack">
			{behind && <p class="note warning" role="status"><Icon name="warning" />{t('Somebody else changed it.')} <button type="button" class="plain" onClick={load.reload}>{t('Load it anew')}</button></p>}
			<Form key={load.etag} base={fieldsOf(d)} etag={load.etag} saved={(x, tag) => load.set(x, tag)} />
			<p class="row"><span class="hint">{t('Created')} <Age at={d.created_at} /></span>
				{may('operator', name) && <button type="button" class="plain trouble end" onClick={() => setAsking(true)}>{t('Delete…')}</button>}</p>
		</div>
		<History name={name} etag={load.etag} revision={live?.revision ?? 0} done={load.reload} />
		{asking && <Delete name={name} etag={load.etag} onClose={() => setAsking(false)} />}
	</div>}</Panel>;
}

export function ManagePage(): JSX.Element {
	const [, name] = route.value;
	const start = query('new');
	if (name !== undefined)
		return <><Head name={name} up={[['/manage', t('Definitions')]]}><span class="row end"><a class="button" href={href(at`/services/${name}`)}>{t('Instances')}</a>
			<a class="button" href={href(at`/config/${name}`)}>{t('Configuration')}</a></span></Head><Edit key={name} name={name} /></>;
	if (start !== '')
		return <><Head name={t('New definition')} up={[['/manage', t('Definitions')]]} />
			<div class="narrow"><Form base={{ ...EMPTY, service_name: start === '1' ? '' : start }} etag={null} saved={(d) => void go(at`/manage/${d.service_name}`, true)} /></div></>;
	return <><Head name={t('Definitions')}>{may('operator') && <a class="button primary end" href={href('/manage?new=1')}><Icon name="plus" />{t('New definition')}</a>}</Head>
		<Live>{() => <Table />}</Live></>;
}
