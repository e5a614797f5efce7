// Settings of connections to other servers: mail, notices, remote registries, proxies, certificates.

import { existsSync } from 'node:fs';
import { Type } from 'typebox';
import { isNetwork } from '../outbound/index.ts';
import { isUrl } from './formats.ts';

export const outboundSettings = {
  SMTP_URL: Type.Optional(
    Type.String({
      pattern: '^smtps?://',
      accepts: isUrl,
      examples: ['smtps://berth:password@mail.example.org'],
      secret: true,
      description:
        'Mail server for password links, invitations and notices. Default: none; superadmins pass on the links ' +
        'themselves',
    }),
  ),
  MAIL_FROM: Type.Optional(
    Type.String({
      pattern: '^[^\\r\\n]*@[^\\r\\n]+$',
      examples: ['Berth <berth@example.org>'],
      description: 'Sender of e-mails. Default: berth@ followed by the host of PUBLIC_URL',
    }),
  ),
  KEY_EXPIRY_NOTICE_DAYS: Type.Integer({
    minimum: 1,
    maximum: 365,
    default: 14,
    description: 'Days before an API key expires at which a notice is sent, by e-mail or to the webhook',
  }),
  KEY_EXPIRY_WEBHOOK_URL: Type.Optional(
    Type.String({
      pattern: '^https?://[^/?#@]+(/.*)?$',
      accepts: isUrl,
      examples: ['https://chat.example.org/hooks/berth'],
      secret: true,
      description: 'URL that receives a POST with { event, registry, key } for each API key that expires soon',
    }),
  ),
  NOTICE_EMAILS: Type.Optional(
    Type.Array(Type.String({ pattern: '^[^\\s@]+@[^\\s@]+$' }), {
      minItems: 1,
      examples: ['ops@example.org'],
      expected: 'a comma-separated list of e-mail addresses such as ops@example.org',
      description: 'Recipients of notices. Default: the superadmins of this registry',
    }),
  ),
  REMOTE_TIMEOUT_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 3600,
    default: 30,
    description:
      'Time limit for a remote registry to accept a connection, to send the response headers, and to send each ' +
      '16 KiB of the body',
  }),
  REMOTE_PRIVATE_NETWORKS: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      accepts: isNetwork,
      expected: 'a comma-separated list of CIDR ranges such as 10.1.0.0/16',
      examples: ['10.1.0.0/16,fd12:3456::/32'],
      description:
        'Private networks that remote registries may redirect to, such as that of their storage, as CIDR ranges. ' +
        'Redirects to other private, loopback and link-local addresses are refused, unless the registry itself has ' +
        'such an address',
    }),
  ),
  HTTP_PROXY: Type.Optional(
    Type.String({
      pattern: '^https?://[^/?#]+/?$',
      accepts: isUrl,
      examples: ['http://proxy.example.org:3128'],
      secret: true,
      description:
        'Proxy for http requests to remote registries, identity services, OpenID providers and webhooks. S3, mail ' +
        'and database connections do not use it',
    }),
  ),
  HTTPS_PROXY: Type.Optional(
    Type.String({
      pattern: '^https?://[^/?#]+/?$',
      accepts: isUrl,
      examples: ['http://proxy.example.org:3128'],
      secret: true,
      description: 'Proxy for https requests to the same servers. Default: HTTP_PROXY',
    }),
  ),
  NO_PROXY: Type.Optional(
    Type.String({
      minLength: 1,
      examples: ['.example.org,10.0.0.7:8080'],
      description:
        'Hosts to reach without a proxy: names, domains with a leading dot, or addresses, each with an optional ' +
        'port; * for all',
    }),
  ),
  NODE_EXTRA_CA_CERTS: Type.Optional(
    Type.String({
      minLength: 1,
      examples: ['/etc/berth/ca.pem'],
      accepts: existsSync,
      expected: 'the path of an existing file',
      description:
        'PEM file of additional certificate authorities to trust for every outbound connection. Node reads it, so ' +
        'set it in the environment of the process, not in the BERTH_CONFIG file',
    }),
  ),
};
