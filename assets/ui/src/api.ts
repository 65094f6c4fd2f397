// api.ts - calls of the documented API, as the page makes them.
//
// Every answer that is not 2xx becomes an ApiError with the problem's own words; a network that fails
// becomes one with status 0.  A 401 is told to whoever listens (onLogout): the credential is gone.
import type { Problem } from './types';

export const base = (() => {
	const given = document.querySelector<HTMLMetaElement>('meta[name=base]')?.content ?? '/';
	return given.endsWith('/') ? given.slice(0, -1) : given;
})();

export class ApiError extends Error {
	constructor(readonly status: number, message: string, readonly problem: Problem | null = null) {
		super(message);
	}
	get code(): string {
		return this.problem?.error?.code ?? '';
	}
	// The sentence for one member of what was sent, by its name.
	field(name: string): string | null {
		for (const e of this.problem?.errors ?? [])
			if (e.pointer === '/' + name || e.pointer === '/settings/' + name)
				return e.detail;
		const d = this.problem?.error?.details as
		    { errors?: { field: string; message: string }[]; field?: string } | null | undefined;
		for (const e of d?.errors ?? [])
			if (e.field === 'body.' + name || e.field === 'body.settings/' + name || e.field === name)
				return e.message;
		return d?.field === name ? this.message : null;
	}
}

export interface Answer<T> {
	data: T;
	etag: string | null;
	next: string | null;		// the address of the next page of a list
}

export interface CallOptions {
	method?: string;
	body?: unknown;
	ifMatch?: string | null;
	ifNoneMatch?: string;
	signal?: AbortSignal;
	quiet?: boolean;		// a 401 is the caller's own business
}

let onLogout: () => void = () => {};
export function whenLoggedOut(f: () => void): void {
	onLogout = f;
}

function sentence(status: number, p: Problem | null): string {
	return p?.detail ?? p?.error?.message ?? p?.title ?? `HTTP ${status}`;
}

export async function call<T>(path: string, o: CallOptions = {}): Promise<Answer<T>> {
	const headers: Record<string, string> = { Accept: 'application/json' };
	if (o.body !== undefined || (o.method ?? 'GET') !== 'GET')
		headers['Content-Type'] = 'application/json';
	if (o.ifMatch)
		headers['If-Match'] = o.ifMatch;
	if (o.ifNoneMatch)
		headers['If-None-Match'] = o.ifNoneMatch;
	let r: Response;
	try {
		r = await fetch(base + path, { method: o.method ?? 'GET', headers, signal: o.signal ?? null,
			body: o.body === undefined ? null : JSON.stringify(o.body), credentials: 'same-origin' });
	} catch (e) {
		if (o.signal?.aborted)
			throw e;
		throw new ApiError(0, 'The server does not answer.');
	}
	const text = await r.text();
	let data: unknown = null;
	try {
		data = text === '' ? null : JSON.parse(text);
	} catch {
		throw new ApiError(r.status, `The server answered ${r.status} with something else than JSON.`);
	}
	if (!r.ok) {
		if (r.status === 401 && !o.quiet)
			onLogout();
		throw new ApiError(r.status, sentence(r.status, data as Problem | null), data as Problem | null);
	}
	const next = /<([^>]*)>;\s*rel="next"/.exec(r.headers.get('Link') ?? '');
	return { data: data as T, etag: r.headers.get('ETag'), next: next?.[1] ?? null };
}

// path`/api/services/${name}`: each value one segment, whatever it holds.
export function path(parts: TemplateStringsArray, ...values: string[]): string {
	return parts.reduce((all, p, i) => all + encodeURIComponent(values[i - 1] ?? '') + p);
}
