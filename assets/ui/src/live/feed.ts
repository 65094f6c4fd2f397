// feed.ts - one connection to the event stream: opens it, reads it, opens it again.
//
// It resumes from the last position that it saw.  What is silent for longer than two of the server's
// comment lines is taken for dead, because a half-open connection says nothing for ever.
import type { Snapshot } from '../types';
import { SseParser } from './sse';
import { aheadOf, type Event } from './state';

export type Link =
	| { state: 'connecting' | 'live' }
	| { state: 'lost'; since: number; status: number; retryAt: number };

export interface FeedOptions {
	url: string;
	event: (e: Event) => void;
	link: (l: Link) => void;
	heard: (at: number) => void;		// at most once a second
}

const SILENCE_MS = 35_000;
const RETRY_MAX_MS = 15_000;

export class Feed {
	private position: string | null = null;
	private tries = 0;
	private retryMs = 1000;
	private stopped = false;
	private abort: AbortController | null = null;
	private wake: (() => void) | null = null;
	private lostSince = 0;
	private heardAt = 0;

	constructor(private readonly o: FeedOptions) {
		void this.run();
	}

	stop(): void {
		this.stopped = true;
		this.abort?.abort();
		this.wake?.();
	}

	// now: does not wait for the next try (the network is back, somebody logged in).
	now(): void {
		this.tries = 0;
		this.wake?.();
	}

	private async run(): Promise<void> {
		while (!this.stopped) {
			const [status, afterMs] = await this.once();
			if (this.stopped)
				return;
			if (this.lostSince === 0)
				this.lostSince = Date.now();
			// Everybody lost the server at the same moment; they must not come back at the same one.
			const wait = afterMs ?? Math.min(this.retryMs * 2 ** this.tries, RETRY_MAX_MS) * (0.5 + Math.random() / 2);
			this.tries++;
			this.o.link({ state: 'lost', since: this.lostSince, status, retryAt: Date.now() + wait });
			await new Promise<void>((done) => {
				const timer = setTimeout(done, wait);
				this.wake = () => (clearTimeout(timer), done());
			});
			this.wake = null;
		}
	}

	// once: follows one connection to its end.  Returns the status it ended with, and how long the
	// server wants to be left alone.
	private async once(): Promise<[number, number | null]> {
		const abort = this.abort = new AbortController();
		let silence = setTimeout(() => abort.abort(), SILENCE_MS);
		try {
			const headers: Record<string, string> = { Accept: 'text/event-stream' };
			if (this.position !== null)
				headers['Last-Event-ID'] = this.position;
			const r = await fetch(this.o.url, { headers, signal: abort.signal, cache: 'no-store',
				credentials: 'same-origin' });
			if (!r.ok || r.body === null) {
				const after = Number(r.headers.get('Retry-After'));
				return [r.status, after > 0 ? after * 1000 : null];
			}
			const parser = new SseParser(), decoder = new TextDecoder(), reader = r.body.getReader();
			this.lostSince = 0;
			this.o.link({ state: 'live' });
			for (;;) {
				const { done, value } = await reader.read();
				if (done)
					return [200, null];
				clearTimeout(silence);
				silence = setTimeout(() => abort.abort(), SILENCE_MS);
				this.took(parser, decoder.decode(value, { stream: true }));
			}
		} catch {
			return [0, null];
		} finally {
			clearTimeout(silence);
		}
	}

	private took(parser: SseParser, text: string): void {
		const now = Date.now();
		this.tries = 0;
		if (now - this.heardAt >= 1000) {
			this.heardAt = now;
			this.o.heard(now);
		}
		for (const e of parser.feed(text)) {
			let data: unknown;
			try {
				data = JSON.parse(e.data);
			} catch {
				continue;	// a proxy's words, not the server's
			}
			if (e.name === 'snapshot')
				(data as Snapshot).ahead = aheadOf((data as Snapshot).as_of, now);
			this.o.event({ name: e.name, data } as Event);
		}
		this.position = parser.position ?? this.position;
		this.retryMs = parser.retryMs ?? this.retryMs;
	}
}
