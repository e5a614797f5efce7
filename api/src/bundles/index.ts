export { exportBundle, type BundleProgress, type BundleSource, type ExportReport } from './export.ts';
export { importBundle } from './import.ts';
