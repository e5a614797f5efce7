import { defineError } from '../errors.ts';

export const EventsGoneError = defineError('events_gone', 410, 'Events no longer kept');
export const TooManyStreamsError = defineError('too_many_streams', 429, 'Too many open streams', {
  retryAfterSeconds: 30,
});
export const EventTypeUnknownError = defineError('event_type_unknown', 400, 'Unknown event type');
