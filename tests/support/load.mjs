// load.mjs - calls a method one after the other until it is ended, as a Python client would.
//
//	node load.mjs SERVICE METHOD [PAUSE_MS [TIMEOUT_S]]
//
// One line per change of the outcome ("good", "away", "other TEXT"), so that a scenario can
// wait for the last one.
import { Client, link } from "./sdk.mjs";

const [service, method, wait = 5, timeout = 1] = process.argv.slice(2);
const nc = await link();
const client = new Client(nc, "msgpack");
let last = "";

function tell(outcome) {
	if (outcome !== last)
		console.log(outcome);
	last = outcome;
}

for (let n = 0; ; n++) {
	try {
		const r = await client.call(service, method, { n }, { timeout: Number(timeout) });
		const error = r.success && r.result?.success === false ? r.result.error : r.error;	// an exclusive method's
		tell(error === null ? "good" : `other ${error}`);
	} catch (e) {
		tell(/timeout|no responders|disconnect|closed|connection/i.test(`${e.name} ${e.message}`) ? "away"
		    : `other ${e.name} ${e.message}`);
	}
	await new Promise((done) => setTimeout(done, Number(wait)));
}
