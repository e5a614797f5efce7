import { Type, type TProperties } from 'typebox';
import { ArtefactSchema } from '../artefacts/index.ts';

export const UploadParamsSchema = Type.Object({
  uploadId: Type.String({ description: 'The last segment of the Location header of the creation' }),
});

export const UploadSchema = Type.Object(
  {
    artefactId: Type.String(),
    format: Type.Union([Type.Literal('npm'), Type.Literal('file')]),
    size: Type.Integer({ description: 'Bytes announced by Upload-Length' }),
    offset: Type.Optional(Type.Integer({ description: 'Bytes received; omitted while bytes are arriving' })),
    createdAt: Type.String(),
    expiresAt: Type.String({ description: 'When the upload is removed: 24 hours after its last byte' }),
    digest: Type.Optional(Type.String({ description: 'sha256:<hex>, once the artefact is published' })),
    artefact: Type.Optional(ArtefactSchema),
  },
  { title: 'Upload' },
);

const header = (description: string) => ({ type: 'string', description });
const TUS_RESUMABLE = { 'tus-resumable': header('1.0.0') };

/** Request headers of the protocol, for documentation only: tus-headers.ts checks them. */
export const RequestHeaders = {
  any: describeHeaders({ 'tus-resumable': Type.String({ description: '1.0.0' }) }),
  creation: describeHeaders({
    'tus-resumable': Type.String({ description: '1.0.0' }),
    'upload-length': Type.String({ description: 'Total bytes of the upload' }),
    'upload-metadata': Type.String({
      description:
        'Comma-separated pairs "key base64-value". Keys: id, format (npm or file), and the form fields of that ' +
        'format: architecture, category, title, description, fileName',
    }),
  }),
  patch: describeHeaders({
    'tus-resumable': Type.String({ description: '1.0.0' }),
    'upload-offset': Type.String({ description: 'Offset at which the bytes of this request start' }),
  }),
  override: describeHeaders({
    'tus-resumable': Type.String({ description: '1.0.0' }),
    'x-http-method-override': Type.String({ description: 'PATCH or DELETE' }),
    'upload-offset': Type.String({ description: 'For PATCH: offset at which the bytes of this request start' }),
  }),
};

/** Makes every header optional for the validator, so that a missing one is rejected with the protocol's own status. */
function describeHeaders(properties: TProperties) {
  return Type.Object(
    Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, Type.Optional(schema)])),
  );
}

/** Responses without a body, and their headers. */
export const Responses = {
  options: response('Supported protocol version and extensions', {
    'tus-version': header('1.0.0'),
    'tus-extension': header('creation, creation-with-upload, expiration, termination'),
    'tus-max-size': header('Maximum bytes of an upload (MAX_UPLOAD_BYTES)'),
  }),
  created: response('Created; already published if the request contained all bytes', {
    ...TUS_RESUMABLE,
    'location': header('URL of the upload, relative to the URL of the request'),
    'upload-offset': header('Bytes received with the request'),
    'upload-expires': header('When the upload is removed'),
    'x-artefact-digest': header('sha256:<hex>, if the artefact is published'),
  }),
  patched: response('Stored; the last byte publishes the artefact', {
    ...TUS_RESUMABLE,
    'upload-offset': header('Offset of the next byte'),
    'upload-expires': header('When the upload is removed'),
    'x-artefact-digest': header('sha256:<hex>, once the artefact is published; GET returns its document'),
  }),
  head: response('State of the upload', {
    ...TUS_RESUMABLE,
    'upload-offset': header('Offset of the next byte'),
    'upload-length': header('Total bytes of the upload'),
    'upload-metadata': header('As sent when the upload was created'),
    'x-artefact-digest': header('sha256:<hex>, once the artefact is published'),
  }),
  removed: response('Removed', TUS_RESUMABLE),
};

function response(description: string, headers: Record<string, { type: string; description: string }>) {
  return { ...Type.Null({ description }), headers };
}
