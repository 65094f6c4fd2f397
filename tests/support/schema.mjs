// schema.mjs SEED SCHEMAS - what Ajv says about schemas and values drawn at random.
//
// One line per schema: {"schema": …, "values": […], "valid": […]}.  Names, numbers and texts come
// from small sets, so that schemas and values meet often.  Only keywords that aegis supports.
import Ajv2020 from "ajv/dist/2020.js";

let state = Number(process.argv[2]) >>> 0;
function random() {
	state = (state + 0x6d2b79f5) >>> 0;
	let t = Math.imul(state ^ (state >>> 15), 1 | state);
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
	return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const chance = (p) => random() < p;
const some = (most, make) => Array.from({ length: below(most + 1) }, make);

const names = ["a", "b", "ab", "c/d", "é~", "x1"];
const texts = ["", "a", "b", "ab", "abc", "aaa", "é", "日本", "😀", "a b", "A1", "x1", "2026-11-20", "a\nb", "a.b"];
const numbers = [0, -0, 1, 2, 3, 10, -1, -2, 0.5, 1.5, -0.5, 2.25, 1e10, 9007199254740991, 1e300, 0.1, 0.3];
const patterns = ["^a", "b$", "^[a-c]+$", "a|b", "^.$", "^(?:ab?)*$", "\\d", "^\\w+$", "\\s", "^[^a]*$", "a{2}", "^a{1,2}$",
	"^\\d{4}-\\d{2}-\\d{2}$", "\\.", "[\\d-]", "^$", "\\u00e9", "\\u{1F600}", "\\ud83d\\ude00", "^[\\W]", "(a|b|c)x?", "^a*?b+?$",
	"^\\S*$", "[é-日]", "^(a|ab)(c|bcd)?$", "x(?:1|2){0,2}$", "a.b", "^\\D{2,}$", "[^\\s\\w]", "(^a|b$)", "^(()|a)+b*$"];

function value(depth) {
	const kind = below(depth > 2 ? 5 : 8);
	if (kind === 0) return null;
	if (kind === 1) return chance(0.5);
	if (kind < 4) return pick(numbers);
	if (kind === 4) return pick(texts);
	if (kind === 5) return some(4, () => value(depth + 1));
	return Object.fromEntries(some(4, () => [pick(names), value(depth + 1)]));
}

const count = () => below(4);
const keywords = {
	type: () => chance(0.7) ? pick(types) : [...new Set([pick(types), pick(types)])],
	enum: () => [...new Map(some(3, () => value(1)).concat([value(2)]).map((v) => [JSON.stringify(v), v])).values()],
	const: () => value(1),
	properties: (d) => Object.fromEntries(some(3, () => [pick(names), draw(d + 1)])),
	patternProperties: (d) => Object.fromEntries(some(2, () => [pick(patterns), draw(d + 1)])),
	additionalProperties: (d) => chance(0.5) ? false : draw(d + 1),
	propertyNames: (d) => draw(d + 1),
	required: () => [...new Set(some(2, () => pick(names)))],
	minProperties: count, maxProperties: count, minItems: count, maxItems: count, minLength: count, maxLength: count,
	items: (d) => draw(d + 1),
	prefixItems: (d) => some(2, () => draw(d + 1)).concat([draw(d + 1)]),
	uniqueItems: () => chance(0.8),
	minimum: () => pick(numbers), maximum: () => pick(numbers),
	exclusiveMinimum: () => pick(numbers), exclusiveMaximum: () => pick(numbers),
	multipleOf: () => pick([1, 2, 3, 0.5, 1.5, 0.25, 10]),
	pattern: () => pick(patterns),
	allOf: (d) => list(d), anyOf: (d) => list(d), oneOf: (d) => list(d),
	not: (d) => draw(d + 1), if: (d) => draw(d + 1), then: (d) => draw(d + 1), else: (d) => draw(d + 1),
	// At the root to any definition, below it to one that refers to nothing: no chain is endless.
	$ref: (d) => pick(refs[d > 0 ? 1 : 0]),
	title: () => "a note", "x-note": () => value(0), format: () => "date",
};
const types = ["null", "boolean", "integer", "number", "string", "array", "object"];
let refs;
const list = (d) => some(2, () => draw(d + 1)).concat([draw(d + 1)]);

function draw(depth) {
	if (chance(0.06)) return chance(0.7);
	const s = {};
	for (let n = 1 + below(depth > 2 ? 2 : 4); n > 0; n--) {
		let k = pick(Object.keys(keywords));
		if (depth > 3 && keywords[k].length > 0) k = pick(["type", "const", "minimum", "pattern", "required"]);
		if (k === "$ref" && depth > 3) continue;
		s[k] = keywords[k](depth);
	}
	return s;
}

// A root with definitions, two of which refer to others, and one to itself and the root below members.
function root() {
	refs = [["#/$defs/n", "#/$defs/p~1q"], ["#/$defs/n"]];
	const s = draw(0);
	if (typeof s !== "object") return s;
	s.$defs = { n: { type: pick(types) }, "p/q": { anyOf: [{ $ref: "#/$defs/n" }, { minimum: 1 }] },
		tree: { type: "object", properties: { a: { $ref: "#/$defs/tree" }, b: { $ref: "#" } } } };
	if (chance(0.2)) s.properties = { ...s.properties, a: { $ref: "#/$defs/tree" } };
	return s;
}

// Its own precision rule for multipleOf, because 0.3 / 0.1 is not 3 in binary.  One for all: a new one would first
// compile the schema of schemas, which takes longer than everything else here.
const ajv = new Ajv2020({ strict: false, multipleOfPrecision: 10, validateFormats: false, logger: false });

for (let n = Number(process.argv[3]); n > 0;) {
	const schema = root();
	const check = ajv.compile(schema);
	const values = Array.from({ length: 40 }, () => value(0));
	let valid;
	ajv.removeSchema();		// nothing of it is left for the next one to meet
	try {
		valid = values.map((v) => check(v));
	} catch (e) {
		// The code that Ajv 8.20 makes for some schemas fails in the bookkeeping of
		// unevaluatedProperties; it has no opinion then, and another schema is drawn.
		if (!(e instanceof TypeError)) throw e;
		continue;
	}
	console.log(JSON.stringify({ schema, values, valid }));
	n--;
}
