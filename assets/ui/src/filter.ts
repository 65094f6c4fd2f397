// filter.ts - which cards are shown and in which order.  Pure.
//
// The words of the search are ANDed: `status:unhealthy service:orders zone-a`.  A word without a key is
// looked for in service, instance, version and the labels.
import { trouble } from './live/live';
import type { Card, Figures } from './types';

export const GROUPS = ['', 'service', 'group', 'zone', 'node', 'version'] as const;
export const SORTS = ['', 'name', 'p99', 'rate', 'errors', 'newest'] as const;
export const DENSITIES = ['comfortable', 'compact', 'table'] as const;

const label = (c: Card, key: string): string => {
	const v = c.metadata?.[key];
	return typeof v === 'string' || typeof v === 'number' ? String(v) : '';
};

export function groupOf(c: Card, by: string): string {
	switch (by) {
	case 'service': return c.serviceName;
	case 'group': return c.stickyActiveGroup ? `${c.serviceName}/${c.stickyActiveGroup}` : '';
	case 'version': return c.version;
	default: return label(c, by);
	}
}

function hasWord(c: Card, word: string): boolean {
	const [key, ...rest] = word.split(':'), value = rest.join(':');
	if (value === '' || !key)
		return `${c.serviceName} ${c.instanceId} ${c.version} ${label(c, 'zone')} ${label(c, 'node')}`.toLowerCase().includes(word);
	switch (key) {
	case 'status': return value === 'stale' ? c.stale : !c.stale && c.status.toLowerCase() === value;
	case 'is': return value === 'leader' ? c.leader : value === 'stale' ? c.stale : value === 'trouble' && trouble(c) < 2;
	case 'service': return c.serviceName.toLowerCase() === value;
	case 'instance': return c.instanceId.toLowerCase() === value;
	case 'version': return c.version === value;
	case 'group': return (c.stickyActiveGroup ?? '').toLowerCase() === value;
	}
	return label(c, key).toLowerCase() === value;
}

export function matches(c: Card, q: string): boolean {
	return q.toLowerCase().split(/\s+/).every((w) => w === '' || hasWord(c, w));
}

// compare: worst first, then by service and instance, so that only a change of severity moves a card.
export function compare(sort: string, figures: (c: Card) => Figures | null): (a: Card, b: Card) => number {
	const name = (a: Card, b: Card) => a.serviceName < b.serviceName ? -1 : a.serviceName > b.serviceName ? 1 :
		a.instanceId < b.instanceId ? -1 : a.instanceId > b.instanceId ? 1 : 0;
	const by = (what: (f: Figures) => number | null) => (a: Card, b: Card) => {
		const x = figures(a), y = figures(b);
		return ((y && what(y)) ?? -1) - ((x && what(x)) ?? -1) || name(a, b);
	};
	switch (sort) {
	case 'name': return name;
	case 'p99': return by((f) => f.p99_ms);
	case 'rate': return by((f) => f.calls_per_second);
	case 'errors': return by((f) => f.error_rate);
	case 'newest': return (a, b) => a.since < b.since ? 1 : a.since > b.since ? -1 : name(a, b);
	}
	return (a, b) => trouble(a) - trouble(b) || name(a, b);
}
