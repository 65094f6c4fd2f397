// fleet.mjs - records of instances that nobody runs, for tests of who looks at many.
import { headers } from "@nats-io/transport-node";

export function beat(nc, service, instance, version = "1.0.0", status = "ACTIVE") {
	const h = headers();
	h.set("Nats-Rollup", "sub");
	nc.publish(`$KV.service_registry.service-instances__${service}__${instance}`, JSON.stringify({
		serviceName: service, instanceId: instance, version, status,
		lastHeartbeat: new Date().toISOString().replace("Z", "000+00:00"), stickyActiveGroup: null, metadata: {},
	}), { headers: h });
}
