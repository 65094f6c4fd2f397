// stack.mjs - what a test of the page looks at: a nats-server, `aegis serve-api` and wrapped programs, all real,
// on addresses of the loopback interface that are its own.  All of it ends with the test.
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../..');
const AEGIS = process.env.AEGIS ?? join(root, 'build/aegis');
const NATS = process.env.NATS_SERVER ?? join(root, 'build/root/usr/sbin/nats-server');

// freePort: one that nobody else gets while this test lives, also while its server is away: below those that the system
// gives to whoever asks for any, and held for us by a datagram socket of the same number.
const FIRST_PORT = 20_000, PORTS = 12_000;
const bound = (socket, bind) => new Promise((done) => {
	socket.once('error', () => done(false));
	bind(() => done(true));
});
export async function freePort() {
	for (;;) {
		const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
		const guard = createSocket('udp4').unref(), server = createServer();
		if (await bound(guard, (then) => guard.bind(port, '127.0.0.1', then))) {
			if (await bound(server, (then) => server.listen(port, '127.0.0.1', then))) {
				await new Promise((done) => server.close(done));
				return port;
			}
			guard.close();
		}
	}
}

// until: what takes a moment on a machine that has the time may take two minutes on one that is busy with other tests.
export async function until(what, condition, timeout = 120_000) {
	const end = Date.now() + timeout;
	for (;;) {
		const got = await condition();
		if (got)
			return got;
		if (Date.now() > end)
			throw new Error(`timed out: ${what}`);
		await new Promise((done) => setTimeout(done, 50));
	}
}

export class Stack {
	dir = mkdtempSync(join(tmpdir(), 'aegis-ui-'));
	procs = new Map();
	logs = new Map();

	static async start(options = {}) {
		const s = new Stack();
		process.on('exit', () => s.end());
		await s.startNats();
		await s.startApi(options.api ?? []);
		return s;
	}

	// demo: `aegis dev`, with its services.
	static async demo() {
		const s = new Stack();
		process.on('exit', () => s.end());
		s.run('dev', AEGIS, ['dev', '--port', '0', '--data-dir', join(s.dir, 'dev')]);
		await until('the demo runs', () => s.logs.get('dev').includes('Ctrl-C ends all of it'));
		s.nats = /NATS_URL=(\S+)/.exec(s.logs.get('dev'))[1];
		s.url = /serve-api +\d+ +(\S+)/.exec(s.logs.get('dev'))[1];
		return s;
	}

	program = AEGIS;

	// run: in a process group of its own, which ends as a whole.
	run(name, command, args) {
		const p = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: this.env });
		this.logs.set(name, '');
		for (const out of [p.stdout, p.stderr])
			out.on('data', (d) => this.logs.set(name, this.logs.get(name) + d));
		this.procs.set(name, p);
		return p;
	}

	async startNats() {
		this.natsPort ??= await freePort();
		this.nats = `nats://127.0.0.1:${this.natsPort}`;
		this.run('nats', NATS, ['-a', '127.0.0.1', '-p', String(this.natsPort), '-js', '-sd', join(this.dir, 'js')]);
		await until('nats-server is ready', () => this.logs.get('nats').includes('Server is ready'));
	}

	get env() {
		const env = Object.fromEntries(Object.entries(process.env).filter(([k]) => !/^(NATS_|AEGIS_|SERVICE_|INSTANCE_ID|API_)/.test(k)));
		return { ...env, ...(this.nats && { NATS_URL: this.nats }), AEGIS_NATS_SERVER: NATS, XDG_RUNTIME_DIR: this.dir, XDG_CONFIG_HOME: this.dir, XDG_STATE_HOME: this.dir, HOME: this.dir };
	}

	async startApi(args = []) {
		this.port ??= await freePort();
		this.url = `http://127.0.0.1:${this.port}`;
		this.run('api', AEGIS, ['serve-api', '--listen', this.url, ...args]);
		await until('the API is ready', () => fetch(this.url + '/readyz').then((r) => r.ok, () => false));
	}

	aegis(...args) {
		const r = spawnSync(AEGIS, args, { env: this.env, encoding: 'utf8', timeout: 120_000 });
		if (r.status !== 0)
			throw new Error(`aegis ${args.join(' ')}: exit ${r.status}: ${r.stderr}`);
		return r.stdout;
	}
	token(role, ...more) {
		return JSON.parse(this.aegis('token', 'create', '--role', role, '--name', `${role} of the test`, '--json', ...more)).token;
	}
	link(role) {
		return JSON.parse(this.aegis('token', 'create', '--role', role, '--name', `${role} by link`, '--link', this.url, '--json')).link;
	}

	define(service_name, more = {}) {
		const file = join(this.dir, 'definition.json');
		writeFileSync(file, JSON.stringify({ service_name, owner: 'team-a', description: 'what it is for', version: '1.0.0', ...more }));
		this.aegis('registry', 'put', file);
	}

	// instance: a wrapped program; ill(name) makes it unhealthy until well(name).  More options, and `--` with the
	// program if it is to do something.
	instance(service, id, ...more) {
		const program = more.includes('--') ? [] : ['--', 'sleep', '1000000'];
		this.run(id, AEGIS, ['run-service', '--name', service, '--instance-id', id, '--heartbeat-interval', '1s',
			'--health-cmd', `test ! -e ${join(this.dir, id + '.ill')}`, '--health-interval', '100ms', '--health-timeout', '60s', ...more, ...program]);
	}
	ill(id) {
		writeFileSync(join(this.dir, id + '.ill'), '');
	}
	well(id) {
		rmSync(join(this.dir, id + '.ill'), { force: true });
	}

	// stop: as an orchestrator would (TERM), or at once (KILL); resolves when it is gone.
	async stop(name, signal = 'SIGTERM') {
		const p = this.procs.get(name);
		this.procs.delete(name);
		const gone = new Promise((done) => p.once('exit', done));
		process.kill(-p.pid, signal);
		await gone;
	}

	// stopAll: in good order, what came last first.
	async stopAll() {
		for (const name of [...this.procs.keys()].reverse())
			await this.stop(name);
	}

	end() {
		for (const p of this.procs.values())
			try {
				process.kill(-p.pid, 'SIGKILL');
			} catch {
				// it ended by itself
			}
		this.procs.clear();
		rmSync(this.dir, { recursive: true, force: true });
	}
}

