import { TarError } from './tar-error.ts';

/**
 * Names are text: those that are not UTF-8 would be unpacked under other names, several of them under the same one.
 * @param entryPath decoded path, for the error
 * @throws TarError `ambiguous`
 */
export function assertUtf8(name: Buffer, entryPath: string): void {
  const text = name.toString('utf8');
  if (text.includes('\ufffd') && !Buffer.from(text).equals(name)) {
    throw new TarError('ambiguous', 'has a name or target that is not in UTF-8', entryPath);
  }
}
