export { thumbnailDataRoutes, thumbnailRoutes } from './routes.ts';
export { createThumbnails, type ThumbnailOptions, type ThumbnailService } from './service.ts';
