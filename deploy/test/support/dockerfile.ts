// Parses a Dockerfile. Throws on unsupported instructions, so that none of them goes untested.

const KNOWN = new Set([
  'ARG',
  'FROM',
  'WORKDIR',
  'COPY',
  'RUN',
  'ENV',
  'LABEL',
  'USER',
  'VOLUME',
  'EXPOSE',
  'HEALTHCHECK',
  'ENTRYPOINT',
]);

export interface Instruction {
  keyword: string;
  /** `--from=build` is `{ from: 'build' }`. */
  flags: Record<string, string>;
  /** The arguments after the flags, joined to one line. */
  text: string;
}

export interface Stage {
  name: string;
  image: string;
  instructions: Instruction[];
}

/** Splits a Dockerfile into its stages, and fills the `ARG`s before the first one into the `FROM`s. */
export function parseDockerfile(source: string): Stage[] {
  const stages: Stage[] = [];
  const globalArguments: Record<string, string> = {};
  const lines = source
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  for (const line of lines) {
    const instruction = parseLine(line);
    if (instruction.keyword === 'FROM') {
      const [image = '', , name = ''] = instruction.text.split(/\s+/);
      stages.push({
        name,
        image: image.replaceAll(/\$\{(\w+)\}/g, (_, variable: string) => globalArguments[variable] ?? ''),
        instructions: [],
      });
    } else if (stages.length === 0) Object.assign(globalArguments, pairsOf(instruction.text));
    else stages.at(-1)?.instructions.push(instruction);
  }
  return stages;
}

/** Returns the words of the exec form (`["node", "x.js"]`), or undefined for the shell form. */
export function execForm(text: string): string[] | undefined {
  return text.startsWith('[') ? (JSON.parse(text) as string[]) : undefined;
}

/** Parses `A=1 B="two words"` into an object. */
export function pairsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/([\w.]+)=("[^"]*"|\S*)/g)].map(([, name = '', value = '']) => [
      name,
      value.replaceAll('"', ''),
    ]),
  );
}

/** Returns the last instruction of this kind. */
export function valueOf(stage: Stage, keyword: string): string {
  return stage.instructions.findLast((instruction) => instruction.keyword === keyword)?.text ?? '';
}

/** Returns the ENV of the last stage; its ARGs are empty. */
export function imageEnv(stages: readonly Stage[]): Record<string, string> {
  const pairs = (stages.at(-1)?.instructions ?? [])
    .filter(({ keyword }) => keyword === 'ENV')
    .map(({ text }) => pairsOf(text.replaceAll(/\$\{\w+\}/g, '')));
  return Object.assign({}, ...pairs) as Record<string, string>;
}

function parseLine(line: string): Instruction {
  const [, keyword = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
  if (!KNOWN.has(keyword)) throw new Error(`unsupported instruction: ${keyword}`);
  const [flagText = ''] = /^(?:--\S+\s+)*/.exec(rest) ?? [];
  const flags = Object.fromEntries(
    [...flagText.matchAll(/--([\w-]+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]),
  );
  return { keyword, flags, text: rest.slice(flagText.length).trim() };
}
