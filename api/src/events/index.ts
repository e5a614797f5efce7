export { eventRoutes } from './routes.ts';
export { createEvents, type Events } from './service.ts';
export { forgetAudience, recordChange, type Change } from './record.ts';
export type { EventData, NewEvent } from './event-types.ts';
