// Parses the repository's source files for the architecture rules: imports, and the constructs that rules restrict.

import { globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';

const PACKAGES = ['api', 'lib-node', 'cli', 'ui', 'bench', 'scripts', 'docs'] as const;
export type PackageName = (typeof PACKAGES)[number];

const EXCLUDED_FOLDERS = new Set(['node_modules', 'dist', 'generated', '.test-build']);
/** The methods of Kysely that begin a statement. */
const QUERY_METHODS = new Set([
  'selectFrom',
  'selectNoFrom',
  'insertInto',
  'replaceInto',
  'updateTable',
  'deleteFrom',
  'mergeInto',
  'executeQuery',
]);

export interface Import {
  /** As written; empty if it is computed at run time. */
  specifier: string;
  /** Path of the imported file from the repository root, for a relative specifier: `api/src/db/index.ts`. */
  file: string | undefined;
  /** Package name, for any other specifier: `kysely` of `kysely/migration`, `node:fs` of `node:fs/promises`. */
  library: string | undefined;
  /** Names of an import declaration, as the other file exports them: `Actor` of `{ type Actor as It }`. */
  names: string[];
  typeOnly: boolean;
  dynamic: boolean;
  line: number;
}

export interface SourceFile {
  /** From the repository root, with forward slashes. */
  path: string;
  package: PackageName;
  /** A test or a tool's configuration: these may import development dependencies. */
  isTest: boolean;
  lineCount: number;
  imports: Import[];
  /** Lines that begin an SQL statement. */
  queries: number[];
  /** Lines that begin a transaction. */
  transactions: number[];
  /** Lines that read `process.env`. */
  environmentReads: number[];
  /** Lines of module-level `let` and `var`. */
  mutableState: number[];
  /** Lines of statements that are not a named re-export. */
  logic: number[];
}

/** Reads every TypeScript and Vue file of the packages below `root`. */
export function readSourceFiles(root: string): SourceFile[] {
  return PACKAGES.flatMap((name) =>
    globSync(`${name}/**/*.{ts,vue}`, { cwd: root, exclude: (path) => EXCLUDED_FOLDERS.has(posix.basename(path)) })
      .filter((path) => !path.endsWith('.d.ts'))
      .map((path) => readSourceFile(path, name, readFileSync(join(root, path), 'utf8'))),
  );
}

function readSourceFile(path: string, packageName: PackageName, text: string): SourceFile {
  const source = ts.createSourceFile(
    path,
    path.endsWith('.vue') ? scriptOf(text) : text,
    ts.ScriptTarget.Latest,
    true,
    ts.ScriptKind.TS,
  );
  const lineOf = (node: ts.Node) => source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
  const file: SourceFile = {
    path,
    package: packageName,
    isTest: /^[^/]+\/(test|e2e)\/|\.config\.ts$/.test(path),
    lineCount: text.trimEnd().split('\n').length,
    imports: [],
    queries: [],
    transactions: [],
    environmentReads: [],
    mutableState: source.statements.filter(isMutable).map(lineOf),
    logic: source.statements.filter((statement) => !isNamedReexport(statement)).map(lineOf),
  };
  const visit = (node: ts.Node): void => {
    const imported = importOf(node);
    if (imported)
      file.imports.push({ ...imported, ...resolveSpecifier(imported.specifier, path), line: lineOf(node) });
    if (ts.isPropertyAccessExpression(node)) {
      if (QUERY_METHODS.has(node.name.text)) file.queries.push(lineOf(node.name));
      if (node.name.text === 'transaction') file.transactions.push(lineOf(node.name));
      if (node.getText() === 'process.env') file.environmentReads.push(lineOf(node));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return file;
}

/** Blanks everything outside of the scripts, so that line numbers stay the same. */
function scriptOf(vue: string): string {
  const blank = (part: string) => part.replace(/[^\n]/g, '');
  return vue
    .split(/(<script[^>]*>[\s\S]*?<\/script>)/)
    .map((part) => {
      const script = /^<script[^>]*>([\s\S]*)<\/script>$/.exec(part);
      return script ? (script[1] ?? '') : blank(part);
    })
    .join('');
}

function importOf(node: ts.Node): Pick<Import, 'specifier' | 'names' | 'typeOnly' | 'dynamic'> | undefined {
  if (ts.isImportDeclaration(node)) {
    const bindings = node.importClause?.namedBindings;
    return {
      specifier: textOf(node.moduleSpecifier),
      names: bindings && ts.isNamedImports(bindings) ? bindings.elements.map(exportedName) : [],
      typeOnly: isTypeOnly(node.importClause),
      dynamic: false,
    };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
    const names = node.exportClause && ts.isNamedExports(node.exportClause) ? node.exportClause.elements : undefined;
    return {
      specifier: textOf(node.moduleSpecifier),
      names: [],
      typeOnly: node.isTypeOnly || (names?.every((name) => name.isTypeOnly) ?? false),
      dynamic: false,
    };
  }
  if (ts.isImportTypeNode(node)) {
    return {
      specifier: ts.isLiteralTypeNode(node.argument) ? textOf(node.argument.literal) : '',
      names: [],
      typeOnly: true,
      dynamic: false,
    };
  }
  if (
    ts.isCallExpression(node) &&
    (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require')
  ) {
    return { specifier: textOf(node.arguments[0]), names: [], typeOnly: false, dynamic: true };
  }
  return undefined;
}

function exportedName({ propertyName, name }: ts.ImportSpecifier): string {
  return (propertyName ?? name).text;
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const names = clause.namedBindings;
  return (
    !clause.name &&
    names !== undefined &&
    ts.isNamedImports(names) &&
    names.elements.length > 0 &&
    names.elements.every((name) => name.isTypeOnly)
  );
}

function resolveSpecifier(specifier: string, importer: string): Pick<Import, 'file' | 'library'> {
  if (specifier === '') return { file: undefined, library: undefined };
  if (specifier.startsWith('.')) return { file: posix.join(posix.dirname(importer), specifier), library: undefined };
  const [first = '', second = ''] = specifier.split('/');
  return { file: undefined, library: first.startsWith('@') ? `${first}/${second}` : first };
}

function isMutable(statement: ts.Statement): boolean {
  return ts.isVariableStatement(statement) && (statement.declarationList.flags & ts.NodeFlags.Const) === 0;
}

function isNamedReexport(statement: ts.Statement): boolean {
  if (!ts.isExportDeclaration(statement) || !statement.moduleSpecifier) return false;
  return statement.isTypeOnly || (statement.exportClause !== undefined && ts.isNamedExports(statement.exportClause));
}

function textOf(node: ts.Node | undefined): string {
  return node && ts.isStringLiteralLike(node) ? node.text : '';
}
