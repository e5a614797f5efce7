export {
  exportBundle,
  type BundleProgress,
  type BundleSource,
  type ExportReport,
  type SourceArtefact,
} from './export.ts';
export { importBundle } from './import.ts';
