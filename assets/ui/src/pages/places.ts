// places.ts - all pages but the dashboard and the login: one chunk, fetched when somebody goes there.
export { AuditPage } from './audit';
export { ConfigPage } from './config';
export { GroupPage, GroupsPage } from './groups';
export { InstancePage } from './instance';
export { ManagePage } from './manage';
export { ServicePage } from './service';
export { TokensPage } from './tokens';
