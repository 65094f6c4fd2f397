// samples.mjs - how the operations of the management API are called for openapi.mjs: with a Python and an
// aegis instance there, service `shop`, instances `py-1` and `shop-1`.
export const names = { service: 'shop', instance: 'py-1', name: 'new-service', status: 'ACTIVE', group: 'default' };

const body = { service_name: 'new-service', owner: 'me', description: 'd', version: '1.0.0' };
export const order = ['createService', 'updateService', 'patchService', 'getService', 'getServiceRevision', 'getServiceHistory', 'listServices',
	'revertService', 'removeService'];
export const samples = {
	livez: {}, readyz: {}, startupz: {}, getHealth: {}, getReady: {}, getStatus: {}, getHealthDetailed: {}, getMetrics: {}, getOpenapi: {},
	createService: { body },
	listServices: { query: '?limit=5&sort=-owner&filter=owner:*' },
	getService: {},
	getServiceRevision: {},
	getServiceHistory: {},
	updateService: { body: { owner: 'you' } },
	patchService: { body: { owner: 'they' } },
	revertService: {
		prepare: async (ask) => {
			const past = await ask('getServiceHistory', {});
			return { body: { revision: past.json.at(-1).revision }, headers: { 'if-match': past.headers.get('etag') } };
		},
	},
	removeService: {},
	listInstances: { query: '?limit=1' },
	getSummary: {},
	listInstancesByStatus: {},
	listInstancesOfService: {},
	getInstance: {},
};
