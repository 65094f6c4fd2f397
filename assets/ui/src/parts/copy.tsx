// copy.tsx - copies a text.  Plain HTTP by address has no clipboard, so there is the old way as well.
import { useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { t } from '../i18n';
import { announce } from './announce';
import { Icon } from './icon';

export async function copy(text: string): Promise<boolean> {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		const area = document.createElement('textarea');
		area.value = text;
		area.className = 'sr';
		(document.querySelector('dialog[open]') ?? document.body).append(area);
		area.select();
		const done = document.execCommand('copy');
		area.remove();
		return done;
	}
}

// What a screen reader is told of it.
export const copied = (ok: boolean): void => announce(ok ? t('Copied') : t('Copying is not possible here; please select the text'));

export function Copy({ text, what }: { text: string; what: string }): JSX.Element {
	const [done, setDone] = useState(false);
	const click = async (e: MouseEvent) => {
		e.preventDefault();
		const ok = await copy(text);
		(e.target as HTMLElement).closest('button')?.focus();
		copied(ok);
		setDone(ok);
		setTimeout(() => setDone(false), 1500);
	};
	return <button type="button" class="plain copy" aria-label={t('Copy {0}', what)} title={t('Copy {0}', what)} onClick={click}>
		<Icon name={done ? 'check' : 'copy'} /></button>;
}
