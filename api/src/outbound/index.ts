export {
  createOutbound,
  MAX_CONNECTIONS,
  ResponseInvalidError,
  useProxies,
  type Outbound,
  type OutboundOptions,
  type OutboundResponse,
  type Proxies,
} from './outbound.ts';
