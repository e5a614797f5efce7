import { defineError } from '../errors.ts';

export const ClientVersionNotFoundError = defineError('client_version_not_found', 404, 'Client version not found');
export const ClientsNotBuiltError = defineError('clients_not_built', 503, 'Clients not built');
