// prom.mjs URL EXPRESSION - reads Prometheus text by the rules of its format, strictly, and asks whether
// EXPRESSION is true of m: name -> [{labels, value}].  A token in $TOKEN goes along.
const headers = process.env.TOKEN ? { authorization: `Bearer ${process.env.TOKEN}` } : {};
const text = await (await fetch(process.argv[2], { headers })).text();
const m = {}, types = {};
let family;
const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;

function labels(rest) {
	const out = {};
	if (rest[0] !== '{')
		return [out, rest];
	rest = rest.slice(1);
	while (rest[0] !== '}') {
		const [all, key, value] = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)",?/.exec(rest);
		if (key in out)
			throw new Error(`label ${key} twice`);
		out[key] = value.replace(/\\(.)/g, (_, c) => c === 'n' ? '\n' : c);
		rest = rest.slice(all.length);
	}
	return [out, rest.slice(1)];
}

function number(word) {
	if (!/^([+-]?Inf|NaN|[+-]?\d+(\.\d+)?([eE][+-]?\d+)?)$/.test(word))
		throw new Error(`no number: ${word}`);
	return word === '+Inf' ? Infinity : word === '-Inf' ? -Infinity : Number(word);
}

if (!text.endsWith('\n'))
	throw new Error('the last line has no end');
for (const line of text.slice(0, -1).split('\n')) {
	const head = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
	if (head) {
		if (head[1] === 'TYPE') {
			if (head[2] in types)
				throw new Error(`family ${head[2]} twice`);
			if (!['counter', 'gauge', 'histogram', 'summary', 'untyped'].includes(head[3]))
				throw new Error(`no type: ${head[3]}`);
			types[family = head[2]] = head[3];
		}
		continue;
	}
	const key = name.exec(line)[0];
	if (types[family] === 'histogram' ? !/^_(bucket|sum|count)$/.test(key.slice(family.length)) : key !== family)
		throw new Error(`${key} stands below ${family}`);
	const [set, rest] = labels(line.slice(key.length));
	(m[key] ??= []).push({ labels: set, value: number(rest.trim()) });
}
// A histogram's buckets grow, and the last one is its count.
for (const [base, type] of Object.entries(types)) {
	if (type === 'counter' && !base.endsWith('_total'))
		throw new Error(`counter ${base} has no _total`);
	if (type !== 'histogram')
		continue;
	for (const c of m[`${base}_count`] ?? []) {
		const same = (s) => Object.entries(c.labels).every(([k, v]) => s.labels[k] === v);
		const buckets = m[`${base}_bucket`].filter(same);
		if (buckets.at(-1).labels.le !== '+Inf' || buckets.at(-1).value !== c.value ||
		    buckets.some((b, i) => i > 0 && (b.value < buckets[i - 1].value ||
			number(b.labels.le) <= number(buckets[i - 1].labels.le))))
			throw new Error(`histogram ${base} contradicts itself`);
	}
}
if (eval(process.argv[3]) !== true) {
	console.error(text);
	process.exit(1);
}
