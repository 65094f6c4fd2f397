// i18n.ts - the words of the page.  English stands in the code; a Chinese table is loaded when wanted.
//
// The English text is the key, so that a page reads as what it shows; the compiler checks that the
// table has every key (zh.ts).  {0}, {1} are what t() is given behind the text.
import { signal } from '@preact/signals';
import type { Text } from './zh';

export type { Text };
export type Lang = 'en' | 'zh';

const preferred = (): Lang => {
	const chosen = localStorage.getItem('aegis.lang');
	if (chosen === 'en' || chosen === 'zh')
		return chosen;
	return navigator.languages.some((l) => l.startsWith('zh')) && !navigator.language.startsWith('en') ? 'zh' : 'en';
};

let table: Record<string, string> | null = null;
export const lang = signal<Lang>('en');

export async function useLang(l: Lang): Promise<void> {
	if (l === 'zh')
		table = (await import('./zh')).zh;
	document.documentElement.lang = l === 'zh' ? 'zh-CN' : 'en';
	lang.value = l;
}

export function chooseLang(l: Lang): void {
	localStorage.setItem('aegis.lang', l);
	void useLang(l);
}

export const startLang = (): Promise<void> => useLang(preferred());

function fill(words: string, values: (string | number)[]): string {
	return values.length === 0 ? words : words.replace(/\{(\d)\}/g, (_, n: string) => String(values[Number(n)] ?? ''));
}

export function t(text: Text, ...values: (string | number)[]): string {
	return fill(lang.value === 'zh' ? table?.[text] ?? text : text, values);
}

// told(words): what a server said in a fixed sentence, in the language of the page where the table has it.
export const told = (text: string): string => t(text as Text);

// plural(n, one, many): "1 service", "2 services"; Chinese has one form, that of many.
export function plural(n: number, one: string, many: Text): string {
	return lang.value === 'en' && n === 1 ? fill(one, [n]) : t(many, n);
}
