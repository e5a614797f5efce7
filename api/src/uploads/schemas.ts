import { Type, type TProperties } from 'typebox';
import { ArtefactSchema } from '../artefacts/index.ts';

export const UploadParamsSchema = Type.Object({
  uploadId: Type.String({ description: 'As the Location of the creation named it' }),
});

export const UploadSchema = Type.Object(
  {
    artefactId: Type.String(),
    format: Type.Union([Type.Literal('npm'), Type.Literal('file')]),
    size: Type.Integer({ description: 'Bytes announced by Upload-Length' }),
    offset: Type.Optional(Type.Integer({ description: 'Bytes that have arrived; left out while some are arriving' })),
    createdAt: Type.String(),
    expiresAt: Type.String({ description: 'When the upload is removed; 24 hours after its last byte' }),
    digest: Type.Optional(Type.String({ description: 'sha256:<hex>, once the artefact is published' })),
    artefact: Type.Optional(ArtefactSchema),
  },
  { title: 'Upload' },
);

const header = (description: string) => ({ type: 'string', description });
const TUS_RESUMABLE = { 'tus-resumable': header('1.0.0') };

/** Request headers of the protocol, described; tus-headers.ts checks them. */
export const RequestHeaders = {
  any: describeHeaders({ 'tus-resumable': Type.String({ description: '1.0.0' }) }),
  creation: describeHeaders({
    'tus-resumable': Type.String({ description: '1.0.0' }),
    'upload-length': Type.String({ description: 'Bytes of the whole upload' }),
    'upload-metadata': Type.String({
      description:
        'Pairs "key base64-value" with commas between. Keys: id, format (npm or file), and the form fields of ' +
        'that format: architecture, category, title, description, fileName',
    }),
  }),
  patch: describeHeaders({
    'tus-resumable': Type.String({ description: '1.0.0' }),
    'upload-offset': Type.String({ description: 'Where the bytes of this request begin' }),
  }),
  override: describeHeaders({
    'tus-resumable': Type.String({ description: '1.0.0' }),
    'x-http-method-override': Type.String({ description: 'PATCH or DELETE' }),
    'upload-offset': Type.String({ description: 'Of a PATCH: where the bytes of this request begin' }),
  }),
};

/** Optional for the validator, so that what is missing is refused by the protocol's own status. */
function describeHeaders(properties: TProperties) {
  return Type.Object(
    Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, Type.Optional(schema)])),
  );
}

/** Answers without a body and what their headers say. */
export const Answers = {
  options: answer('What the server offers', {
    'tus-version': header('1.0.0'),
    'tus-extension': header('creation, creation-with-upload, expiration, termination'),
    'tus-max-size': header('Bytes of the largest upload (MAX_UPLOAD_BYTES)'),
  }),
  created: answer('Created; published already where all bytes came along', {
    ...TUS_RESUMABLE,
    'location': header('URL of the upload, relative to that of the request'),
    'upload-offset': header('Bytes that came along'),
    'upload-expires': header('When the upload is removed'),
    'x-artefact-digest': header('sha256:<hex>, where the artefact is published'),
  }),
  patched: answer('Kept; with the last byte the artefact is published', {
    ...TUS_RESUMABLE,
    'upload-offset': header('Where the next bytes go'),
    'upload-expires': header('When the upload is removed'),
    'x-artefact-digest': header('sha256:<hex>, once the artefact is published; GET has its document'),
  }),
  head: answer('Where the upload stands', {
    ...TUS_RESUMABLE,
    'upload-offset': header('Where the next bytes go'),
    'upload-length': header('Bytes of the whole upload'),
    'upload-metadata': header('As it was given'),
    'x-artefact-digest': header('sha256:<hex>, once the artefact is published'),
  }),
  removed: answer('Removed', TUS_RESUMABLE),
};

function answer(description: string, headers: Record<string, { type: string; description: string }>) {
  return { ...Type.Null({ description }), headers };
}
