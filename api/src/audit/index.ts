export { appendAudit, type AuditEvent } from './repository.ts';
export { auditRoutes } from './routes.ts';
export { createAuditLog, type AuditLog, type AuditLogOptions } from './service.ts';
