// micro.mjs - the official client of NATS micro lists, describes and counts a service.
//
//	node micro.mjs SERVICE N	one JSON object: ping, info and stats, each a list of the N instances
import { Svcm } from "@nats-io/services";
import { link } from "./sdk.mjs";

const nc = await link();
const client = new Svcm(nc).client({ strategy: "count", maxWait: 60000, maxMessages: Number(process.argv[3]) });
const out = {};
for (const verb of ["ping", "info", "stats"]) {
	out[verb] = [];
	for await (const one of await client[verb](process.argv[2]))
		out[verb].push(one);
	out[verb].sort((a, b) => a.id.localeCompare(b.id));
}
console.log(JSON.stringify(out));
await nc.drain();
