// state.ts - what the stream has told so far, and how one more event changes it.  Pure.
//
// The worker keeps one of these for all tabs, so that a tab that comes later begins with it.
import type { Card, Figures, Gone, Group, Overview, Service, Snapshot } from '../types';

export interface State {
	asOf: string;
	ahead: number;
	instances: Map<string, Card>;
	services: Map<string, Service>;
	groups: Map<string, Group>;
	metrics: Map<string, Figures>;
	gone: Map<string, Gone>;
	overview: Overview | null;
}

export type Event =
	| { name: 'snapshot'; data: Snapshot }
	| { name: 'instance'; data: Card }
	| { name: 'instance-gone'; data: Gone }
	| { name: 'service'; data: Service & { deleted?: boolean } }
	| { name: 'group'; data: Group & { deleted?: boolean } }
	| { name: 'metrics'; data: { [key: string]: Figures } }
	| { name: 'overview'; data: Overview }
	| { name: 'config'; data: { service: string; revision: number } }
	| { name: 'resync'; data: unknown }
	| { name: 'lagged'; data: { dropped: number } };

export const keyOf = (service: string, instance: string): string => service + '/' + instance;
export const cardKey = (c: Card): string => keyOf(c.serviceName, c.instanceId);

const CLOCKS_MS = 1500;		// what the way may take; clocks that are no further apart are taken for equal

// aheadOf: how far the server's clock is ahead of ours.  All times are the server's or measured against its
// clock, so ages are told by that one, whatever the browser believes.
export function aheadOf(asOf: string, ours: number): number {
	const by = Date.parse(asOf) - ours;
	return Math.abs(by) > CLOCKS_MS ? by : 0;
}

const GONE_MAX = 500;		// tombstones kept; the oldest goes first

export function stateOf(d: Snapshot): State {
	return {
		asOf: d.as_of,
		ahead: d.ahead ?? 0,
		instances: new Map(d.instances.map((c) => [cardKey(c), c])),
		services: new Map(d.services.map((x) => [x.service_name, x])),
		groups: new Map(d.groups.map((g) => [keyOf(g.service, g.group), g])),
		metrics: new Map(Object.entries(d.metrics)),
		gone: new Map(),
		overview: d.overview,
	};
}
export const emptyState = (): State => stateOf({ as_of: '', instances: [], services: [], groups: [], metrics: {}, overview: null });

function leave(s: State, g: Gone): void {
	const key = keyOf(g.service, g.instance);
	s.instances.delete(key);
	s.metrics.delete(key);
	s.gone.set(key, g);
	if (s.gone.size > GONE_MAX)
		s.gone.delete(s.gone.keys().next().value as string);
}

export function apply(s: State, e: Event): void {
	switch (e.name) {
	case 'snapshot':
		Object.assign(s, stateOf(e.data));
		break;
	case 'instance':
		s.instances.set(cardKey(e.data), e.data);
		s.gone.delete(cardKey(e.data));
		break;
	case 'instance-gone':
		leave(s, e.data);
		break;
	case 'service':
		if (e.data.deleted)
			s.services.delete(e.data.service_name);
		else
			s.services.set(e.data.service_name, e.data);
		break;
	case 'group':
		if (e.data.deleted)
			s.groups.delete(keyOf(e.data.service, e.data.group));
		else
			s.groups.set(keyOf(e.data.service, e.data.group), e.data);
		break;
	case 'metrics':
		for (const key in e.data)
			s.metrics.set(key, e.data[key] as Figures);
		break;
	case 'overview':
		s.overview = e.data;
		break;
	}
}
