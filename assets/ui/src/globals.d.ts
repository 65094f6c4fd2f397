// What build.mjs puts in: the names of files that carry a hash.
declare const WORKER: string;
declare const ICONS: { favicon: string; trouble: string; offline: string };
