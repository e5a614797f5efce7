export { thumbnailDataRoutes, thumbnailRoutes } from './routes.ts';
export { createThumbnails, type ThumbnailService } from './service.ts';
export type { ThumbnailImage } from './image.ts';
export { SVG_CONTENT_SECURITY_POLICY } from './routes.ts';
export { ThumbnailNotFoundError } from './errors.ts';
