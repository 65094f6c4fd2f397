// worker.ts - the one event stream of a browser, shared by its tabs; where there are no shared workers, the
// one of a tab.
//
// Browsers open six connections to one host over HTTP/1.1; a stream per tab would use them up and every
// further call would hang.  The worker owns the stream and the state, and posts both to all tabs.
import { Feed, type Link } from './feed';
import { apply, emptyState, type Event, type State } from './state';

export type FromWorker =
	| { what: 'state'; state: State }
	| { what: 'event'; event: Event }
	| { what: 'link'; link: Link }
	| { what: 'heard'; at: number };
export type ToWorker = { what: 'open'; url: string } | { what: 'sync' | 'now' | 'alive' | 'close' };

type Port = Pick<MessagePort, 'postMessage'> & { onmessage: ((m: MessageEvent<ToWorker>) => void) | null };
const scope = self as unknown as Port & { onconnect: (e: MessageEvent) => void };
const QUIET_MS = 150_000;	// a tab silent for so long is gone; hidden ones may speak but once a minute

let feed: Feed | null = null;
let synced = false;
let state = emptyState();
let link: Link = { state: 'connecting' };
let heardAt = 0;
const tabs = new Map<Port, number>();

function tell(m: FromWorker): void {
	for (const port of tabs.keys())
		port.postMessage(m);
}

function open(url: string): void {
	feed ??= new Feed({
		url,
		event(e) {
			apply(state, e);
			if (e.name === 'snapshot')
				synced = true;
			tell({ what: 'event', event: e });
		},
		link(l) {
			link = l;
			tell({ what: 'link', link });
		},
		heard(at) {
			heardAt = at;
			tell({ what: 'heard', at });
		},
	});
}

function forget(port: Port): void {
	tabs.delete(port);
	if (tabs.size > 0)
		return;
	// The last tab is gone: so is what it could see.
	feed?.stop();
	feed = null;
	synced = false;
	state = emptyState();
	link = { state: 'connecting' };
}

function listen(port: Port): void {
	port.onmessage = (m) => {
		tabs.set(port, Date.now());
		switch (m.data.what) {
		case 'open':
			open(m.data.url);
			// fallthrough
		case 'sync':
			port.postMessage({ what: 'link', link } satisfies FromWorker);
			if (synced)
				port.postMessage({ what: 'state', state } satisfies FromWorker);
			port.postMessage({ what: 'heard', at: heardAt } satisfies FromWorker);
			break;
		case 'now':
			feed?.now();
			break;
		case 'close':
			forget(port);
			break;
		}
	};
}

if ('onconnect' in self)
	scope.onconnect = (e) => listen(e.ports[0] as MessagePort);
else
	listen(scope);

setInterval(() => {
	for (const [port, at] of tabs)
		if (Date.now() - at > QUIET_MS)
			forget(port);
}, 15_000);
