// config.tsx - the central document of a service's settings: edited row by row, as its schema says.
//
// It changes running instances, so it tells of each row whether it applies at once; a conflict is
// merged like that of a definition.
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { ApiError, call, path } from '../api';
import { plural, t } from '../i18n';
import { allCards, configChanged } from '../live/live';
import { When } from '../parts/age';
import { announce } from '../parts/announce';
import { Badge } from '../parts/badge';
import { Diff, Head, show } from '../parts/bits';
import { Icon } from '../parts/icon';
import { Merge } from '../parts/merge';
import { Empty, Failed, Panel, useLoad } from '../parts/states';
import { at, guardLeave, href, route } from '../router';
import { may } from '../session';
import type { Config, Json } from '../types';

interface Property {
	type?: string | string[];
	description?: string;
	enum?: string[];
	default?: Json;
	minimum?: number;
	maximum?: number;
	'x-applies'?: string;
}
type Schema = { properties?: { [key: string]: Property } };
type Rows = { [key: string]: string };		// each value as it is typed

const NOTHING = {};
const isText = (p: Property | undefined): boolean => p?.type === 'string' || p?.enum !== undefined;
const rowsOf = (doc: { [key: string]: Json }): Rows => Object.fromEntries(Object.entries(doc).map(([k, v]) => [k, show(v)]));

// parse: what was typed, as the schema means it; a sentence when it is nothing.
function parse(text: string, p: Property | undefined): { value: Json } | { why: string } {
	if (isText(p))
		return { value: text };
	try {
		return { value: JSON.parse(text) as Json };
	} catch {
		// Only what is no option may be a bare word.
		return p === undefined || (Array.isArray(p.type) && p.type.includes('string')) ? { value: text } :
			{ why: p.type === 'integer' ? t('This is not a number.') : t('This is not valid JSON.') };
	}
}

function Input({ k, p, value, fixed, wrong, onInput }: { k: string; p: Property | undefined; value: string; fixed: boolean; wrong: boolean; onInput: (v: string) => void }): JSX.Element {
	const common = { id: 'c-' + k, value, disabled: fixed, 'aria-invalid': wrong, 'aria-describedby': `c-${k}-h c-${k}-e` };
	const choices = p?.enum ?? (p?.type === 'boolean' ? ['true', 'false'] : null);
	if (choices !== null)
		return <select {...common} onChange={(e) => onInput(e.currentTarget.value)}>{choices.includes(value) ? null : <option>{value}</option>}{choices.map((c) => <option key={c}>{c}</option>)}</select>;
	if (p !== undefined && p.type !== 'object' && !Array.isArray(p.type))
		return <input {...common} inputMode={p.type === 'integer' ? 'numeric' : 'text'} spellcheck={false} autoComplete="off" onInput={(e) => onInput(e.currentTarget.value)} />;
	return <textarea {...common} class="mono" rows={Math.min(8, value.split('\n').length + 1)} spellcheck={false} onInput={(e) => onInput(e.currentTarget.value)} />;
}

function Editor({ service, doc, etag, schema, saved }: { service: string; doc: { [key: string]: Json }; etag: string | null; schema: Schema; saved: () => void }): JSX.Element {
	const base = rowsOf(doc);
	const [rows, setRows] = useState<Rows>(base);
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState<unknown>(null);
	const [local, setLocal] = useState<Rows>({});
	const [theirs, setTheirs] = useState<{ rows: Rows; etag: string | null } | null>(null);
	const props = schema.properties ?? {};
	const keys = [...new Set([...Object.keys(base), ...Object.keys(rows)])];
	const changed = keys.filter((k) => base[k] !== rows[k]);
	const writable = may('operator', service);
	useLayoutEffect(() => {
		guardLeave(changed.length > 0 ? () => Promise.resolve(confirm(t('Leave without saving?'))) : null);
		return () => guardLeave(null);
	}, [changed.length > 0]);

	const send = async (all: Rows, tag: string | null) => {
		const wrong: Rows = {}, settings: { [key: string]: Json } = {};
		for (const [k, text] of Object.entries(all)) {
			const r = parse(text, props[k]);
			if ('why' in r)
				wrong[k] = r.why;
			else
				settings[k] = r.value;
		}
		setLocal(wrong);
		setError(null);
		if (Object.keys(wrong).length > 0)
			return;
		setBusy(true);
		try {
			await call(path`/api/config/${service}`, { method: 'PUT', body: { settings }, ...(tag === null ? { ifNoneMatch: '*' } : { ifMatch: tag }) });
			announce(t('Saved'));
			saved();
		} catch (e) {
			if (e instanceof ApiError && e.status === 412) {
				const now = await call<Config>(path`/api/config/${service}`).catch(() => null);
				setTheirs(now && { rows: rowsOf(now.data.settings ?? {}), etag: now.etag });
			}
			setError(e);
		}
		setBusy(false);
	};
	const set = (k: string, v: string | null) => {
		const next = { ...rows };
		if (v === null)
			delete next[k];
		else
			next[k] = v;
		setRows(next);
	};
	const problem = error instanceof ApiError ? error : null;
	const why = (k: string) => local[k] ?? problem?.field(k) ?? null;
	const free = Object.keys(props).filter((k) => !(k in rows));
	const restart = changed.filter((k) => props[k]?.['x-applies'] === 'at restart');
	return <form class="card form" noValidate onSubmit={(e) => (e.preventDefault(), void send(rows, etag))}>
		{error !== null && theirs === null && !keys.some((k) => why(k)) && <Failed error={error} />}
		{keys.length === 0 && <p class="hint">{t('Nothing is set here: instances use their options and the defaults.')}</p>}
		{keys.map((k) => { const p = props[k]; return <div key={k} class={'field setting' + (k in rows ? '' : ' gone')}>
			<div class="row tight"><label for={'c-' + k}><code>{k}</code></label>{base[k] !== rows[k] && <Badge tone="draining">{k in rows ? t('changed') : t('removed')}</Badge>}
				{writable && <button type="button" class="plain end" onClick={() => set(k, k in rows ? null : base[k] ?? '')}>{k in rows ? t('Remove') : t('Keep')}</button>}</div>
			{k in rows && <Input k={k} p={p} value={rows[k] ?? ''} fixed={!writable} wrong={why(k) !== null} onInput={(v) => set(k, v)} />}
			<p class="hint" id={`c-${k}-h`}>{p?.description}{p?.default !== undefined && <> · {t('default')} <code>{show(p.default)}</code></>}
				{p?.['x-applies'] && <> · {p['x-applies'] === 'at restart' ? t('waits for a restart') : t('applies at once')}</>}</p>
			<p class="field-error" id={`c-${k}-e`}>{why(k)}</p></div>; })}
		{writable && free.length > 0 && <div class="field"><label for="add">{t('Add a setting')}</label>
			<select id="add" value="" onChange={(e) => { const k = e.currentTarget.value; e.currentTarget.value = ''; set(k, props[k]?.default === undefined ? k === 'workload' ? '{}' : '' : show(props[k]?.default)); }}>
				<option value="">{t('choose…')}</option>{free.map((k) => <option key={k} value={k}>{k}</option>)}</select></div>}
		{writable && <div class="actions"><button class="primary" disabled={busy || changed.length === 0}>{busy ? t('One moment…') : t('Save')}</button>
			{changed.length > 0 && <button type="button" onClick={() => (setRows(base), setError(null), setLocal({}))}>{t('Undo changes')}</button>}
			{restart.length > 0 && <span class="hint">{t('Waits for a restart: {0}', restart.join(', '))}</span>}</div>}
		{theirs !== null && <Merge name={service} base={base} theirs={theirs.rows} mine={rows} keys={[...new Set([...keys, ...Object.keys(theirs.rows)])]} labels={{}}
			onClose={() => setTheirs(null)} onSave={(merged) => {
				const next = Object.fromEntries(Object.entries(merged).filter(([, v]) => v !== ''));
				setTheirs(null);
				setRows(next);
				void send(next, theirs.etag);
			}} />}
	</form>;
}

