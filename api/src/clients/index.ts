export { createClients, type Clients, type ClientsOptions } from './service.ts';
export { clientRoutes } from './routes.ts';
