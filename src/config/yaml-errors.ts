/**
 * Words and places for text that is not the YAML it should be: syntax, duplicate keys, aliases without anchors.
 * Knows the parser's error codes; nothing of what the file should contain.
 * @module
 */

import { type Document, isScalar, visit, type YAMLError } from 'yaml';
import type { Findings } from './findings.ts';

/** Options of the parser. Its own check for duplicate keys takes a minute for a file of 1 MiB: ours is linear. */
export const PARSE_OPTIONS = { uniqueKeys: false, prettyErrors: false, strict: true } as const;

/** True when the tree is of no use. A duplicate key leaves it usable, so the other problems are found as well. */
export function reportYamlErrors(text: string, findings: Findings, document: Document.Parsed): boolean {
  // Both make nonsense of what follows, and so do the findings about it.
  const root = document.errors.find(({ code }) => code === 'RESOURCE_EXHAUSTION' || code === 'TAB_AS_INDENT');
  const syntax = root ? [root] : document.errors;
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
  reportDuplicateKeys(findings, document);
  return reportUnknownAliases(findings, document);
}

function reportDuplicateKeys(findings: Findings, document: Document.Parsed): void {
  visit(document, {
    Map(_, map) {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const text = String(key.value);
        if (seen.has(text)) {
          const [start, end] = key.range ?? [0, 0];
          findings.error({ start, end }, `the key "${text}" is here twice`, 'remove one of the two');
        }
        seen.add(text);
      }
    },
  });
}

/** In the order of the file, as an alias stands for an anchor before it (YAML 1.2.2 §7.1). */
function reportUnknownAliases(findings: Findings, document: Document.Parsed): boolean {
  const anchors = new Set<string>();
  let found = false;
  visit(document, {
    Value(_, node) {
      if (node.anchor) anchors.add(node.anchor);
    },
    Alias(_, { source, range }) {
      if (anchors.has(source)) return;
      found = true;
      const [start, end] = range ?? [0, 0];
      const message = `the alias *${source} has no anchor &${source} before it`;
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