function History({ service, turn, there }: { service: string; turn: number; there: boolean }): JSX.Element {
	const load = useLoad<Config[]>(there ? path`/api/config/${service}/history` : null);
	useEffect(load.reload, [turn]);
	return <section class="stack"><h2>{t('History')}</h2>
		{!there || (load.error instanceof ApiError && load.error.status === 404) ? <p class="hint">{t('Nothing yet.')}</p> :
			<Panel load={load}>{(v) => <ol class="timeline">{v.map((x, i) => <li key={x.revision}><span class="badge standby">{x.revision}</span><div>
				{x.deleted ? <p>{t('deleted')}</p> : x.unreadable ? <p>{x.unreadable}</p> : <Diff before={v[i + 1]?.settings} after={x.settings} />}
				<p class="hint"><When at={x.updated_at} />{x.updated_by && ` · ${x.updated_by}`}</p></div></li>)}</ol>}</Panel>}</section>;
}

function Body({ service }: { service: string }): JSX.Element {
	// Most services have none: those that have are listed, and what is not there is not asked for.
	const list = useLoad<Config[]>('/api/config');
	const told = configChanged.value, heard = told?.service === service ? told.revision : 0;
	const there = heard > 0 || (list.data?.some((c) => c.service === service) ?? false);
	const doc = useLoad<Config>(there ? path`/api/config/${service}` : null);
	const schema = useLoad<Schema>('/api/config-schema');
	const [turn, setTurn] = useState(0);
	const none = there ? doc.error instanceof ApiError && doc.error.status === 404 : list.data !== null;
	const behind = told?.service === service && doc.etag !== null && doc.etag !== `"${told.revision}"` && !doc.loading;
	const live = allCards.value.filter((c) => c.serviceName === service && !c.stale);
	return <div class="columns"><div class="stack">
		{behind && <p class="note warning" role="status"><Icon name="warning" />{t('Somebody else changed it.')} <button type="button" class="plain" onClick={doc.reload}>{t('Load it anew')}</button></p>}
		<p class="hint">{live.length === 0 ? t('No instance of it is running.') : plural(live.length, '{0} instance follows this document.', '{0} instances follow this document.')}</p>
		{doc.data?.unreadable && <p class="note warning"><Icon name="warning" />{doc.data.unreadable}</p>}
		<Panel load={schema}>{(s) => none || doc.data !== null ? <Editor key={none ? 'none' : doc.etag} service={service} doc={doc.data?.settings ?? NOTHING} etag={none ? null : doc.etag} schema={s}
			saved={() => (list.reload(), doc.reload(), setTurn(turn + 1))} /> : there ? <Panel load={doc}>{() => null}</Panel> : <Panel load={list}>{() => null}</Panel>}</Panel>
	</div><History service={service} turn={turn + heard} there={there} /></div>;
}

export function ConfigPage(): JSX.Element {
	const [, service] = route.value;
	if (service === undefined)
		return <Empty whole title={t('There is no such page')}><a href={href('/manage')}>{t('Definitions')}</a></Empty>;
	return <><Head name={t('Configuration of {0}', service)} up={[['/', t('Dashboard')], [at`/services/${service}`, service]]} /><Body key={service} service={service} /></>;
}
