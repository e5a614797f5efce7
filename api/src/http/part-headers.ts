// Parses the headers of one part of a form (RFC 7578).

export interface PartHeaders {
  name: string;
  /** Name of a file, without any path; empty if it was sent empty, undefined for a text field. */
  fileName: string | undefined;
  /** The value of `filename*`, if it cannot be decoded and there is no other name. */
  unreadableName?: string;
  /** Lower case, without parameters; undefined if there is none. */
  contentType: string | undefined;
  /** `Content-Transfer-Encoding` in lower case, if the bytes are not sent as they are. */
  encoding?: string;
}

/** Transfer encodings that change nothing (RFC 2045, 6.2). */
const IDENTITY_ENCODINGS = ['', 'binary', '8bit', '7bit'];

/** One parameter: a token, or a quoted string in which a backslash escapes a quote. */
const PARAMETER = /;\s*([^\s=;"]+)\s*=\s*(?:"((?:\\"|[^"])*)"|([^\s;"]*))\s*/gy;

/**
 * Parses the lines between a boundary and the empty line.
 * @param text the bytes as Latin-1, beginning with the line break before the first header
 * @returns undefined if the headers are malformed or name no field
 */
export function readPartHeaders(text: string): PartHeaders | undefined {
  const headers = new Map<string, string>();
  for (const line of text.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (colon <= 0) return undefined;
    headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const parameters = readDisposition(headers.get('content-disposition') ?? '');
  const name = parameters?.get('name');
  if (parameters === undefined || name === undefined) return undefined;
  const encoding = headers.get('content-transfer-encoding')?.toLowerCase();
  const extended = parameters.get('filename*');
  const fileName = readExtended(extended) ?? parameters.get('filename');
  return {
    name,
    fileName: fileName === undefined ? undefined : withoutPath(fileName),
    ...(extended !== undefined && fileName === undefined && { unreadableName: extended }),
    contentType: headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase(),
    ...(encoding !== undefined && !IDENTITY_ENCODINGS.includes(encoding) && { encoding }),
  };
}

/** Parses `form-data; name="…"; filename="…"`; returns parameter names in lower case. */
function readDisposition(value: string): Map<string, string> | undefined {
  const [type = ''] = value.split(';', 1);
  if (type.trim().toLowerCase() !== 'form-data') return undefined;
  const parameters = new Map<string, string>();
  const parameter = new RegExp(PARAMETER);
  for (let at = type.length; at < value.length; at = parameter.lastIndex) {
    parameter.lastIndex = at;
    const match = parameter.exec(value);
    if (!match) return undefined;
    const [, name = '', quoted, token = ''] = match;
    // Browsers send a quote as %22 and a backslash unchanged; curl and others escape both.
    parameters.set(name.toLowerCase(), fromUtf8(quoted?.replace(/\\(["\\])/g, '$1') ?? token));
  }
  return parameters;
}

/** Decodes `UTF-8''%C3%A9t%C3%A9.tgz` (RFC 8187). */
function readExtended(value: string | undefined): string | undefined {
  const encoded = /^utf-8'[^']*'(.*)$/i.exec(value ?? '')?.[1];
  try {
    return encoded === undefined ? undefined : decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

function fromUtf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

function withoutPath(fileName: string): string {
  const name = fileName.slice(Math.max(fileName.lastIndexOf('/'), fileName.lastIndexOf('\\')) + 1);
  return name === '.' || name === '..' ? '' : name;
}
