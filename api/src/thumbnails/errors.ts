import { defineError } from '../errors.ts';

export const ImageInvalidError = defineError('image_invalid', 400, 'Not a usable image');
export const ThumbnailNotFoundError = defineError('thumbnail_not_found', 404, 'No such thumbnail');
