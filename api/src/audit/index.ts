export { appendAudit, type AuditEvent } from './repository.ts';
