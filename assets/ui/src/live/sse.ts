// sse.ts - the bytes of an event stream, cut into events.
//
// The browser's own EventSource hides comments and status codes, and so cannot tell a silent stream
// from a dead one; we read the stream ourselves and see every byte.
export interface StreamEvent {
	name: string;
	data: string;
}

export class SseParser {
	private rest = '';
	private name = '';
	private data: string[] = [];
	private id: string | null = null;
	position: string | null = null;		// after the last whole event; one without data moves it, too
	retryMs: number | null = null;

	// feed: what came, decoded; returns the events that it completes.
	feed(text: string): StreamEvent[] {
		const found: StreamEvent[] = [];
		const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
		this.rest = lines.pop() ?? '';
		for (const line of lines)
			this.line(line, found);
		return found;
	}

	private line(line: string, found: StreamEvent[]): void {
		if (line === '') {
			if (this.data.length > 0)
				found.push({ name: this.name || 'message', data: this.data.join('\n') });
			this.position = this.id;
			this.name = '';
			this.data = [];
			return;
		}
		const colon = line.indexOf(':');
		if (colon === 0)
			return;
		const field = colon < 0 ? line : line.slice(0, colon);
		const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
		if (field === 'event')
			this.name = value;
		else if (field === 'data')
			this.data.push(value);
		else if (field === 'id')
			this.id = value;
		else if (field === 'retry' && /^\d+$/.test(value))
			this.retryMs = Number(value);
	}
}
