// login.tsx - lets somebody in: by a pasted token, or by the one-time code in the address's fragment,
// which never reaches a server's log.
import { useEffect, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { ApiError, call } from '../api';
import { t } from '../i18n';
import { Copy } from '../parts/copy';
import { title } from '../parts/shell';
import { go, query } from '../router';
import { entered } from '../session';
import type { Session } from '../types';

function takeCode(): string | null {
	const code = new URLSearchParams(location.hash.slice(1)).get('code');
	if (code !== null)
		history.replaceState(history.state, '', location.pathname + location.search);
	return code;
}

export function Login(): JSX.Element {
	const [token, setToken] = useState('');
	const [busy, setBusy] = useState(false);
	const [wrong, setWrong] = useState<string | null>(null);
	title(t('Log in'));

	const enter = async (body: { token: string } | { code: string }) => {
		setBusy(true);
		setWrong(null);
		try {
			const s = (await call<Session>('/api/session', { method: 'POST', body, quiet: true })).data;
			const from = query('from');
			entered(s);
			void go(from.startsWith('/') && !from.startsWith('//') ? from : '/', true);
		} catch (e) {
			const status = e instanceof ApiError ? e.status : 0;
			setWrong(status === 401 ? 'code' in body ? t('This link was used before, or is too old. Make a new one.') :
				t('This token is not known here, or it has expired.') :
				status === 429 ? t('Too many attempts; wait a little.') : (e as Error).message);
			setBusy(false);
		}
	};
	useEffect(() => {
		const code = takeCode();
		if (code !== null)
			void enter({ code });
	}, []);

	return <section class="login card">
		<h1 tabIndex={-1}>{t('Log in')}</h1>
		<p class="lead">{t('Paste a token. It is traded for a cookie that ends after half an hour without use.')}</p>
		<form onSubmit={(e) => (e.preventDefault(), void enter({ token: token.trim() }))}>
			<label for="token">{t('Token')}</label>
			<input id="token" name="token" type="password" autoComplete="current-password" required spellcheck={false}
			    placeholder="aeg_…" value={token} autoFocus aria-describedby="wrong" aria-invalid={wrong !== null}
			    onInput={(e) => setToken(e.currentTarget.value)} />
			<p id="wrong" class="field-error" role="alert">{wrong}</p>
			<button class="primary" disabled={busy}>{busy ? t('One moment…') : t('Log in')}</button>
		</form>
		<div class="login-help">
			<p>{t('No token yet? Somebody with access to NATS makes one:')}</p>
			<p class="command"><code>aegis token create --role viewer</code><Copy text="aegis token create --role viewer" what={t('command')} /></p>
			{!isSecureContext && <p class="hint">{t('This page came over plain HTTP: what you paste can be read on the way. Start the server with --http-tls-cert and --http-tls-key.')}</p>}
		</div>
	</section>;
}
