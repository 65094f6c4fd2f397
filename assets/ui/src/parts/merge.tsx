// merge.tsx - a conflict: where we began, what somebody else made of it, what we made of it.  Member by
// member one of the two is chosen; what only one side changed is chosen already.
import { useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { t, type Text } from '../i18n';
import { Dialog } from './dialog';
import { Scroll } from './states';

type Words = { [key: string]: string };

export function Merge({ name, base, theirs, mine, keys, labels, onClose, onSave }: {
	name: string; base: Words; theirs: Words; mine: Words; keys: string[]; labels: Record<string, Text>; onClose: () => void; onSave: (merged: Words) => void;
}): JSX.Element {
	const changed = keys.filter((k) => theirs[k] !== base[k] || mine[k] !== base[k]);
	const [ours, setOurs] = useState(() => new Set(changed.filter((k) => mine[k] !== base[k])));
	const choose = (k: string, us: boolean) => {
		const s = new Set(ours);
		if (us)
			s.add(k);
		else
			s.delete(k);
		setOurs(s);
	};
	const save = () => onSave({ ...mine, ...Object.fromEntries(keys.map((k) => [k, (ours.has(k) ? mine[k] : theirs[k]) ?? ''])) });
	return <Dialog wide title={t('Somebody else changed {0} meanwhile', name)} onClose={onClose}>
		<p>{t('Nothing has been saved yet. Choose which value to keep.')}</p>
		<Scroll><table class="data merge">
			<thead><tr><th scope="col">{t('Field')}</th><th scope="col">{t('Before')}</th><th scope="col">{t('Theirs')}</th><th scope="col">{t('Yours')}</th></tr></thead>
			<tbody>{changed.map((k) => {
				const both = theirs[k] !== base[k] && mine[k] !== base[k] && theirs[k] !== mine[k];
				return <tr key={k}><th scope="row">{labels[k] ? t(labels[k]) : <code>{k}</code>}{both && <p class="badge warning">{t('both changed it')}</p>}</th><td>{base[k] ?? '–'}</td>
					{([[false, theirs[k]], [true, mine[k]]] as const).map(([us, v]) => <td key={String(us)} class={ours.has(k) === us ? 'chosen' : ''}>
						<label class="check"><input type="radio" name={'m-' + k} checked={ours.has(k) === us} onChange={() => choose(k, us)} />{v ?? t('without')}</label></td>)}</tr>;
			})}</tbody></table></Scroll>
		<div class="actions"><button type="button" onClick={onClose}>{t('Back to the form')}</button><button type="button" class="primary" onClick={save}>{t('Save the chosen')}</button></div>
	</Dialog>;
}
