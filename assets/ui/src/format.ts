// format.ts - numbers and times as the page writes them: few digits, always a unit, never a lie.
import { lang, t } from './i18n';

export const NONE = '–';		// what is not known

// digits: three significant ones, without an exponent.
export function digits(n: number): string {
	const a = Math.abs(n), where = lang.value === 'zh' ? 'zh-CN' : 'en-US';
	if (a >= 1e6)
		return n.toLocaleString(where, { notation: 'compact', maximumSignificantDigits: 3 });
	if (a >= 100)
		return Math.round(n).toLocaleString(where);
	return n === 0 ? '0' : n.toFixed(a >= 10 ? 1 : a >= 0.995 ? 2 : 3).replace(/\.?0+$/, '');
}

type Figure = number | null | undefined;
// none: not known, or no figure at all, whatever somebody's heartbeat says.
const none = (n: Figure): n is null | undefined => typeof n !== 'number' || !Number.isFinite(n);

export const ms = (n: Figure): string =>
	none(n) ? NONE : n >= 1000 ? digits(n / 1000) + ' s' : digits(n) + ' ms';
export const rate = (n: Figure): string => none(n) ? NONE : digits(n) + '/s';
export const percent = (n: Figure): string =>
	none(n) ? NONE : n > 0 && n < 0.0001 ? '<0.01 %' : digits(n * 100) + ' %';
export const count = (n: Figure): string => none(n) ? NONE : digits(n);

// span: a length of time in one unit, so that it does not jump about.
export function span(msec: number): string {
	const s = Math.max(0, msec) / 1000;
	if (s < 60)
		return t('{0} s', Math.floor(s));
	if (s < 3600)
		return t('{0} min', Math.floor(s / 60));
	if (s < 48 * 3600)
		return t('{0} h', Math.floor(s / 3600));
	return t('{0} d', Math.floor(s / 86400));
}
export const ago = (iso: string, now: number): string => {
	const at = Date.parse(iso);
	return Number.isNaN(at) ? NONE : t('{0} ago', span(now - at));
};

export function absolute(iso: string): string {
	const at = new Date(iso);
	return Number.isNaN(at.getTime()) ? iso : at.toLocaleString(lang.value === 'zh' ? 'zh-CN' : 'en-GB',
		{ dateStyle: 'medium', timeStyle: 'medium' }) + ' ' + zone;
}
const offset = -new Date().getTimezoneOffset();
const zone = 'UTC' + (offset === 0 ? '' : (offset < 0 ? '-' : '+') + Math.floor(Math.abs(offset) / 60) +
	(offset % 60 === 0 ? '' : ':' + String(Math.abs(offset) % 60).padStart(2, '0')));

// trend: where a line of figures goes, in a word; the last quarter against the rest.
export function trendWord(values: (number | null)[]): string {
	const v = values.filter((x): x is number => x !== null);
	if (v.length < 8)
		return '';
	const cut = Math.floor(v.length * 0.75);
	const mean = (a: number[]) => a.reduce((s, x) => s + x, 0) / a.length;
	const before = mean(v.slice(0, cut)), after = mean(v.slice(cut));
	if (before === 0 && after === 0)
		return t('steady');
	const change = (after - before) / Math.max(before, 1e-9);
	return change > 0.2 ? t('rising') : change < -0.2 ? t('falling') : t('steady');
}
