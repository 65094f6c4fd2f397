// dialog.tsx - a question that wants an answer, in the browser's own <dialog>: focus stays inside,
// Escape closes, and the focus returns to where it was.
import { useEffect, useRef } from 'preact/hooks';
import type { ComponentChildren, JSX } from 'preact';
import { t } from '../i18n';
import { Icon } from './icon';

export function Dialog({ title, onClose, children, wide }: { title: string; onClose: () => void; children: ComponentChildren; wide?: boolean }): JSX.Element {
	const ref = useRef<HTMLDialogElement>(null);
	useEffect(() => {
		const d = ref.current as HTMLDialogElement;
		const from = document.activeElement as HTMLElement | null;
		d.showModal();
		return () => {
			d.close();
			if (from?.isConnected)
				from.focus();
		};
	}, []);
	return <dialog ref={ref} class={wide ? 'wide' : ''} aria-labelledby="dialog-title"
	    onCancel={(e) => (e.preventDefault(), onClose())} onClick={(e) => e.target === ref.current && onClose()}>
		<div class="dialog-in">
			<header><h2 id="dialog-title">{title}</h2>
				<button type="button" class="plain" aria-label={t('Close')} onClick={onClose}><Icon name="close" /></button></header>
			{children}
		</div>
	</dialog>;
}
