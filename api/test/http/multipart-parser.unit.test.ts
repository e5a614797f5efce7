import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createMultipartParser, MalformedBodyError } from '../../src/http/multipart-parser.ts';
import type { PartHeaders } from '../../src/http/part-headers.ts';
import { BOUNDARY, fieldPart, filePart, multipartBody, type RawPart } from '../support/raw-http.ts';

interface ReadPart {
  headers: PartHeaders;
  content: string;
  ended: boolean;
}

/** Parses a body in chunks that end at the given offsets. */
function parse(body: Buffer, cuts: readonly number[] = [], boundary = BOUNDARY): ReadPart[] {
  const parts: ReadPart[] = [];
  const parser = createMultipartParser(boundary, (headers) => {
    const part: ReadPart = { headers, content: '', ended: false };
    parts.push(part);
    return {
      data(bytes) {
        part.content += bytes.toString('latin1');
      },
      end() {
        part.ended = true;
      },
    };
  });
  let from = 0;
  for (const to of [...cuts, body.length]) {
    parser.push(body.subarray(from, to));
    from = to;
  }
  parser.end();
  return parts;
}

function onePart(disposition: string, ...more: string[]): PartHeaders | undefined {
  return parse(multipartBody([{ headers: [`Content-Disposition: ${disposition}`, ...more], body: '' }]))[0]?.headers;
}

const FILE: PartHeaders = { name: 'file', fileName: 'plugin.tgz', contentType: 'application/octet-stream' };

describe('a body is parsed identically', () => {
  const contents: Record<string, string> = {
    'with empty content': '',
    'with ordinary content': 'content',
    'with line breaks around the content': '\r\n\r\ncontent\r\n\r\n',
    'with incomplete line breaks': '\rcontent\r\r\n\r',
    'with the start of a boundary': `\r\n--${BOUNDARY.slice(0, -1)}`,
    'with the start of a boundary before another': `\r\n--a-\r\n--${BOUNDARY.slice(0, 5)}\r\n-`,
    'with dashes': `--${BOUNDARY.slice(0, 4)}--`,
    'with a boundary in the middle of a line': `x--${BOUNDARY}--`,
  };
  for (const [what, content] of Object.entries(contents)) {
    test(`wherever it is split into chunks, ${what}`, () => {
      const body = multipartBody([fieldPart('title', 'x'), filePart(content), fieldPart('category', content)]);
      const whole = parse(body);
      assert.deepEqual(
        whole.map((part) => part.content),
        ['x', content, content],
      );
      assert.deepEqual(whole[1], { headers: FILE, content, ended: true });
      for (let first = 0; first <= body.length; first++) {
        assert.deepEqual(parse(body, [first]), whole, `cut at ${first}`);
        for (const length of [1, 2, 30])
          assert.deepEqual(
            parse(body, [first, Math.min(first + length, body.length)]),
            whole,
            `cut at ${first} and ${length} later`,
          );
      }
      assert.deepEqual(parse(body, Array.from(body.keys())), whole, 'byte by byte');
    });
  }

  test('with text before the first boundary and after the last', () => {
    const body = multipartBody([filePart('content')]);
    const framed = Buffer.concat([Buffer.from('preamble --\r\n'), body, Buffer.from(`epilogue\r\n--${BOUNDARY}\r\n`)]);
    for (let cut = 0; cut <= framed.length; cut++)
      assert.deepEqual(parse(framed, [cut]), parse(body), `cut at ${cut}`);
  });

  test('with spaces after its boundaries', () => {
    const body = Buffer.from(
      multipartBody([filePart('content')])
        .toString()
        .replace(`--${BOUNDARY}\r\n`, `--${BOUNDARY} \t\r\n`),
    );
    for (let cut = 0; cut <= body.length; cut++) assert.deepEqual(parse(body, [cut])[0]?.content, 'content');
  });

  test('with any characters in its boundary', () => {
    for (const boundary of ['b', '----WebKitFormBoundary7MA4YWxkTrZu0gW', "'()+_,-./:=?", '=_aaaa']) {
      const body = Buffer.from(
        `--${boundary}\r\ncontent-disposition: form-data; name="file"\r\n\r\n\r\n-\r\n--\r\n--${boundary}--\r\n`,
      );
      for (let cut = 0; cut <= body.length; cut++)
        assert.deepEqual(
          parse(body, [cut], boundary).map((part) => part.content),
          ['\r\n-\r\n--'],
          `${boundary}, cut at ${cut}`,
        );
    }
  });
});

