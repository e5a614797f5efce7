import { Type } from 'typebox';

/** The command line and the library for Node, by the names of their addresses. */
export const CLIENT_NAMES = ['cli', 'lib-node'] as const;
export type ClientName = (typeof CLIENT_NAMES)[number];

const ClientSchema = Type.Object(
  {
    name: Type.Union(CLIENT_NAMES.map((name) => Type.Literal(name))),
    packageName: Type.String({ description: 'Name under which it is installed' }),
    version: Type.String(),
    url: Type.String({ description: 'Where the tarball of this version is, for `npm install`' }),
    size: Type.Integer({ description: 'Bytes of the tarball' }),
    digest: Type.String({ description: '`sha256:<hex>` of the tarball' }),
  },
  { title: 'Client' },
);

export const ClientListSchema = Type.Object({ results: Type.Array(ClientSchema), count: Type.Integer() });

export const ClientVersionParamsSchema = Type.Object({
  version: Type.String({ description: 'Version of the client, as `GET /clients` lists it' }),
});
