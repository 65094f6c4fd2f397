// live.ts - what the stream tells, as signals that the page draws from.
//
// Every card and every set of figures is a signal of its own, so that an update of one instance draws
// one card.  What decides which cards are shown, and where, is counted in `shape`.  Events that come
// together are applied together, once a frame.
import { batch, computed, signal, type Signal } from '@preact/signals';
import { base, call } from '../api';
import type { Card, Figures, Gone, Group, Overview, Service } from '../types';
import type { Link } from './feed';
import { cardKey, stateOf, type Event, type State } from './state';
import type { FromWorker, ToWorker } from './worker';

export const cards = new Map<string, Signal<Card>>();
const figures = new Map<string, Signal<Figures | null>>();
export const shape = signal(0);		// grows when a card comes, goes, or changes how bad it is
export const services = signal<ReadonlyMap<string, Service>>(new Map());
export const groups = signal<ReadonlyMap<string, Group>>(new Map());
export const overview = signal<Overview | null>(null);
export const goneNow = signal<ReadonlyMap<string, Gone>>(new Map());
export const configChanged = signal<{ service: string; revision: number } | null>(null);

export const link = signal<Link>({ state: 'connecting' });
export const heardAt = signal(0);
export const loaded = signal(false);	// a first snapshot is there
export const paused = signal(false);
export const now = signal(Date.now());	// by the server's clock; ticks once a second
let ahead = 0;				// of it, to ours
export const asOf = signal('');		// when the server made the snapshot

export function figuresOf(key: string): Signal<Figures | null> {
	let f = figures.get(key);
	if (f === undefined)
		figures.set(key, f = signal<Figures | null>(null));
	return f;
}

// trouble: how bad an instance is; smaller is worse.  Only a change of it moves a card.
export function trouble(c: Card): number {
	return c.status === 'UNHEALTHY' && !c.stale ? 0 : c.stale ? 1 : c.metadata['draining'] ? 2 : 3;
}

const face = (c: Card): string => `${trouble(c)}${c.status}${c.leader}${c.version}${c.stickyActiveGroup}`;

function putCard(key: string, c: Card): boolean {
	const s = cards.get(key);
	if (s === undefined) {
		cards.set(key, signal(c));
		return true;
	}
	const moved = face(s.peek()) !== face(c);
	s.value = c;
	return moved;
}

function putState(s: State): void {
	for (const key of [...cards.keys()])
		if (!s.instances.has(key))
			cards.delete(key);
	for (const [key, c] of s.instances)
		putCard(key, c);
	for (const [key, f] of figures)
		f.value = s.metrics.get(key) ?? null;
	for (const [key, f] of s.metrics)
		figuresOf(key).value = f;
	services.value = new Map(s.services);
	groups.value = new Map(s.groups);
	goneNow.value = new Map(s.gone);
	overview.value = s.overview;
	asOf.value = s.asOf;
	heardAt.value += heardAt.value && s.ahead - ahead;
	ahead = s.ahead;
	tick();
	loaded.value = true;
	shape.value++;
}

// --- events, once a frame ---------------------------------------------------------------------

const QUEUE_MAX = 20_000;	// events waiting for a frame; beyond it the whole state is asked for anew
let queue: Event[] = [];
let asked = false;

function put(e: Event): void {
	switch (e.name) {
	case 'snapshot':
		putState(stateOf(e.data));
		break;
	case 'instance':
		if (putCard(cardKey(e.data), e.data))
			shape.value++;
		break;
	case 'instance-gone': {
		const key = e.data.service + '/' + e.data.instance;
		if (cards.delete(key)) {
			figures.delete(key);
			goneNow.value = new Map(goneNow.value).set(key, e.data);
			shape.value++;
		}
		break;
	}
	case 'metrics':
		for (const key in e.data)
			figuresOf(key).value = e.data[key] ?? null;
		break;
	case 'service': {
		const m = new Map(services.value);
		if (e.data.deleted)
			m.delete(e.data.service_name);
		else
			m.set(e.data.service_name, e.data);
		services.value = m;
		break;
	}
	case 'group': {
		const m = new Map(groups.value), key = e.data.service + '/' + e.data.group;
		if (e.data.deleted)
			m.delete(key);
		else
			m.set(key, e.data);
		groups.value = m;
		break;
	}
	case 'overview':
		overview.value = e.data;
		break;
	case 'config':
		configChanged.value = e.data;
		break;
	}
}

