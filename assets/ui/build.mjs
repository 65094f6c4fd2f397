// build.mjs - bundles the page, holds it to its budgets, and packs it for embedding.
//
//	node assets/ui/build.mjs OUT
//
// OUT gets the files as a browser would ask for them, each beside its packed variants, then ui.S,
// which puts all of them into a program, and ui_files.def, which lists them for C.  The C build
// takes those two and calls no Node.  Nothing in here depends on the time or the directory.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import esbuild from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
if (!out) {
	console.error('build.mjs: say where to: node assets/ui/build.mjs OUT');
	process.exit(2);
}

// What a class of files may weigh, in kB of gzip (1 kB = 1000 bytes).
const BUDGETS = { initial: 25, style: 8, html: 3, icons: 3, demand: 27, all: 70 };
const TINY = 1200;		// below this a file is kept unpacked as well, for readers without gzip

const TYPES = {
	html: 'text/html; charset=utf-8',
	js: 'text/javascript; charset=utf-8',
	css: 'text/css; charset=utf-8',
	svg: 'image/svg+xml',
};

const common = {
	absWorkingDir: here,
	bundle: true,
	minify: true,
	write: false,
	metafile: true,
	legalComments: 'none',
	target: ['es2022'],
	charset: 'utf8',
	logLevel: 'warning',
	jsx: 'automatic',
	jsxImportSource: 'preact',
	outdir: 'assets',
	entryNames: '[name]-[hash]',
	chunkNames: '[name]-[hash]',
};

const files = new Map();	// path in the address -> { bytes, kind }
const put = (path, bytes, kind) => files.set(path, { bytes: Buffer.from(bytes), kind });
const made = (result, name) => {
	const [path] = Object.entries(result.metafile.outputs).find(([, o]) => o.entryPoint === name);
	return path;
};

// The worker comes first: the page must know its address.
const worker = await esbuild.build({ ...common, entryPoints: ['src/live/worker.ts'], format: 'iife' });
for (const f of worker.outputFiles)
	put('/assets/' + f.path.split('/').pop(), f.contents, 'demand');
const workerName = made(worker, 'src/live/worker.ts').split('/').pop();

const icons = readdirSync(join(here, 'icons')).sort();
const iconName = {};
for (const name of icons) {
	const bytes = readFileSync(join(here, 'icons', name));
	const [stem, ext] = name.split('.');
	iconName[stem] = `${stem}-${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}.${ext}`;
	put('/assets/' + iconName[stem], bytes, 'icons');
}

const page = await esbuild.build({
	...common,
	entryPoints: ['src/main.tsx', 'style/page.css'],
	format: 'esm',
	splitting: true,
	define: { WORKER: JSON.stringify(workerName), ICONS: JSON.stringify(iconName) },
});
const outputs = page.metafile.outputs;
const main = made(page, 'src/main.tsx');
const style = made(page, 'style/page.css');

// What the first page loads: the entry and all that it imports without being asked to.
const initial = new Set();
const follow = (path) => {
	if (initial.has(path))
		return;
	initial.add(path);
	for (const i of outputs[path].imports)
		if (i.kind === 'import-statement')
			follow(i.path);
};
follow(main);
for (const f of page.outputFiles) {
	const path = 'assets/' + f.path.split('/').pop();
	const kind = path === style ? 'style' : initial.has(path) ? 'initial' : 'demand';
	put('/' + path, f.contents, kind);
}

const preload = [...initial].filter((p) => p !== main).sort()
	.map((p) => `<link rel="modulepreload" href="/${p}">`).join('');
const html = readFileSync(join(here, 'index.html'), 'utf8')
	.replace(/<!--[^]*?-->\n?/g, '')
	.replace('%MAIN%', '/' + main).replace('%STYLE%', '/' + style).replace('%PRELOAD%', preload)
	.replace('%ICON%', '/assets/' + iconName.favicon);
put('/index.html', html, 'html');

// --- pack, weigh, write ---------------------------------------------------------------------

// Beside the old one, whose place it takes when it is whole: who assembles meanwhile finds one or the other.
const fresh = out + '.new';
rmSync(fresh, { recursive: true, force: true });
mkdirSync(join(fresh, 'assets'), { recursive: true });
const weight = { all: 0 };
const def = [], asm = [];
let number = 0;
for (const [path, { bytes, kind }] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
	const gz = gzipSync(bytes, { level: 9 });
	const br = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11,
		[constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
	const file = join(out, path), to = join(fresh, path);
	writeFileSync(to, bytes);
	writeFileSync(to + '.gz', gz);
	writeFileSync(to + '.br', br);
	weight[kind] = (weight[kind] ?? 0) + gz.length;
	weight.all += gz.length;
	// The page itself is kept unpacked, too: --base-path changes it.
	const raw = bytes.length <= TINY || kind === 'html';
	const tag = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
	const type = TYPES[path.split('.').pop()];
	def.push(`UI_FILE(${number}, "${path}", "${type}", "${tag}", ${raw ? 'true' : 'false'})`);
	const blobs = [['gz', file + '.gz'], ['br', file + '.br'], ['raw', raw ? file : null]];
	for (const [what, from] of blobs) {
		const name = `ui_${number}_${what}`;
		asm.push(`\t.global ${name}, ${name}_end`, `${name}:`);
		if (from !== null)
			asm.push(`\t.incbin "${from}"`);
		asm.push(`${name}_end:`);
	}
	number++;
}
writeFileSync(join(fresh, 'ui_files.def'), `/* made by assets/ui/build.mjs */\n${def.join('\n')}\n`);
writeFileSync(join(fresh, 'ui.S'), `/* made by assets/ui/build.mjs */\n\t.section .rodata\n${asm.join('\n')}\n` +
	'\t.byte 0\n\t.section .note.GNU-stack, "", @progbits\n');

let heavy = 0;
const words = [];
for (const [kind, limit] of Object.entries(BUDGETS)) {
	const kb = (weight[kind] ?? 0) / 1000;
	words.push(`${kind} ${kb.toFixed(1)}/${limit}`);
	if (kb > limit) {
		console.error(`build.mjs: ${kind}: ${kb.toFixed(1)} kB of gzip, more than its budget of ${limit} kB`);
		heavy++;
	}
}
console.log(`  page  ${words.join(', ')} kB`);
if (heavy) {
	rmSync(out, { recursive: true, force: true });	// what does not fit is not built
	for (const [path, { kind, bytes }] of files)
		console.error(`  ${kind.padEnd(8)} ${String(gzipSync(bytes, { level: 9 }).length).padStart(6)} ${path}`);
	process.exit(1);
}
rmSync(out, { recursive: true, force: true });
renameSync(fresh, out);
