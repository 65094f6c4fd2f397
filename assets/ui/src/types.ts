// types.ts - what the management API says, as types.  Times are RFC 3339, units stand in the names.
// Instance records are camelCase, as every client of the registry knows them; all else is snake_case.

export type Status = 'ACTIVE' | 'STANDBY' | 'UNHEALTHY';
export type Role = 'viewer' | 'operator' | 'admin';
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Instance {
	serviceName: string;
	instanceId: string;
	version: string;
	status: Status;
	lastHeartbeat: string;
	stickyActiveGroup: string | null;
	metadata: { [key: string]: Json };
	stickyActiveStatus?: string;
}

// An instance as the event stream tells it.
export interface Card extends Instance {
	revision: number;
	stale: boolean;
	since: string;
	leader: boolean;
	epoch: number | null;
}

export interface Figures {
	calls_per_second: number | null;
	p50_ms: number | null;
	p99_ms: number | null;
	error_rate: number | null;
	queue_depth: number | null;
	in_flight: number | null;
	uptime_seconds: number | null;
	trend: (number | null)[] | null;
}

export interface Definition {
	service_name: string;
	owner: string;
	description: string;
	version: string;
	created_at: string;
	updated_at: string;
}
export interface Service extends Definition {
	revision: number;
}

export interface Member {
	instance: string;
	role: 'leader' | 'standby' | 'electing';
	status: Status;
	stale: boolean;
}
export interface Register {
	number: number;
	bucket: string;
	node: string | null;
	reached: boolean;
	problem: string | null;
	state: string;
	revision: number;
	owner: string | null;
	epoch: number;
	age_ms: number;
}
export interface GroupChange {
	at: string | null;
	instance: string;
	epoch: number;
	reason: string;
}
export interface Group {
	service: string;
	group: string;
	leader: { instance: string; epoch: number; since: string | null } | null;
	obstacle: string | null;
	warnings: string[];
	profile: string | null;
	lease_ms: number | null;
	members: Member[];
	registers?: Register[];
	changes?: GroupChange[];
}

export interface Overview {
	services: number;
	instances: number;
	active: number;
	standby: number;
	unhealthy: number;
	stale: number;
	leaders: number;
	leaderless: number;
	nats: { connected: boolean; rtt_ms: number | null; server: string | null };
	as_of: string;
	degraded: string[];
}

export interface Snapshot {
	as_of: string;
	instances: Card[];
	services: Service[];
	groups: Group[];
	overview: Overview | null;
	ahead?: number;			// ms that the server's clock is ahead of ours; measured when it came
	metrics: { [key: string]: Figures };
}

export interface Gone {
	service: string;
	instance: string;
	cause: string;
	at: string;
}
export interface Departed extends Gone {
	by: string | null;
	last: Instance | null;
}

export interface Session {
	id: string;
	name: string;
	role: Role | 'metrics';
	service: string | null;
	via: 'cookie' | 'token';
	expires_at: string | null;
	idle_seconds: number | null;
	read_only: boolean;
	version: string;
}

export interface Token {
	id: string;
	name: string;
	role: Role | 'metrics';
	service: string | null;
	prefix: string | null;
	created_at: string;
	created_by: string | null;
	expires_at: string | null;
	last_used_at: string | null;
	token?: string;
}

export interface AuditRecord {
	seq: number;
	at: string;
	actor: { id: string | null; name: string | null; role: string | null };	// of a refused login nobody is known; of the terminal the role is not
	action: string;
	target: string;
	before_revision: number | null;
	after_revision: number | null;
	before: Json;
	after: Json;
	request_id: string;
	peer: string;
}

export interface DefinitionVersion {
	revision: number;
	at: string;
	deleted: boolean;
	service: Definition | null;
}

export interface Setting {
	key: string;
	value: Json;
	origin: 'flag' | 'env' | 'file' | 'central' | 'default';
	pending: boolean;
	live: boolean;
	secret: boolean;
	wanted?: Json;			// after a restart, when it is pending
}
export interface Settings {
	service: string;
	instance: string;
	revision: number | null;
	applied_revision: number | null;
	refused?: string | null;	// why the newest document is not applied
	pending: string[];
	settings: Setting[];
}

export interface Config {
	service: string;
	revision: number;
	updated_at: string;
	updated_by: string | null;
	settings: { [key: string]: Json } | null;
	deleted: boolean;
	unreadable: string | null;	// why it is no document: somebody else wrote it
}

export interface Series {
	step_seconds: number;
	from: string;
	to: string;
	columns: string[];
	rows: (number | null)[][];
}

export interface InstanceEvent {
	at: string;
	kind: string;
	from: string | null;
	to: string | null;
	text: string;
}

export interface Problem {
	title?: string;
	status: number;
	detail?: string;
	request_id?: string;
	errors?: { pointer: string; detail: string }[];
	error?: { code: string; message: string; details: Json };
}
