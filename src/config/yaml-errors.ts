/**
 * Words and places for text that is not the YAML it should be: syntax, duplicate keys, aliases without anchors.
 * Knows the parser's error codes; nothing of what the file should contain.
 * @module
 */

import { type Document, visit, type YAMLError } from 'yaml';
import type { Findings } from './findings.ts';

/** True when the tree is of no use. A duplicate key leaves it usable, so the other problems are found as well. */
export function reportYamlErrors(text: string, findings: Findings, document: Document.Parsed): boolean {
  // Both make nonsense of what follows, and so do the findings about it.
  const root = document.errors.find(({ code }) => code === 'RESOURCE_EXHAUSTION' || code === 'TAB_AS_INDENT');
  const syntax = root ? [root] : document.errors.filter((error) => error.code !== 'DUPLICATE_KEY');
  const places = new Set<number>();
  for (const error of syntax) {
    const [start, end] = error.pos;
    // One mistake often breaks several rules of the grammar at the same place: the first one is the cause.
    if (places.has(start)) continue;
    places.add(start);
    const { message, hint } = yamlMessage(error);
    const lineEnd = endOfLine(text, start);
    const isValue = error.code === 'BLOCK_AS_IMPLICIT_KEY';
    findings.error(
      { start, end: isValue ? lineEnd : Math.max(start, Math.min(end, lineEnd)) },
      message,
      hint,
    );
  }
  if (syntax.length > 0) return true;
  for (const error of document.errors) reportDuplicateKey(text, findings, error.pos[0]);
  return reportUnknownAliases(findings, document);
}

function reportDuplicateKey(text: string, findings: Findings, start: number): void {
  const key = /^(?:"[^"\n]*"|'[^'\n]*'|[^\s:,{}[\]]+)/.exec(text.slice(start, start + 200))?.[0] ?? '';
  const shown = key.replace(/^["']|["']$/g, '');
  findings.error(
    { start, end: start + key.length },
    `the key "${shown}" is here twice`,
    'remove one of the two',
  );
}

function reportUnknownAliases(findings: Findings, document: Document.Parsed): boolean {
  let found = false;
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document)) return;
      found = true;
      const message = `the alias *${alias.source} has no anchor &${alias.source} before it`;
      const [start, end] = alias.range ?? [0, 0];
      findings.error({ start, end }, message, 'quote the value if it starts with * on purpose');
    },
  });
  return found;
}

function yamlMessage(error: YAMLError): { message: string; hint?: string } {
  switch (error.code) {
    case 'MULTIPLE_DOCS':
      return {
        message: 'expected one YAML document in this file, got another one',
        hint: 'put it in a file of its own',
      };
    case 'TAB_AS_INDENT':
      return { message: 'this line is indented by a tab', hint: 'YAML is indented by spaces' };
    case 'BLOCK_AS_IMPLICIT_KEY':
      return { message: 'a colon and a space inside a value start a new key', hint: 'quote the value' };
    case 'BAD_SCALAR_START':
      return { message: 'a value cannot start with this character', hint: 'quote the value' };
    case 'MISSING_CHAR':
      if (/quote/.test(error.message)) return { message: 'the quote of the value before here is not closed' };
      break;
    case 'BAD_INDENT':
      if (/^Flow/.test(error.message))
        return { message: 'the bracket before here is not closed', hint: 'add the missing ] or }' };
      return { message: 'this line is not indented like its neighbours' };
    case 'RESOURCE_EXHAUSTION':
      return { message: 'this YAML is nested too deeply' };
    default:
      break;
  }
  const message = error.message
    .replace(/\s+/g, ' ')
    .replace(/^[A-Z](?=[a-z])/, (first) => first.toLowerCase());
  return { message: `this is not valid YAML: ${message}` };
}

function endOfLine(text: string, offset: number): number {
  const newline = text.indexOf('\n', offset);
  return newline < 0 ? text.length : Math.max(offset, text[newline - 1] === '\r' ? newline - 1 : newline);
}
