// badge.tsx - how something is: shape and word first, colour third.
import type { JSX } from 'preact';
import { span } from '../format';
import { t } from '../i18n';
import { now } from '../live/live';
import type { Card } from '../types';
import { Icon } from './icon';

export type Tone = 'active' | 'standby' | 'unhealthy' | 'warning' | 'stale' | 'draining' | 'leader' | 'gone';

export function toneOf(c: Pick<Card, 'status' | 'metadata'> & { stale?: boolean }): Tone {
	if (c.stale)
		return 'stale';
	if (c.metadata?.['draining'])
		return 'draining';
	return c.status === 'ACTIVE' ? 'active' : c.status === 'STANDBY' ? 'standby' : 'unhealthy';
}

export function word(tone: Tone): string {
	switch (tone) {
	case 'active': return t('Active');
	case 'standby': return t('Standby');
	case 'unhealthy': return t('Unhealthy');
	case 'warning': return t('Warning');
	case 'stale': return t('Stale');
	case 'draining': return t('Draining');
	case 'leader': return t('Leader');
	case 'gone': return t('Departed');
	}
}

export function Badge({ tone, title, children }: { tone: Tone; title?: string | undefined; children?: preact.ComponentChildren }): JSX.Element {
	return <span class={`badge ${tone}`} title={title}><Icon name={tone} />{children ?? word(tone)}</span>;
}

// A stale instance says for how long nobody heard of it.
function Silence({ since }: { since: string }): JSX.Element {
	return <>{t('Stale')} {span(now.value - Date.parse(since))}</>;
}

export function StatusBadge({ card }: { card: Parameters<typeof toneOf>[0] & Pick<Card, 'lastHeartbeat'> }): JSX.Element {
	const tone = toneOf(card);
	return <Badge tone={tone}>{tone === 'stale' ? <Silence since={card.lastHeartbeat} /> : undefined}</Badge>;
}

// Epochs may be of the size of a clock; those stand where there is room for them.
const SHORT = 1e5;

export function LeaderBadge({ epoch }: { epoch: number | null }): JSX.Element {
	return <Badge tone="leader" title={epoch === null ? undefined : `${t('Epoch')} ${epoch}`}>{t('Leader')}{epoch !== null && epoch < SHORT && <small> e{epoch}</small>}</Badge>;
}
