import ts from 'typescript';

/** A function and where it is. */
export interface FunctionFact {
  readonly name: string;
  readonly line: number;
  /** From its first to its last line, without the comment above it. */
  readonly lines: number;
}

/** A relative import as written. */
export interface ImportFact {
  readonly specifier: string;
  /** True when nothing is left of it at run time. */
  readonly isTypeOnly: boolean;
}

/** What one source file is made of. */
export interface SourceFacts {
  readonly lines: number;
  readonly commentLines: number;
  readonly blankLines: number;
  readonly functions: readonly FunctionFact[];
  readonly imports: readonly ImportFact[];
  /** Names that can be imported from it, types included. */
  readonly exports: number;
  /** Those of them that exist at run time: functions, classes and constants. */
  readonly exportedValues: number;
  /** Uses of the type `any`. */
  readonly anys: number;
  /** Uses of `!` to assert that something is there. */
  readonly nonNullAssertions: number;
  /** Uses of `as`, without `as const`. */
  readonly casts: number;
  /** Comments that switch a rule of a linter or the compiler off. */
  readonly suppressions: number;
}

interface Counts {
  exports: number;
  exportedValues: number;
  anys: number;
  nonNullAssertions: number;
  casts: number;
}

const SUPPRESSION = /\b(?:biome-ignore|eslint-disable|@ts-(?:ignore|expect-error|nocheck))/g;

/** Reads a TypeScript source and counts. */
export function factsOf(path: string, text: string): SourceFacts {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const functions: FunctionFact[] = [];
  const imports: ImportFact[] = [];
  const counts: Counts = { exports: 0, exportedValues: 0, anys: 0, nonNullAssertions: 0, casts: 0 };
  const visit = (node: ts.Node): void => {
    count(node, counts);
    if (isFunction(node)) functions.push(functionFact(node, source));
    const imported = importOf(node);
    if (imported !== undefined) imports.push(imported);
    ts.forEachChild(node, visit);
  };
  visit(source);
  const comments = commentsOf(source);
  return {
    ...counts,
    ...lineCounts(source, comments),
    functions,
    imports,
    suppressions: comments.reduce(
      (sum, { pos, end }) => sum + (text.slice(pos, end).match(SUPPRESSION)?.length ?? 0),
      0,
    ),
  };
}

function count(node: ts.Node, counts: Counts): void {
  if (node.kind === ts.SyntaxKind.AnyKeyword) counts.anys++;
  else if (ts.isNonNullExpression(node)) counts.nonNullAssertions++;
  else if (ts.isAsExpression(node) && !ts.isConstTypeReference(node.type)) counts.casts++;
  else if (isExportedStatement(node)) countExport(node, counts);
}

function countExport(node: ts.Node, counts: Counts): void {
  const names = ts.isVariableStatement(node) ? node.declarationList.declarations.length : 1;
  counts.exports += names;
  const isType = ts.isTypeAliasDeclaration(node) || ts.isInterfaceDeclaration(node);
  if (!isType) counts.exportedValues += names;
}

function isExportedStatement(node: ts.Node): boolean {
  if (!ts.canHaveModifiers(node)) return false;
  return (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}

function isFunction(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return ts.isFunctionLike(node) && 'body' in node && node.body !== undefined;
}

function functionFact(node: ts.FunctionLikeDeclaration, source: ts.SourceFile): FunctionFact {
  const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
  const last = source.getLineAndCharacterOfPosition(node.end).line;
  return { name: nameOf(node, source), line: first + 1, lines: last - first + 1 };
}

function nameOf(node: ts.FunctionLikeDeclaration, source: ts.SourceFile): string {
  if (node.name !== undefined) return node.name.getText(source);
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  const { parent } = node;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) {
    return parent.name.getText(source);
  }
  if (ts.isCallExpression(parent)) return `argument of ${parent.expression.getText(source)}`;
  return 'anonymous';
}

function importOf(node: ts.Node): ImportFact | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    return { specifier: node.moduleSpecifier.text, isTypeOnly: isTypeOnly(node.importClause) };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
    const { moduleSpecifier } = node;
    if (!ts.isStringLiteral(moduleSpecifier)) return undefined;
    return { specifier: moduleSpecifier.text, isTypeOnly: node.isTypeOnly };
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [target] = node.arguments;
    if (target === undefined || !ts.isStringLiteral(target)) return undefined;
    return { specifier: target.text, isTypeOnly: false };
  }
  return undefined;
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const { name, namedBindings } = clause;
  if (name !== undefined || namedBindings === undefined) return false;
  return ts.isNamedImports(namedBindings) && namedBindings.elements.every((one) => one.isTypeOnly);
}

/** Every comment, as a range; found between tokens so that text in strings does not count. */
function commentsOf(source: ts.SourceFile): readonly ts.CommentRange[] {
  const byStart = new Map<number, ts.CommentRange>();
  const visit = (node: ts.Node): void => {
    const children = node.getChildren(source);
    for (const child of children) visit(child);
    if (children.length > 0) return;
    const before = ts.getLeadingCommentRanges(source.text, node.pos) ?? [];
    const behind = ts.getTrailingCommentRanges(source.text, node.end) ?? [];
    for (const range of [...before, ...behind]) byStart.set(range.pos, range);
  };
  visit(source);
  return [...byStart.values()];
}

function lineCounts(
  source: ts.SourceFile,
  comments: readonly ts.CommentRange[],
): Pick<SourceFacts, 'lines' | 'commentLines' | 'blankLines'> {
  const lines = source.text.replace(/\n$/, '').split('\n');
  const commented = new Set<number>();
  for (const { pos, end } of comments) {
    const last = source.getLineAndCharacterOfPosition(end).line;
    for (let at = source.getLineAndCharacterOfPosition(pos).line; at <= last; at++) {
      commented.add(at);
    }
  }
  return {
    lines: lines.length,
    commentLines: commented.size,
    blankLines: lines.filter((line) => line.trim() === '').length,
  };
}
