// once.mjs - calls, as a Python client does, and prints the replies, one JSON line each.
//
//	node once.mjs SERVICE METHOD [PARAMS [COUNT [FORMAT]]]
//
// COUNT calls go out at the same time; "took" is what each took in ms.
import { Client, link } from "./sdk.mjs";

const [service, method, params = "{}", count = "1", format = "msgpack"] = process.argv.slice(2);
const nc = await link();
const client = new Client(nc, format);
await Promise.all(Array.from({ length: Number(count) }, async () => {
	const start = Date.now();
	const { headers, ...reply } = await client.call(service, method, JSON.parse(params), { timeout: 120 });
	console.log(JSON.stringify({ took: Date.now() - start, ...reply, code: headers?.get("Nats-Service-Error-Code") }));
}));
await nc.drain();
