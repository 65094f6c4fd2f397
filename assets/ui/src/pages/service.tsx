// service.tsx - one service: what was declared, who runs, who leads.
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import { t } from '../i18n';
import { allCards, cards, groups, services, trouble } from '../live/live';
import { cardKey } from '../live/state';
import { Age } from '../parts/age';
import { Facts, Head, Live } from '../parts/bits';
import { Cards } from '../parts/card';
import { Empty } from '../parts/states';
import { at, go, href, route } from '../router';
import { GroupTable } from './groups';

function Body({ name }: { name: string }): JSX.Element {
	const def = services.value.get(name);
	const mine = allCards.value.filter((c) => c.serviceName === name);
	mine.sort((a, b) => trouble(a) - trouble(b) || (a.instanceId < b.instanceId ? -1 : 1));
	// Old links name an instance alone; they lead there while it is the only one of that name.
	const named = def || mine.length > 0 ? [] : allCards.value.filter((c) => c.instanceId === name);
	useEffect(() => {
		if (named.length === 1 && named[0])
			void go(at`/services/${named[0].serviceName}/${name}`, true);
	}, [named.length]);
	const led = [...groups.value.values()].filter((g) => g.service === name);
	if (!def && mine.length === 0)
		return <Empty title={t('There is no such service')} command={`aegis registry put ${name}.json`}>{t('It is neither defined nor running.')}</Empty>;
	return <div class="stack">
		{def ? <><p class="lead">{def.description}</p><Facts rows={[[t('Owner'), def.owner], [t('Version'), def.version], [t('Changed'), <Age at={def.updated_at} />], [t('Revision'), String(def.revision)]]} /></> :
			<p class="note warning">{t('It is running, but nobody has defined it.')}</p>}
		{led.length > 0 && <section class="stack"><h2>{t('Leaders')}</h2><GroupTable groups={led} /></section>}
		<section class="stack"><h2>{t('Instances')} <small class="num">{mine.length}</small></h2>
			{mine.length === 0 ? <Empty title={t('No instance is running')} command={`aegis run-service --name ${name} -- ./my-program`} /> :
				<Cards density="comfortable" cards={mine.flatMap((c) => cards.get(cardKey(c)) ?? [])} />}</section>
	</div>;
}

export function ServicePage(): JSX.Element {
	const [, name = ''] = route.value;
	return <>
		<Head name={name} up={[['/', t('Dashboard')]]}>
			<span class="row end"><a class="button" href={href(at`/config/${name}`)}>{t('Configuration')}</a>
				<a class="button" href={href(at`/manage/${name}`)}>{t('Definition')}</a></span></Head>
		<Live>{() => <Body key={name} name={name} />}</Live>
	</>;
}
