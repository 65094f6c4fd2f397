// login.tsx - lets somebody in: by a pasted token, or by the one-time code in the address's fragment,
// which never reaches a server's log.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { ApiError, call } from '../api';
import { t, told } from '../i18n';
import { Copy } from '../parts/copy';
import { title } from '../parts/shell';
import { go, query } from '../router';
import { ended, entered } from '../session';
import type { Session } from '../types';

function takeCode(): string | null {
	const code = new URLSearchParams(location.hash.slice(1)).get('code');
	if (code !== null)
		history.replaceState(history.state, '', location.pathname + location.search);
	return code;
}

// LoginForm: what asks; `done` when somebody was let in.
export function LoginForm({ done }: { done: () => void }): JSX.Element {
	const [token, setToken] = useState('');
	const [busy, setBusy] = useState(false);
	const [wrong, setWrong] = useState<string | null>(null);

	const enter = async (body: { token: string } | { code: string }) => {
		setBusy(true);
		setWrong(null);
		try {
			const s = (await call<Session>('/api/session', { method: 'POST', body, quiet: true })).data;
			entered(s);
			done();
		} catch (e) {
			const status = e instanceof ApiError ? e.status : 0;
			setWrong(status === 401 ? 'code' in body ? t('This link was already used or has expired. Create a new one.') :
				t('This token is unknown here or has expired.') :
				status === 429 ? t('Too many attempts; wait a little.') : told((e as Error).message));
			setBusy(false);
		}
	};
	const input = useRef<HTMLInputElement>(null);
	useEffect(() => {
		input.current?.focus();
		// A link that is opened where the login is already shown changes the fragment alone.
		const take = () => {
			const code = takeCode();
			if (code !== null)
				void enter({ code });
		};
		take();
		addEventListener('hashchange', take);
		return () => removeEventListener('hashchange', take);
	}, []);

	return <form class="login-form" onSubmit={(e) => (e.preventDefault(), void enter({ token: token.trim() }))}>
		<label for="token">{t('Token')}</label>
		<input ref={input} autoFocus id="token" name="token" type="password" autoComplete="current-password" required spellcheck={false}
		    placeholder="aeg_…" value={token} aria-describedby="wrong" aria-invalid={wrong !== null}
		    onInput={(e) => setToken(e.currentTarget.value)} />
		<p id="wrong" class="field-error" role="alert">{wrong}</p>
		<button class="primary" disabled={busy}>{busy ? t('One moment…') : t('Log in')}</button>
	</form>;
}

export function Login(): JSX.Element {
	title(t('Log in'));
	const done = () => {
		const from = query('from');
		void go(from.startsWith('/') && !from.startsWith('//') ? from : '/', true);
	};
	return <section class="login card">
		<h1 tabIndex={-1}>{t('Log in')}</h1>
		{ended.value && <p class="note warning" role="status">{t('Your session has ended. Log in again to go on.')}</p>}
		<p class="lead">{t('Paste a token. It is exchanged for a cookie that ends after half an hour without use.')}</p>
		<LoginForm done={done} />
		<div class="login-help">
			<p>{t('No token yet? Anyone with access to NATS can create one:')}</p>
			<p class="command"><code>aegis token create --role viewer</code><Copy text="aegis token create --role viewer" what={t('command')} /></p>
			{!isSecureContext && <p class="hint">{t('This page came over plain HTTP: what you paste can be read on the way. Start the server with --http-tls-cert and --http-tls-key.')}</p>}
		</div>
	</section>;
}
