// many.mjs - one call of each method named in a file: node many.mjs SERVICE FILE
import { readFileSync } from "node:fs";
import { Client, link } from "./sdk.mjs";

const [service, file] = process.argv.slice(2);
const nc = await link();
const client = new Client(nc, "msgpack");
for (const method of readFileSync(file, "utf8").split("\n").filter(Boolean))
	await client.call(service, method);
await nc.drain();
