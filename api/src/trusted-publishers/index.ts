export { trustedPublisherRoutes } from './routes.ts';
export {
  createTrustedPublisherService,
  type TrustedPublisherOptions,
  type TrustedPublisherService,
} from './service.ts';
