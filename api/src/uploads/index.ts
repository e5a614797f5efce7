export { createUploads, type Uploads, type UploadsOptions } from './uploads.ts';
