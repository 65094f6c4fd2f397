// bucket.mjs - the registry's bucket as a stream: node bucket.mjs show | make JSON | keys
import { jetstreamManager } from "@nats-io/jetstream";
import { link } from "./sdk.mjs";

const [verb, text] = process.argv.slice(2);
const nc = await link();
const jsm = await jetstreamManager(nc);
if (verb === "make")
	await jsm.streams.add({ name: "KV_service_registry", subjects: ["$KV.service_registry.>"], ...JSON.parse(text) });
// What the server itself notes down about a stream is nobody's configuration.
const foreign = (metadata = {}) => Object.fromEntries(Object.entries(metadata).filter(([k]) => !k.startsWith("_nats")));
const info = await jsm.streams.info("KV_service_registry", { subjects_filter: ">" });
console.log(JSON.stringify(verb === "keys" ? Object.keys(info.state.subjects ?? {}).sort()
    : { ...info.config, metadata: foreign(info.config.metadata), consumers: info.state.consumer_count }));
await nc.drain();
