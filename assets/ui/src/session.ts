// session.ts - who is looking, and what he may do.
import { signal } from '@preact/signals';
import { call, whenLoggedOut } from './api';
import { closeLive, openLive } from './live/live';
import { address, go, guarded, released, route } from './router';
import type { Role, Session } from './types';

export const session = signal<Session | null>(null);
export const asking = signal(true);		// the answer is not there yet
export const ended = signal(false);		// there was one, until the server said no
export const problem = signal<unknown>(null);	// it could not be asked

const RANK: Record<Role | 'metrics', number> = { metrics: -1, viewer: 0, operator: 1, admin: 2 };

// may: whether to offer something; the server decides again.
export function may(role: Role, service?: string): boolean {
	const s = session.value;
	return s !== null && !(s.read_only && role !== 'viewer') && RANK[s.role] >= RANK[role] &&
		(s.service === null || service === undefined || s.service === service);
}
export const isAdmin = (): boolean => session.value !== null && session.value.role === 'admin';

export async function askSession(): Promise<void> {
	asking.value = true;
	problem.value = null;
	try {
		entered((await call<Session>('/api/session', { quiet: true })).data);
	} catch (e) {
		if ((e as { status?: number }).status === 401)
			toLogin();
		else
			problem.value = e;
	}
	asking.value = false;
}

export function entered(s: Session): void {
	session.value = s;
	ended.value = false;
	openLive();
}

export async function leave(): Promise<void> {
	if (!(await released()))
		return;
	await call('/api/session', { method: 'DELETE', quiet: true }).catch(() => {});
	session.value = null;
	ended.value = false;
	closeLive();
	void go('/login');
}

// toLogin: unsaved work stays where it is; the shell asks for a token above it.
function toLogin(): void {
	ended.value ||= session.value !== null;
	closeLive();
	if (session.value !== null && guarded())
		return;
	session.value = null;
	if (route.value[0] !== 'login') {
		const { path, query } = address.value, text = query.toString();
		const from = path + (text === '' ? '' : '?' + text);
		void go(from === '/' ? '/login' : '/login?from=' + encodeURIComponent(from), true);
	}
}
whenLoggedOut(toLogin);
