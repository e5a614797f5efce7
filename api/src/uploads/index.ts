export { createTusUploads, type Uploads, type UploadsOptions } from './uploads.ts';
