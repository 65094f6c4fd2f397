// writer.mjs - a program that publishes events by its local API without a pause, whatever becomes of it.
//
//	node writer.mjs LOG
//
// Each line of LOG: `STATUS INSTANCE NUMBER`; STATUS 201: stored, 503: this instance does not lead, 0: no answer.
import { appendFileSync } from "node:fs";
import { request } from "node:http";

const { AEGIS_API: api, AEGIS_API_TOKEN: token, AEGIS_INSTANCE: instance } = process.env;
const at = api.startsWith("unix:") ? { socketPath: api.slice(5) } : { host: new URL(api).hostname, port: new URL(api).port };

function publish(n) {
	return new Promise((done) => {
		const r = request({ ...at, path: "/v1/events/ledger/booked", method: "POST",
			headers: { authorization: `Bearer ${token}`, "content-type": "application/json" } }, (res) => {
			res.resume();
			res.on("end", () => done(res.statusCode));
		});
		r.on("error", () => done(0));
		r.end(JSON.stringify({ instance, n }));
	});
}

for (let n = 1; ; n++) {
	const status = await publish(n);
	appendFileSync(process.argv[2], `${status} ${instance} ${n}\n`);
	if (status !== 201)
		await new Promise((done) => setTimeout(done, 20));
}
