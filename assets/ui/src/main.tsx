// main.tsx - where the page begins: language and theme first, then who is looking, then the place that
// the address names.
import { render } from 'preact';
import type { JSX } from 'preact';
import { startLang, t } from './i18n';
import { Dashboard } from './pages/dashboard';
import { Login } from './pages/login';
import { Shell, startShell } from './parts/shell';
import { Empty, Failed, Skeleton } from './parts/states';
import { route, startRouter } from './router';
import { asking, askSession, problem, session } from './session';
import './theme';

function Here(): JSX.Element {
	const [first] = route.value;
	if (first === 'login')
		return <Login />;
	if (problem.value !== null)
		return <Failed error={problem.value} retry={() => void askSession()} />;
	if (asking.value || session.value === null)
		return <Skeleton cards={9} />;
	switch (first) {
	case undefined:
		return <Dashboard />;
	}
	return <Empty title={t('There is no such page')}><a href={document.baseURI}>{t('Dashboard')}</a></Empty>;
}

startRouter();
startShell();
void startLang().then(() => {
	const root = document.getElementById('app') as HTMLElement;
	root.textContent = '';
	render(<Shell><Here /></Shell>, root);
});
if (route.value[0] !== 'login')
	void askSession();
else
	asking.value = false;
