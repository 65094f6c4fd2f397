// tokens.tsx - who may come in: credentials of the API.  A new one is shown once; only its hash is kept.
import { useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { ApiError, call, path } from '../api';
import { NONE } from '../format';
import { t, type Text } from '../i18n';
import { services } from '../live/live';
import { Age, When } from '../parts/age';
import { announce } from '../parts/announce';
import { Head } from '../parts/bits';
import { Copy } from '../parts/copy';
import { Dialog } from '../parts/dialog';
import { Icon } from '../parts/icon';
import { Empty, Failed, Panel, Scroll, useLoad } from '../parts/states';
import { may } from '../session';
import type { Token } from '../types';

const ROLES: Record<string, Text> = { viewer: 'viewer: looks', operator: 'operator: changes', admin: 'admin: lets others in', metrics: 'metrics: reads /metrics' };
const DAY = 86400;
const LIVES: [string, Text][] = [['30', '30 days'], ['90', '90 days'], ['365', '1 year'], ['', 'does not expire']];

function Create({ onClose, made }: { onClose: () => void; made: () => void }): JSX.Element {
	const [f, setF] = useState({ name: '', role: 'viewer', days: '90', service: '' });
	const [token, setToken] = useState<Token | null>(null);
	const [error, setError] = useState<unknown>(null);
	const send = async () => {
		setError(null);
		try {
			const a = await call<Token>('/api/tokens', { method: 'POST', body: { name: f.name, role: f.role,
				ttl_seconds: f.days === '' ? null : Number(f.days) * DAY, service: f.service || null } });
			setToken(a.data);
			announce(t('The token was created; copy it now'));
			made();
		} catch (e) {
			setError(e);
		}
	};
	const wrong = error instanceof ApiError ? error.field('name') : null;
	if (token !== null)
		return <Dialog title={t('Token {0}', token.name)} onClose={onClose}>
			<p class="note warning"><Icon name="warning" />{t('Copy it now: it is shown only this once and cannot be looked up later.')}</p>
			<p class="command"><code>{token.token}</code><Copy text={token.token ?? ''} what={t('Token')} /></p>
			<div class="actions"><button type="button" class="primary" onClick={onClose}>{t('Done')}</button></div></Dialog>;
	return <Dialog title={t('New token')} onClose={onClose}><form class="stack" onSubmit={(e) => (e.preventDefault(), void send())}>
		<div class="field"><label for="t-name">{t('Name')}</label><input id="t-name" value={f.name} autoFocus autoComplete="off" required maxLength={64} aria-invalid={wrong !== null} aria-describedby="t-name-e"
			onInput={(e) => setF({ ...f, name: e.currentTarget.value })} /><p class="field-error" id="t-name-e">{wrong}</p></div>
		<div class="field"><label for="t-role">{t('Role')}</label><select id="t-role" value={f.role} onChange={(e) => setF({ ...f, role: e.currentTarget.value })}>{Object.entries(ROLES).map(([r, w]) => <option key={r} value={r}>{t(w)}</option>)}</select></div>
		<div class="field"><label for="t-life">{t('Valid for')}</label><select id="t-life" value={f.days} onChange={(e) => setF({ ...f, days: e.currentTarget.value })}>{LIVES.map(([d, w]) => <option key={d} value={d}>{t(w)}</option>)}</select></div>
		<div class="field"><label for="t-service">{t('Only for the service')}</label><input id="t-service" list="t-services" value={f.service} autoComplete="off" placeholder={t('all services')} onInput={(e) => setF({ ...f, service: e.currentTarget.value })} />
			<datalist id="t-services">{[...services.value.keys()].map((s) => <option key={s} value={s} />)}</datalist></div>
		{error !== null && wrong === null && <Failed error={error} />}
		<div class="actions"><button type="button" onClick={onClose}>{t('Cancel')}</button><button class="primary">{t('Create')}</button></div>
	</form></Dialog>;
}

function Revoke({ token, onClose, done }: { token: Token; onClose: () => void; done: () => void }): JSX.Element {
	const [error, setError] = useState<unknown>(null);
	const act = async () => {
		try {
			// The tag of what is to go is asked for just now: nobody can change a token, only revoke it first.
			const now = await call<Token>(path`/api/tokens/${token.id}`);
			await call(path`/api/tokens/${token.id}`, { method: 'DELETE', ifMatch: now.etag });
			announce(t('{0} was revoked', token.name));
			done();
		} catch (e) {
			setError(e);
		}
	};
	return <Dialog title={t('Revoke {0}', token.name)} onClose={onClose}>
		<p>{t('Whoever uses it is locked out within a second, on every replica.')}</p>{error !== null && <Failed error={error} />}
		<div class="actions"><button type="button" onClick={onClose}>{t('Cancel')}</button><button type="button" class="danger" onClick={() => void act()}>{t('Revoke')}</button></div></Dialog>;
}

export function TokensPage(): JSX.Element {
	const load = useLoad<Token[]>('/api/tokens');
	const [making, setMaking] = useState(false);
	const [going, setGoing] = useState<Token | null>(null);
	return <>
		<Head name={t('Tokens')}>{may('admin') && <button type="button" class="primary end" onClick={() => setMaking(true)}><Icon name="plus" />{t('New token')}</button>}</Head>
		<Panel load={load}>{(v) => v.length === 0 ? <Empty title={t('No token')} command="aegis token create --role viewer" /> : <Scroll><table class="data">
			<thead><tr><th scope="col">{t('Name')}</th><th scope="col">{t('Role')}</th><th scope="col">{t('Service')}</th><th scope="col">{t('Begins with')}</th><th scope="col">{t('Created')}</th><th scope="col">{t('Expires')}</th><th scope="col">{t('Last used')}</th><td /></tr></thead>
			<tbody>{v.map((x) => <tr key={x.id}><th scope="row">{x.name}</th><td>{x.role}</td><td>{x.service ?? t('all')}</td><td>{x.prefix ? <code>{x.prefix}…</code> : t('login link')}</td>
				<td><Age at={x.created_at} />{x.created_by && <span class="hint"> · {x.created_by}</span>}</td><td>{x.expires_at ? <When at={x.expires_at} /> : t('never')}</td><td>{x.last_used_at ? <Age at={x.last_used_at} /> : NONE}</td>
				<td>{may('admin') && <button type="button" class="plain" aria-label={t('Revoke {0}', x.name)} onClick={() => setGoing(x)}>{t('Revoke')}</button>}</td></tr>)}</tbody></table></Scroll>}</Panel>
		{making && <Create onClose={() => setMaking(false)} made={load.reload} />}
		{going && <Revoke token={going} onClose={() => setGoing(null)} done={() => (setGoing(null), load.reload())} />}
	</>;
}
