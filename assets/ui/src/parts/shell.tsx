// shell.tsx - what stands around every page: the bar with its places, the state of the stream, the words
// for screen readers, and the help of the keyboard.
import { effect, signal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { span } from '../format';
import { chooseLang, lang, t, told } from '../i18n';
import { columns, keysOn, startKeys, step, switchKeys } from '../keys';
import { asOf, heardAt, link, loaded, now, overview, pause, paused, retryNow, unhealthy } from '../live/live';
import { address, go, href, route } from '../router';
import { LoginForm } from '../pages/login';
import { asking, ended, isAdmin, leave, session } from '../session';
import { nextTheme, theme } from '../theme';
import { announce, mention } from './announce';
import { Dialog } from './dialog';
import { Icon } from './icon';

const helping = signal(false);
const titles = signal('');

export function title(text: string): void {
	titles.value = text;
}

// The tab's title and icon change on trouble, so that it is seen from another tab.
effect(() => {
	const n = session.value ? unhealthy.value : 0;
	const bad = n > 0, lost = link.value.state === 'lost' && session.value !== null;
	const name = lang.value === 'zh' && titles.value === '' ? 'AegisSDK 服务监控' : 'aegis';
	document.title = (bad ? `(${n}✖) ` : '') + (titles.value ? `${titles.value} · ${name}` : name);
	const icon = document.getElementById('icon') as HTMLLinkElement | null;
	const file = `/assets/${bad ? ICONS.trouble : lost ? ICONS.offline : ICONS.favicon}`;
	if (icon && !icon.href.endsWith(file))
		icon.href = href(file);
});

let was = -1;
effect(() => {
	const n = unhealthy.value;
	if (!loaded.value)
		return;
	if (was >= 0 && n > was)
		announce(t('{0} unhealthy', n));
	else if (was >= 0 && n < was)
		mention(t('{0} unhealthy', n));
	was = n;
});
effect(() => {
	if (link.value.state === 'lost')
		announce(t('The live stream is interrupted'));
});

function Live(): JSX.Element {
	const l = link.value;
	if (paused.value)
		return <button type="button" class="live paused" onClick={() => pause(false)}><Icon name="pause" />{t('Paused')}</button>;
	const at = heardAt.value || Date.parse(asOf.value);
	if (l.state === 'live' && loaded.value) {
		const nats = overview.value?.nats;
		if (nats && !nats.connected)
			return <span class="live half" role="status"><Icon name="half" />{t('NATS away, data {0} old', span(now.value - Date.parse(overview.value!.as_of)))}</span>;
		return <button type="button" class="live on" title={t('Pause updates (p)')} onClick={() => pause(true)}>
			<Icon name="dot" />{t('Live')}<span class="num age">{at ? span(now.value - at) : ''}</span></button>;
	}
	if (l.state !== 'lost')
		return <span class="live half"><Icon name="half" />{t('Connecting…')}</span>;
	const old = at ? span(now.value - at) : '';
	return <button type="button" class={navigator.onLine ? 'live half' : 'live off'} title={t('Try again now')} onClick={retryNow}>
		<Icon name={navigator.onLine ? 'half' : 'ring'} />
		<span class="num">{navigator.onLine ? t('Reconnecting') : t('Offline')}{loaded.value && old ? ', ' + t('data {0} old', old) : ''}</span></button>;
}

function Place({ to, children }: { to: string; children: ComponentChildren }): JSX.Element {
	const here = to === '/' ? route.value.length === 0 || route.value[0] === 'services' : '/' + (route.value[0] ?? '') === to;
	return <a href={href(to)} aria-current={here ? 'page' : undefined}>{children}</a>;
}

const THEMES = { auto: 'auto', light: 'sun', dark: 'moon' } as const;

function themeName(): string {
	return theme.value === 'auto' ? t('Theme: as the system') : theme.value === 'light' ? t('Theme: light') : t('Theme: dark');
}
function turnTheme(): void {
	nextTheme();
	announce(themeName());
}

// What does not work as it should, at the foot of the window: it comes and goes without moving anything.
function Degraded({ all }: { all: string[] }): JSX.Element | null {
	const [first, ...more] = all;
	if (first === undefined)
		return null;
	return <aside class="degraded" aria-label={t('Degraded')}><Icon name="warning" />{more.length === 0 ? <p>{told(first)}</p> :
		<details><summary>{told(first)} <strong>{t('and {0} more', more.length)}</strong></summary><ul>{more.map((d) => <li key={d}>{told(d)}</li>)}</ul></details>}</aside>;
}

export function Shell({ children }: { children: ComponentChildren }): JSX.Element {
	const s = session.value;
	const other = lang.value === 'en' ? 'zh' : 'en';
	const inside = s !== null || asking.value;	// the bar has its size before it is known who looks
	return <>
		<a class="skip" href="#main" onClick={(e) => (e.preventDefault(), document.getElementById('main')?.focus())}>{t('Skip to content')}</a>
		<header class="bar">
			<a class="brand" href={href('/')}><img src={href('/assets/' + ICONS.favicon)} alt="" width="24" height="24" />aegis</a>
			{inside && <nav aria-label={t('Places')}>
				<Place to="/">{t('Dashboard')}</Place>
				<Place to="/groups">{t('Leaders')}</Place>
				<Place to="/manage">{t('Definitions')}</Place>
				{isAdmin() && <Place to="/tokens">{t('Tokens')}</Place>}
				{isAdmin() && <Place to="/audit">{t('Audit')}</Place>}
			</nav>}
			<div class="tools">
				{inside && <Live />}
				<button type="button" class="plain" title={themeName()} aria-label={themeName()} onClick={turnTheme}><Icon name={THEMES[theme.value]} /></button>
				<button type="button" class="plain lang" lang={other === 'zh' ? 'zh-CN' : 'en'} onClick={() => chooseLang(other)}>{other === 'zh' ? '中文' : 'English'}</button>
				{inside && <button type="button" class="plain keys-help" aria-label={t('Keyboard')} title={t('Keyboard (?)')} onClick={() => (helping.value = true)}>?</button>}
				{inside && <button type="button" class="plain who" disabled={!s} title={s ? `${s.name} · ${s.role}` : ''} onClick={() => void leave()}>{t('Log out')}</button>}
			</div>
		</header>
		<main id="main" tabIndex={-1}>{children}</main>
		{s && <Degraded all={overview.value?.degraded ?? []} />}
		<footer class="foot">{s && <><span>aegis {s.version}</span><span>{s.name} · {s.role}{s.service ? ` · ${s.service}` : ''}{s.read_only ? ` · ${t('read only')}` : ''}</span></>}
			<a href={href('/openapi.json')} target="_blank" rel="noreferrer">{t('API')}</a></footer>
		<div id="say-soon" class="sr" role="status" aria-live="polite" />
		<div id="say-now" class="sr" role="alert" aria-live="assertive" />
		{helping.value && <Help />}
		{s && ended.value && <Dialog title={t('Your session has ended')} onClose={() => (ended.value = false)}>
			<p>{t('What you typed is still here. Log in again to go on.')}</p><LoginForm done={() => announce(t('Live'))} /></Dialog>}
	</>;
}

function Help(): JSX.Element {
	const rows: [string, string][] = [
		['/', t('Search')], ['↑ ↓ ← → · j k', t('Move')], ['Enter', t('Open')],
		['g d', t('Dashboard')], ['g l', t('Leaders')], ['g m', t('Definitions')], ['g s', t('Services')],
		['g a', t('Audit')], ['p', t('Pause updates')], ['t', t('Theme')], ['?', t('This help')], ['Esc', t('Close')],
	];
	return <Dialog title={t('Keyboard')} onClose={() => (helping.value = false)}>
		<table class="keys"><tbody>{rows.map(([k, w]) => <tr key={k}><th scope="row"><kbd>{k}</kbd></th><td>{w}</td></tr>)}</tbody></table>
		<label class="check"><input type="checkbox" checked={keysOn.value} onChange={(e) => switchKeys(e.currentTarget.checked)} />{t('Use single-key shortcuts')}</label>
	</Dialog>;
}

export function startShell(): void {
	const to = (path: string) => () => void go(path);
	startKeys({
		'/': () => document.querySelector<HTMLInputElement>('input[type=search]')?.focus(),
		j: () => step(1), k: () => step(-1),
		ArrowDown: () => step(columns()), ArrowUp: () => step(-columns()),
		ArrowRight: () => step(1), ArrowLeft: () => step(-1),
		p: () => {
			pause(!paused.peek());
			announce(paused.peek() ? t('Paused') : t('Live'));
		},
		t: turnTheme,
		'?': () => (helping.value = true),
	}, {
		d: to('/'), l: to('/groups'), m: to('/manage'), a: to('/audit'), k: to('/tokens'),
		s: to('/?group=service'),
	});
}

// Escape on the page itself goes up one level.
addEventListener('keydown', (e) => {
	if (e.key === 'Escape' && !e.defaultPrevented && keysOn.value && document.activeElement === document.body &&
	    !document.querySelector('dialog[open]') && address.value.path.split('/').length > 2)
		void go(route.value[0] === 'services' ? '/' : '/' + route.value[0]);
});
