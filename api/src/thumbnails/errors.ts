import { defineError } from '../errors.ts';

export const ImageInvalidError = defineError('image_invalid', 400, 'Invalid image');
export const ThumbnailNotFoundError = defineError('thumbnail_not_found', 404, 'Thumbnail not found');
