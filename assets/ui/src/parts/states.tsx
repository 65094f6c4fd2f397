// states.tsx - what a panel shows while it has nothing to show: loading, empty, failed.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ComponentChildren, JSX } from 'preact';
import { ApiError, call } from '../api';
import { t, told } from '../i18n';
import { Copy } from './copy';
import { Icon } from './icon';

// Grey shapes of the right size, but only when it takes longer than an eye notices.
export function Skeleton({ lines = 3, cards = 0 }: { lines?: number; cards?: number }): JSX.Element {
	const [late, setLate] = useState(false);
	useEffect(() => {
		const timer = setTimeout(() => setLate(true), 150);
		return () => clearTimeout(timer);
	}, []);
	const n = cards || lines;
	return <div class={(cards ? 'grid ' : 'stack ') + (late ? 'skeleton late' : 'skeleton')} aria-busy="true">
		<span class="sr">{t('Loading…')}</span>
		{Array.from({ length: n }, (_, i) => <div key={i} class={cards ? 'card bone' : 'bone line'} aria-hidden="true" />)}
	</div>;
}

// whole: it is all that the page has, so its words are the page's heading.
export function Empty({ title, children, command, whole }: { title: string; children?: ComponentChildren; command?: string; whole?: boolean }): JSX.Element {
	return <div class="empty">
		<svg class="empty-art" viewBox="0 0 96 64" aria-hidden="true"><rect x="8" y="10" width="80" height="44" rx="8" /><path d="M20 26h26M20 36h40" /><circle cx="72" cy="28" r="7" /></svg>
		{whole ? <h1 tabIndex={-1}>{title}</h1> : <h2>{title}</h2>}
		{children && <p>{children}</p>}
		{command && <p class="command"><code>{command}</code><Copy text={command} what={t('command')} /></p>}
	</div>;
}

export function Failed({ error, retry }: { error: unknown; retry?: () => void }): JSX.Element {
	const e = error instanceof ApiError ? error : null;
	const id = e?.problem?.request_id;
	return <div class="failed" role="alert">
		<Icon name="warning" />
		<div>
			<h2>{e?.status === 401 ? t('Your session has ended') : e?.status === 403 ? t('Not allowed') : e?.status === 404 ? t('Not found') :
				e?.status === 504 ? t('No answer in time') : e?.status === 503 || e?.status === 0 ? t('Not available at the moment') : t('That did not work')}</h2>
			{e?.status !== 401 && <p>{told(error instanceof Error ? error.message : String(error))}</p>}
			{id && <p class="hint">{t('Request')} <code>{id}</code></p>}
			{retry && <button type="button" onClick={retry}>{t('Try again')}</button>}
		</div>
	</div>;
}

export interface Loaded<T> {
	data: T | null;
	etag: string | null;
	next: string | null;
	error: unknown;
	loading: boolean;
	reload: () => void;
	set: (data: T, etag?: string | null) => void;
}

// Scroll: a wide table in a narrow window; the keyboard reaches it when there is something to scroll.
export function Scroll({ children }: { children: ComponentChildren }): JSX.Element {
	const ref = useRef<HTMLDivElement>(null);
	const [wide, setWide] = useState(false);
	useEffect(() => {
		const el = ref.current as HTMLElement;
		const size = new ResizeObserver(() => setWide(el.scrollWidth > el.clientWidth));
		size.observe(el);
		return () => size.disconnect();
	}, []);
	return <div ref={ref} class="scroll" {...(wide ? { tabIndex: 0, role: 'region', 'aria-label': t('Table') } : {})}>{children}</div>;
}

// useLoad(path): what the API answers there; the old answer stays while a new one is fetched, and
// while there is an error the old answer stays as well.
export function useLoad<T>(path: string | null, every = 0): Loaded<T> {
	const [s, setS] = useState<{ path: string | null; data: T | null; etag: string | null; next: string | null; error: unknown; loading: boolean }>(
		{ path, data: null, etag: null, next: null, error: null, loading: path !== null });
	const [turn, setTurn] = useState(0);
	useEffect(() => {
		if (path === null)
			return;
		const abort = new AbortController();
		setS((old) => old.path === path ? { ...old, loading: true } : { path, data: null, etag: null, next: null, error: null, loading: true });
		call<T>(path, { signal: abort.signal }).then(
			(a) => setS({ path, data: a.data, etag: a.etag, next: a.next, error: null, loading: false }),
			(error: unknown) => abort.signal.aborted || setS((old) => ({ ...old, error, loading: false })));
		const timer = every > 0 ? setTimeout(() => setTurn((n) => n + 1), every) : undefined;
		return () => {
			abort.abort();
			clearTimeout(timer);
		};
	}, [path, turn, every]);
	const current = s.path === path;
	return {
		data: current ? s.data : null, etag: current ? s.etag : null, next: current ? s.next : null,
		error: current ? s.error : null, loading: !current || s.loading,
		reload: () => setTurn((n) => n + 1),
		set: (data, etag) => setS((old) => ({ ...old, path, data, etag: etag === undefined ? old.etag : etag, error: null })),
	};
}

// Panel: the three states of what was loaded, and the thing itself.
export function Panel<T>({ load, children, lines }: { load: Loaded<T>; children: (data: T) => ComponentChildren; lines?: number }): JSX.Element {
	if (load.data !== null)
		return <>{load.error !== null && <Failed error={load.error} retry={load.reload} />}{children(load.data)}</>;
	return load.error !== null ? <Failed error={load.error} retry={load.reload} /> : <Skeleton lines={lines ?? 4} />;
}
