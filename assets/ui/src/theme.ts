// theme.ts - light, dark, or as the system has it.
import { signal } from '@preact/signals';

export type Theme = 'auto' | 'light' | 'dark';
const stored = localStorage.getItem('aegis.theme');
export const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'auto');
const system = matchMedia('(prefers-color-scheme: dark)');
export const dark = signal(false);

function show(): void {
	dark.value = theme.value === 'dark' || (theme.value === 'auto' && system.matches);
	document.documentElement.dataset['theme'] = dark.value ? 'dark' : 'light';
}
show();
system.addEventListener('change', show);

export function nextTheme(): Theme {
	theme.value = theme.value === 'auto' ? 'light' : theme.value === 'light' ? 'dark' : 'auto';
	localStorage.setItem('aegis.theme', theme.value);
	show();
	return theme.value;
}