function flush(): void {
	asked = false;
	const events = queue;
	queue = [];
	batch(() => events.forEach(put));
}

function enqueue(e: Event): void {
	if (paused.peek())
		return;
	if (queue.length >= QUEUE_MAX) {
		queue = [];
		sync();
		return;
	}
	queue.push(e);
	if (!asked) {
		asked = true;
		// A hidden tab has no frames.
		if (document.hidden)
			setTimeout(flush, 250);
		else
			requestAnimationFrame(flush);
	}
}

// --- where they come from ---------------------------------------------------------------------

let send: (m: ToWorker) => void = () => {};
let close: () => void = () => {};
const topics = '/api/events?topics=instances,services,groups,metrics,config,overview';

function took(m: FromWorker): void {
	switch (m.what) {
	case 'state':
		if (!paused.peek() || !loaded.peek()) {
			queue = [];
			batch(() => putState(m.state));
		}
		break;
	case 'event':
		enqueue(m.event);
		break;
	case 'link':
		link.value = m.link;
		if (m.link.state === 'lost' && m.link.status === 401)
			void call('/api/session').catch(() => {});	// tells whether we are logged out
		break;
	case 'heard':
		heardAt.value = m.at && m.at + ahead;
		break;
	}
}

// policy: the address of a worker is where scripts could come in; this lets in one.
function policy(address: string): string {
	const tt = (window as unknown as { trustedTypes?: { createPolicy: (n: string, r: object) =>
	    { createScriptURL: (s: string) => string } } }).trustedTypes;
	allowed ??= tt?.createPolicy('aegis', {
		createScriptURL(s: string) {
			if (s !== address)
				throw new TypeError('no script but the worker');
			return s;
		},
	});
	return allowed?.createScriptURL(address) ?? address;
}
let allowed: { createScriptURL: (s: string) => string } | undefined;

// openWorker: with shared workers one for all tabs; without, each tab has its own while it is seen, so
// that those behind do not use up the browser's connections.
function openWorker(url: string): void {
	const script = policy(`${base}/assets/${WORKER}`), shares = typeof SharedWorker === 'function';
	const shared = shares ? new SharedWorker(script, { name: 'aegis' }) : null;
	const worker = shared ?? new Worker(script);
	const port = shared?.port ?? worker as Worker;
	port.onmessage = (m: MessageEvent<FromWorker>) => took(m.data);
	worker.onerror = () => (link.value = { state: 'lost', since: Date.now(), status: 0, retryAt: 0 });
	send = (m) => port.postMessage(m);
	const seen = () => {
		if (!document.hidden)
			send({ what: 'open', url });
		else if (!shares)
			send({ what: 'close' });
	};
	const leave = () => send({ what: 'close' });
	const alive = setInterval(() => (shares || !document.hidden) && send({ what: 'alive' }), 20_000);
	document.addEventListener('visibilitychange', seen);
	window.addEventListener('pageshow', seen);
	window.addEventListener('pagehide', leave);
	send({ what: 'open', url });
	close = () => {
		clearInterval(alive);
		document.removeEventListener('visibilitychange', seen);
		window.removeEventListener('pageshow', seen);
		window.removeEventListener('pagehide', leave);
		leave();
		if (shared)
			shared.port.close();
		else
			(worker as Worker).terminate();
	};
}

let opened = false;

export function openLive(): void {
	if (opened)
		return;
	opened = true;
	const url = new URL(base + topics, location.href).href;
	openWorker(url);
}

export function closeLive(): void {
	if (!opened)
		return;
	opened = false;
	close();
	queue = [];
	cards.clear();
	figures.clear();
	batch(() => {
		loaded.value = false;
		link.value = { state: 'connecting' };
		shape.value++;
	});
}

function sync(): void {
	send({ what: 'sync' });
}
export function retryNow(): void {
	send({ what: 'now' });
}
export function pause(on: boolean): void {
	paused.value = on;
	if (!on)
		sync();
}

function tick(): void {
	if (!document.hidden)
		now.value = Date.now() + ahead;
}
setInterval(tick, 1000);
document.addEventListener('visibilitychange', tick);
window.addEventListener('online', retryNow);

// --- what several pages ask -------------------------------------------------------------------

export const allCards = computed<Card[]>(() => {
	void shape.value;
	return [...cards.values()].map((s) => s.peek());
});
export const unhealthy = computed(() => allCards.value.filter((c) => c.status === 'UNHEALTHY' && !c.stale).length);