test('content is passed on as views of the chunks, without copying', () => {
  const views: Buffer[] = [];
  const parser = createMultipartParser(BOUNDARY, () => ({
    data(bytes) {
      views.push(bytes);
    },
    end() {
      /* nothing to do */
    },
  }));
  const body = multipartBody([filePart('x'.repeat(1000))]);
  parser.push(body);
  assert.equal(views.length, 1);
  assert.equal(views[0]?.buffer, body.buffer);
});

describe('the headers of a part', () => {
  const names: Record<string, [disposition: string, fileName: string | undefined]> = {
    'may lack a file name': ['form-data; name="file"', undefined],
    'may have unquoted values': ['form-data; name=file; filename=plugin.tgz', 'plugin.tgz'],
    'may have capitals and spaces': ['Form-Data ;  NAME = "file" ; FileName="plugin.tgz" ', 'plugin.tgz'],
    'may contain a quote as curl escapes it': [String.raw`form-data; name="file"; filename="a\"b;\\.tgz"`, '.tgz'],
    'may contain a quote as browsers escape it': ['form-data; name="file"; filename="a%22b.tgz"', 'a%22b.tgz'],
    'may contain a semicolon': ['form-data; name="file"; filename="a; name=b.tgz"', 'a; name=b.tgz'],
    'may have an encoded file name': [
      'form-data; name="file"; filename="x.tgz"; filename*=UTF-8\'\'%C3%A9t%C3%A9.tgz',
      'été.tgz',
    ],
    'may have a wrongly encoded file name': [
      'form-data; name="file"; filename="x.tgz"; filename*=UTF-8\'\'%E9',
      'x.tgz',
    ],
    'lose a Windows path': [String.raw`form-data; name="file"; filename="C:\temp\plugin.tgz"`, 'plugin.tgz'],
    'lose a parent folder': ['form-data; name="file"; filename=".."', ''],
  };
  for (const [what, [disposition, fileName]] of Object.entries(names)) {
    test(what, () => {
      assert.deepEqual(onePart(disposition), { name: 'file', fileName, contentType: undefined });
    });
  }

  test('may have an encoded file name that cannot be read, unless there is another one', () => {
    for (const name of ["iso-8859-1'en'%A3", "UTF-8''%E5%8A", "utf-8''%", 'x', '']) {
      const { fileName, unreadableName } = onePart(`form-data; name="file"; filename*=${name}`) ?? {};
      assert.deepEqual([fileName, unreadableName], [undefined, name]);
    }
  });

  test('have the content type without its parameters', () => {
    assert.equal(onePart('form-data; name="a"', 'CONTENT-TYPE: Text/Plain; charset=utf-8')?.contentType, 'text/plain');
  });

  test('are decoded as UTF-8', () => {
    assert.equal(onePart('form-data; name="été"')?.name, 'été');
  });
});

describe('a body is rejected', () => {
  const headers: Record<string, RawPart['headers']> = {
    'without any header': [],
    'without a disposition': ['content-type: text/plain'],
    'with another disposition': ['content-disposition: attachment; name="file"'],
    'without a name': ['content-disposition: form-data; filename="x"'],
    'with an unclosed quote': ['content-disposition: form-data; name="file'],
    'with garbage in the disposition': ['content-disposition: form-data; name="file" x; filename="y"'],
    'with a header without a colon': ['content-disposition: form-data; name="file"', 'garbage'],
    'with a folded header': ['content-disposition: form-data;', ' name="file"'],
    'with headers over 16 KiB': ['content-disposition: form-data; name="file"', `x: ${'x'.repeat(20_000)}`],
  };
  for (const [why, lines] of Object.entries(headers)) {
    test(why, () => {
      const body = multipartBody([{ headers: lines, body: 'x' }]);
      for (const cuts of [[], Array.from(body.keys())]) assert.throws(() => parse(body, cuts), MalformedBodyError);
    });
  }

  test('with text after a boundary', () => {
    const body = multipartBody([filePart(`\r\n--${BOUNDARY}x\r\n`)]);
    for (let cut = 0; cut <= body.length; cut++) assert.throws(() => parse(body, [cut]), MalformedBodyError);
  });

  test('if it ends anywhere before the end of its final boundary', () => {
    const body = multipartBody([fieldPart('title', 'x'), filePart('content')]);
    const end = body.lastIndexOf('--\r\n') + 2;
    for (let length = 0; length < end; length++)
      assert.throws(() => parse(body.subarray(0, length)), MalformedBodyError, `${length} bytes`);
    assert.equal(parse(body.subarray(0, end)).length, 2);
  });
});
