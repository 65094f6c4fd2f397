// icon.tsx - the few shapes of the page.  Each state has its own outline, so that none needs its colour.
import type { JSX } from 'preact';

const SHAPES: Record<string, string> = {
	active: 'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm-1.3 14.3-4-4 1.5-1.5 2.5 2.5 5.1-5.2 1.5 1.500z',
	standby: 'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 2.200v15.600a7.8 7.8 0 0 1 0-15.600z',
	unhealthy: 'M7.9 2h8.200L22 7.900v8.200L16.1 22H7.900L2 16.100V7.900zm7 5.600L12 10.5 9.1 7.6 7.6 9.100l2.9 2.9-2.9 2.9 1.5 1.5 2.9-2.9 2.9 2.9 1.5-1.5-2.9-2.9 2.9-2.900z',
	warning: 'M12 2.5 23 21.500H1zm-1.1 6.6.3 6h1.600l.3-6zM12 16.400a1.4 1.4 0 1 0 0 2.8 1.4 1.4 0 0 0 0-2.800z',
	draining: 'M11 3h2v10.200l3.6-3.600L18 11l-6 6-6-6 1.4-1.4 3.6 3.600zM6 19h12v2H6z',
	leader: 'm12 2 3 6.7 7.2.8-5.4 4.9 1.5 7.200L12 17.900l-6.3 3.7 1.5-7.200L1.8 9.5 9 8.700z',
	gone: 'M4 11h16v2H4z',
	dot: 'M12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14z',
	half: 'M12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14zm0 1.800v10.400a5.2 5.2 0 0 1 0-10.400z',
	ring: 'M12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14zm0 2a5 5 0 1 1 0 10 5 5 0 0 1 0-10z',
	copy: 'M9 2h11v14h-3v-2h1V4h-7v1H9zM4 7h11v15H4zm2 2v11h7V9z',
	check: 'm9.5 18.5-6-6L5 11l4.5 4.500L19 6l1.5 1.500z',
	search: 'M10 3a7 7 0 1 0 4.2 12.600l5.1 5.1 1.4-1.4-5.1-5.100A7 7 0 0 0 10 3zm0 2a5 5 0 1 1 0 10 5 5 0 0 1 0-10z',
	sun: 'M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10zM11 1h2v3h-2zm0 19h2v3h-2zM1 11h3v2H1zm19 0h3v2h-3zM4.2 2.800l2.1 2.1-1.4 1.4-2.1-2.100zm14.9 14.9 2.1 2.1-1.4 1.4-2.1-2.100zM19.8 2.800l1.4 1.4-2.1 2.1-1.4-1.400zM4.9 17.700l1.4 1.4-2.1 2.1-1.4-1.400z',
	moon: 'M20.5 14.500A9 9 0 0 1 9.5 3.500a9 9 0 1 0 11 11z',
	auto: 'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 2.200v15.600a7.8 7.8 0 0 0 0-15.600z',
	pause: 'M6 4h4v16H6zm8 0h4v16h-4z',
	play: 'M7 4v16l13-8z',
	close: 'm6.4 5 5.6 5.600L17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4-5.6-5.600L6.4 19 5 17.600l5.6-5.600L5 6.400z',
	plus: 'M11 4h2v7h7v2h-7v7h-2v-7H4v-2h7z',
	grid: 'M3 3h8v8H3zm10 0h8v8h-8zM3 13h8v8H3zm10 0h8v8h-8z',
	rows: 'M3 5h18v3H3zm0 5.500h18v3H3zM3 16h18v3H3z',
	table: 'M3 4h18v16H3zm2 5v3h6V9zm8 0v3h6V9zm-8 5v4h6v-4zm8 0v4h6v-4z',
	next: 'm9 5 7 7-7 7-1.5-1.500L13 12 7.5 6.500z',
};

export type IconName = keyof typeof SHAPES;

export function Icon({ name }: { name: IconName }): JSX.Element {
	if (name === 'stale')
		return <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="8.5" fill="none"
			stroke="currentColor" stroke-width="2.6" stroke-dasharray="3.8 2.9" /></svg>;
	return <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path fill="currentColor" fill-rule="evenodd" d={SHAPES[name]} /></svg>;
}
