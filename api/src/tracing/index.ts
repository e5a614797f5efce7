export { currentTrace, newTrace, parseTraceparent, traceHeaders, withTrace, type Trace } from './trace.ts';
