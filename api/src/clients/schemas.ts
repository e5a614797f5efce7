import { Type } from 'typebox';

/** The command line and the Node library, as named in their URLs. */
export const CLIENT_NAMES = ['cli', 'lib-node'] as const;
export type ClientName = (typeof CLIENT_NAMES)[number];

const ClientSchema = Type.Object(
  {
    name: Type.Union(CLIENT_NAMES.map((name) => Type.Literal(name))),
    packageName: Type.String({ description: 'Name of the npm package' }),
    version: Type.String(),
    url: Type.String({ description: 'URL of the tarball of this version, for `npm install`' }),
    size: Type.Integer({ description: 'Size of the tarball in bytes' }),
    digest: Type.String({ description: '`sha256:<hex>` of the tarball' }),
  },
  { title: 'Client' },
);

export const ClientListSchema = Type.Object({ results: Type.Array(ClientSchema), count: Type.Integer() });

export const ClientVersionParamsSchema = Type.Object({
  version: Type.String({ description: 'Version of the client, as `GET /clients` lists it' }),
});
