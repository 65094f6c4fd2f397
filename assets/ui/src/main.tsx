// main.tsx - where the page begins: language and theme first, then who is looking, then the place that
// the address names.
import { render } from 'preact';
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { startLang, t } from './i18n';
import { Dashboard, Waiting } from './pages/dashboard';
import { Login } from './pages/login';
import { Shell, startShell } from './parts/shell';
import { Empty, Failed, Skeleton } from './parts/states';
import { href, route, startRouter } from './router';
import { asking, askSession, problem, session } from './session';
import './theme';

type Places = typeof import('./pages/places');
let places: Places | null = null;

// Later: one of the pages that are fetched when somebody goes there.
function Later({ page }: { page: keyof Places }): JSX.Element {
	const [, again] = useState(0);
	const [failed, setFailed] = useState(false);
	useEffect(() => {
		if (places === null)
			import('./pages/places').then((m) => (places = m, again(1)), () => setFailed(true));
	}, []);
	// After an upgrade of the server the old page's files are gone.
	if (failed)
		return <Failed error={new Error(t('This part of the page could not be loaded.'))} retry={() => location.reload()} />;
	const Page = places?.[page];
	return Page ? <Page /> : <Skeleton />;
}

const ROOTS: Record<string, keyof Places> = { groups: 'GroupsPage', manage: 'ManagePage', config: 'ConfigPage', tokens: 'TokensPage', audit: 'AuditPage' };

function Here(): JSX.Element {
	const [first, second, third] = route.value;
	if (first === 'login')
		return <Login />;
	if (problem.value !== null)
		return <Failed error={problem.value} retry={() => void askSession()} />;
	if (asking.value || session.value === null)
		return first === undefined ? <Waiting /> : <Skeleton lines={5} />;
	if (first === undefined)
		return <Dashboard />;
	const page = first === 'services' ? third ? 'InstancePage' : second && 'ServicePage' : first === 'groups' && third ? 'GroupPage' : ROOTS[first];
	return page ? <Later key={page} page={page} /> : <Empty whole title={t('There is no such page')}><a href={href('/')}>{t('Dashboard')}</a></Empty>;
}

startRouter();
startShell();
void startLang().then(() => {
	const root = document.getElementById('app') as HTMLElement;
	root.textContent = '';
	render(<Shell><Here /></Shell>, root);
});
// Nobody waits for a page that is there already.
setTimeout(() => void import('./pages/places').then((m) => (places = m), () => {}), 3000);
if (route.value[0] !== 'login')
	void askSession();
else
	asking.value = false;
