export { contentRoutes } from './content-routes.ts';
export { artefactRoutes } from './routes.ts';
export { statsRoutes } from './stats-routes.ts';
export { transferRoutes } from './transfer-routes.ts';
export { createArtefacts, type ArtefactOptions, type ArtefactServices } from './service.ts';
export { ArtefactSchema, IdParamsSchema } from './schemas.ts';
export { UPLOAD_FIELDS, type Publishing, type Target, type UploadFields } from './publishing.ts';
export type { Intake } from './intake.ts';
export { FORMATS, type Format } from './artefact.ts';
