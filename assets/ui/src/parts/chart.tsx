// chart.tsx - lines over time, readable by eye, by keyboard and as a table.
//
// It is an SVG of paths, as the sparklines are, and no library: a quarter of an hour has a few hundred
// points, themes and forced colours come from the style sheet, and it costs a tenth of one.
// Lines differ by dash as well as by colour, gaps stay gaps, and all charts of a page show the same moment.
import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { absolute, NONE } from '../format';
import { lang, t } from '../i18n';
import { announce } from './announce';

export interface Line {
	name: string;
	values: (number | null)[];
}
export interface Mark {
	at: number;			// epoch seconds
	text: string;
}
export interface ChartProps {
	name: string;
	times: number[];		// epoch seconds
	lines: Line[];
	show: (v: number | null) => string;
	least?: number;			// what the axis reaches at least
	marks: Mark[];
}

const W = 1000, H = 200;		// of the drawing, whatever its size on the screen
const STEPS = 4;			// spaces between the horizontal lines
const DASHES = ['', '7 4', '2 4', '10 3 2 3'];
const cursor = signal<number | null>(null);	// the moment that is looked at, in all charts
let home: number | null = null;			// where it rests: the moment that a shared address names

// lookAt(at): epoch seconds, or null for the newest.  looked(): the moment that is looked at.
export function lookAt(at: number | null): void {
	cursor.value = home = at;
}
export const looked = (): number | null => cursor.peek();

const clock = (s: number): string => new Date(s * 1000).toLocaleTimeString(lang.value === 'zh' ? 'zh-CN' : 'en-GB');

// ceiling: a round number above, of which a quarter is round as well.
function ceiling(max: number): number {
	if (!(max > 0))
		return 1;
	const step = 10 ** Math.floor(Math.log10(max / STEPS));
	return STEPS * step * ([1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10].find((k) => STEPS * step * k >= max) ?? 10);
}

interface Scale {
	x: (at: number) => number;
	y: (v: number) => number;
	top: number;
}

function scaleOf(p: ChartProps): Scale {
	const from = p.times[0] ?? 0, length = Math.max((p.times.at(-1) ?? 0) - from, 1);
	let max = p.least ?? 0;
	for (const l of p.lines)
		for (const v of l.values)
			if (v !== null && v > max)
				max = v;
	const top = ceiling(max);
	return { top, x: (at) => (at - from) / length * W, y: (v) => H - v / top * H };
}

function draw(p: ChartProps, l: Line, s: Scale): string {
	let d = '', pen = 'M';
	l.values.forEach((v, i) => {
		if (v === null) {
			pen = 'M';
			return;
		}
		// A point between two gaps would be no line at all.
		d += `${pen}${s.x(p.times[i] as number).toFixed(1)} ${s.y(v).toFixed(1)}${pen === 'M' ? 'h.1' : ''}`;
		pen = 'L';
	});
	return d;
}

function nearest(times: number[], at: number): number {
	let best = 0;
	times.forEach((x, i) => {
		if (Math.abs(x - at) < Math.abs((times[best] as number) - at))
			best = i;
	});
	return best;
}

// --- the other two ways to read it ----------------------------------------------------------------

