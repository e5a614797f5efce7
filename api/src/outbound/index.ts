export {
  createOutbound,
  MAX_CONNECTIONS,
  useProxies,
  type GetOptions,
  type Outbound,
  type OutboundOptions,
  type OutboundResponse,
  type Proxies,
} from './outbound.ts';
export { isNetwork } from './addresses.ts';
export { AddressRefusedError, ResponseInvalidError } from './response-errors.ts';
