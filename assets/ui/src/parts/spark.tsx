// spark.tsx - a line without axes, as one SVG path; what it says stands beside it as text.
import type { JSX } from 'preact';

const W = 120, H = 28;

// sparkPath: gaps stay gaps.
export function sparkPath(values: (number | null)[], w = W, h = H): string {
	let top = 0;
	for (const v of values)
		if (v !== null && v > top)
			top = v;
	const step = w / Math.max(values.length - 1, 1), scale = top > 0 ? (h - 4) / top : 0;
	let d = '', pen = 'M';
	for (let i = 0; i < values.length; i++) {
		const v = values[i];
		if (v == null) {
			pen = 'M';
			continue;
		}
		d += pen + (i * step).toFixed(1) + ' ' + (h - 2 - v * scale).toFixed(1);
		pen = 'L';
	}
	return d;
}

export function Spark({ values }: { values: (number | null)[] }): JSX.Element {
	const d = sparkPath(values);
	return <svg class="spark" viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" aria-hidden="true">
		<path class="spark-floor" d={`M0 ${H - 1}H${W}`} />
		<path class="spark-line" d={d} />
	</svg>;
}