function toCsv(p: ChartProps): string {
	const quote = (s: string) => /[",\n]/.test(s) ? `"${s.replace(/"/g, '""')}"` : s;
	const rows = p.times.map((at, i) => [new Date(at * 1000).toISOString(), ...p.lines.map((l) => l.values[i] ?? '')].join(','));
	return [['time', ...p.lines.map((l) => quote(l.name))].join(','), ...rows, ''].join('\r\n');
}

function download(p: ChartProps): void {
	const a = document.createElement('a');
	a.href = URL.createObjectURL(new Blob([toCsv(p)], { type: 'text/csv' }));
	a.download = p.name.replace(/\s+/g, '-').toLowerCase() + '.csv';
	a.click();
	setTimeout(() => URL.revokeObjectURL(a.href), 1000);
}

function Table(p: ChartProps): JSX.Element {
	return <div class="chart-table" tabIndex={0} role="region" aria-label={p.name}><table class="data">
		<thead><tr><th scope="col">{t('Time')}</th>{p.lines.map((l) => <th key={l.name} scope="col" class="num">{l.name}</th>)}</tr></thead>
		<tbody>{p.times.map((s, k) => <tr key={s}><th scope="row" title={absolute(new Date(s * 1000).toISOString())}>{clock(s)}</th>
			{p.lines.map((l) => <td key={l.name} class="num">{l.values[k] == null ? NONE : p.show(l.values[k])}</td>)}</tr>).reverse()}</tbody></table></div>;
}

// --- the chart ------------------------------------------------------------------------------------

function Legend({ p, i, chosen }: { p: ChartProps; i: number; chosen: number }): JSX.Element {
	const at = p.times[i] ?? 0, mark = p.marks.find((m) => Math.abs(m.at - at) < 6);
	return <div class="legend">{p.lines.map((l, k) => <span key={l.name} class={k === chosen && p.lines.length > 1 ? 'chosen' : ''}>
		<svg viewBox="0 0 26 8" aria-hidden="true"><path class={`stroke-${k + 1}`} stroke-dasharray={DASHES[k]} d="M0 4H26" /></svg>
		{l.name} <strong class="num">{p.show(l.values[i] ?? null)}</strong></span>)}
		<span class="num hint end">{clock(at)}{mark ? ` · ${mark.text}` : ''}</span></div>;
}

function Drawing({ p, i }: { p: ChartProps; i: number | null }): JSX.Element {
	const s = scaleOf(p), first = p.times[0] ?? 0, last = p.times.at(-1) ?? 0, x = i === null ? 0 : s.x(p.times[i] as number);
	const quarters = Array.from({ length: STEPS + 1 }, (_, k) => k / STEPS);
	return <div class="axes" aria-hidden="true">
		<div class="y num">{quarters.map((q) => <span key={q}>{p.show(s.top * (1 - q))}</span>)}</div>
		<svg viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none">
			<path class="rules" d={quarters.map((q) => `M0 ${H * q}H${W}`).join('')} />
			<path class="marks" d={p.marks.filter((m) => m.at >= first && m.at <= last).map((m) => `M${s.x(m.at).toFixed(1)} 0V${H}`).join('')} />
			{p.lines.map((l, k) => <path key={l.name} class={`line stroke-${k + 1}`} stroke-dasharray={DASHES[k]} d={draw(p, l, s)} />)}
			{i !== null && <path class="cursor" d={`M${x.toFixed(1)} 0V${H}`} />}
			{i !== null && p.lines.map((l, k) => l.values[i] != null && <path key={l.name} class={`dot stroke-${k + 1}`} d={`M${x.toFixed(1)} ${s.y(l.values[i]).toFixed(1)}h.1`} />)}
		</svg>
		<div class="x num">{quarters.map((q) => <span key={q}>{clock(first + (last - first) * q)}</span>)}</div>
	</div>;
}

export function Chart(p: ChartProps): JSX.Element {
	const [line, setLine] = useState(0);
	const [table, setTable] = useState(false);
	const last = p.times.length - 1;
	const i = cursor.value === null ? null : nearest(p.times, cursor.value);

	const point = (e: PointerEvent) => {
		const r = (e.currentTarget as HTMLElement).querySelector('svg')?.getBoundingClientRect();
		const from = p.times[0] ?? 0;
		if (r && r.width > 0)
			cursor.value = from + Math.max(0, Math.min(1, (e.clientX - r.left) / r.width)) * ((p.times[last] ?? 0) - from);
	};
	const keys = (e: KeyboardEvent) => {
		const by = ({ ArrowLeft: -1, ArrowRight: 1, Home: -last, End: last } as Record<string, number>)[e.key];
		const along = ({ ArrowUp: -1, ArrowDown: 1 } as Record<string, number>)[e.key];
		if (by === undefined && along === undefined)
			return;
		e.preventDefault();
		const to = Math.max(0, Math.min(last, (i ?? last) + (by ?? 0) * (e.shiftKey ? 12 : 1)));
		const l = (line + (along ?? 0) + p.lines.length) % p.lines.length, when = p.times[to] ?? 0;
		setLine(l);
		cursor.value = when;
		announce(`${p.lines[l]?.name} ${p.show(p.lines[l]?.values[to] ?? null)}, ${clock(when)}`);
	};
	const forget = () => (cursor.value = home);
	return <figure class="card chart">
		<figcaption><h2>{p.name}</h2>
			<span class="end row tight"><button type="button" class="plain" onClick={() => setTable(!table)}>{table ? t('View as chart') : t('View as table')}</button>
				<button type="button" class="plain" aria-label={`CSV: ${p.name}`} onClick={() => download(p)}>CSV</button></span></figcaption>
		<Legend p={p} i={i ?? last} chosen={line} />
		{table ? <Table {...p} /> : <div class="plot" tabIndex={0} role="group" aria-roledescription={t('chart')} aria-label={`${p.name}. ${t('Arrow keys read the values.')}`}
			onKeyDown={keys} onBlur={forget} onPointerMove={point} onPointerLeave={forget}><Drawing p={p} i={i} /></div>}
	</figure>;
}
