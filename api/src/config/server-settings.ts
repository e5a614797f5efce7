// Settings of the process and its HTTP server: address, proxies in front, logs, metrics, shutdown.

import { Type } from 'typebox';
import { HttpUrl, List, OneOf } from './field-types.ts';
import { isSourceList, isTrustedProxy } from './formats.ts';

export const serverSettings = {
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 8080,
    description: 'Port to listen on; 0 picks a free one',
  }),
  HOST: Type.String({
    minLength: 1,
    default: '127.0.0.1',
    description: 'Address to listen on; the container image sets 0.0.0.0',
  }),
  PUBLIC_URL: HttpUrl({
    examples: ['https://example.org/registry'],
    description: 'URL at which users reach Berth; may include a path. Default: http://localhost:PORT',
  }),
  TRUSTED_PROXIES: List({
    default: ['loopback'],
    accepts: isTrustedProxy,
    expected:
      'a comma-separated list of addresses (10.0.0.7), CIDR ranges (10.0.0.0/8), loopback, linklocal or ' +
      'uniquelocal; host names are not resolved',
    description:
      'Proxies whose forwarding headers are trusted: addresses, CIDR ranges, loopback, linklocal, uniquelocal',
  }),
  FRAME_ANCESTORS: Type.String({
    maxLength: 4096,
    default: "'self'",
    accepts: isSourceList,
    expected: "a list of sources separated by spaces, such as 'self' https://example.org",
    description: 'Sites that may embed the web interface (Content-Security-Policy frame-ancestors)',
  }),
  LOG_LEVEL: OneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    default: 'info',
    description: 'Lowest severity that is logged',
  }),
  METRICS: Type.Boolean({
    default: true,
    description: 'Serve Prometheus metrics on /metrics; requests through a reverse proxy get 404',
  }),
  METRICS_PORT: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 65_535,
      description: 'Serve /metrics on this port instead of PORT; the container image sets 9464',
    }),
  ),
  SHUTDOWN_GRACE_SECONDS: Type.Integer({
    minimum: 0,
    maximum: 3600,
    default: 30,
    description: 'Time that requests in flight get to finish after SIGTERM',
  }),
};
