/**
 * The `xml` policy: its shape in YAML, defaults and checks. What a document looks like in JSON is declared here, by paths
 * of elements; bodies are translated by the data plane.
 * @module
 */

import * as z from 'zod';
import type { BodyForm } from '../../core/policy/transform/media-types.ts';
import type { Namespaces } from '../../core/policy/transform/xml-names.ts';
import type { XmlLimits, XmlType } from '../../core/policy/transform/xml-shape.ts';
import type { Path, YamlSource } from '../yaml-source.ts';

const NAME = '[A-Za-z_][A-Za-z0-9_.-]*(?::[A-Za-z_][A-Za-z0-9_.-]*)?';
const nameError = 'expected the name of an element, such as order';
const elementName = z
  .string({ error: nameError })
  .max(128)
  .regex(new RegExp(`^${NAME}$`), { error: nameError });
const pathError = 'expected a path below the root element, such as lines/line, or . for the root';
const elementPath = z
  .string({ error: pathError })
  .max(512)
  .regex(new RegExp(`^(?:\\.|${NAME}(?:/${NAME})*)$`), { error: pathError });
const valueError = 'expected a path of an element or attribute, such as lines/line/@qty';
const valuePath = z
  .string({ error: valueError })
  .max(512)
  .regex(new RegExp(`^(?:\\.|(?:${NAME}/)*@?${NAME})$`), { error: valueError });

const document = z.strictObject({
  root: elementName.meta({
    description: 'Name of the root element; what it holds is what the JSON body holds.',
  }),
  arrays: z.array(elementPath).max(256).optional().meta({
    description:
      'Repeated elements: arrays even when there is one. Others are arrays when there are several.',
  }),
  lists: z.record(elementPath, elementName).optional().meta({
    description: 'Path of an element that holds an array: name of its elements. . is the root.',
  }),
  types: z
    .record(
      valuePath,
      z.enum(['number', 'boolean'], { error: 'expected number or boolean; everything else is text' }),
    )
    .optional()
    .meta({ description: 'Path of an element or attribute: what its text is in JSON. Default: text.' }),
});

const namespace = z.string({ error: 'expected a namespace, such as urn:example:orders' }).min(1).max(512);
const prefixError = 'expected a prefix, such as ord, or "" for none';

export const xmlField = z
  .union([
    z.strictObject({
      upstream: z
        .enum(['json', 'xml'])
        .optional()
        .meta({ description: 'What the upstream speaks. Default json.' }),
      prefer: z.enum(['json', 'xml']).optional().meta({
        description: 'What a client gets whose request says nothing about it. Default json.',
      }),
      request: document
        .optional()
        .meta({ description: 'Bodies of requests; without, they pass as they are.' }),
      response: document
        .optional()
        .meta({ description: 'Bodies of responses; without, they pass as they are.' }),
      namespaces: z
        .record(z.string().regex(/^(?:[A-Za-z_][A-Za-z0-9_.-]{0,31})?$/, { error: prefixError }), namespace)
        .optional()
        .meta({
          description:
            'Prefix in JSON: namespace; others are refused. Default: names and declarations stay as they are written.',
        }),
      maxBytes: z.int().min(1).max(16_777_216).optional().meta({
        description: 'Of a body in either form. Default 1 MiB.',
      }),
      maxDepth: z.int().min(1).max(256).optional().meta({ description: 'Of nested elements. Default 32.' }),
      maxElements: z
        .int()
        .min(1)
        .max(1_000_000)
        .optional()
        .meta({ description: 'Of a document. Default 20000.' }),
      maxAttributes: z
        .int()
        .min(0)
        .max(1_000)
        .optional()
        .meta({ description: 'Of one element. Default 32.' }),
    }),
    z.literal(false),
  ])
  .optional()
  .meta({ description: 'Translates bodies between JSON and XML; false for none.' });

export type XmlYaml = z.output<typeof xmlField>;
type DocumentYaml = z.output<typeof document>;

/** How a document and its JSON correspond. */
export interface XmlDocument {
  readonly root: string;
  readonly arrays: readonly string[];
  readonly lists: Readonly<Record<string, string>>;
  readonly types: Readonly<Record<string, XmlType>>;
}

export interface XmlPolicy {
  readonly upstream: BodyForm;
  readonly prefer: BodyForm;
  /** Null: bodies of that direction are not translated. */
  readonly request: XmlDocument | null;
  readonly response: XmlDocument | null;
  /** Null: names are as they are written. */
  readonly namespaces: Namespaces | null;
  readonly limits: XmlLimits;
}

export function completeXml(yaml: XmlYaml): XmlPolicy | null {
  if (!yaml) return null;
  return {
    upstream: yaml.upstream ?? 'json',
    prefer: yaml.prefer ?? 'json',
    request: completeDocument(yaml.request),
    response: completeDocument(yaml.response),
    namespaces: yaml.namespaces ?? null,
    limits: {
      maxBytes: yaml.maxBytes ?? 1_048_576,
      maxDepth: yaml.maxDepth ?? 32,
      maxElements: yaml.maxElements ?? 20_000,
      maxAttributes: yaml.maxAttributes ?? 32,
    },
  };
}

function completeDocument(yaml: DocumentYaml | undefined): XmlDocument | null {
  if (yaml === undefined) return null;
  const { root, arrays = [], lists = {}, types = {} } = yaml;
  return { root, arrays, lists, types };
}

export function checkXml(source: YamlSource, path: Path, written: XmlYaml): void {
  if (!written) return;
  const at: Path = [...path, 'xml'];
  const { findings } = source;
  if (written.request === undefined && written.response === undefined) {
    findings.error(
      source.keyRange(at),
      'expected request, response or both, or there is nothing to translate',
    );
  }
  checkNamespaces(source, [...at, 'namespaces'], written.namespaces ?? {});
  const known = new Set(['xml', ...Object.keys(written.namespaces ?? {})]);
  for (const direction of ['request', 'response'] as const) {
    const { root, arrays = [], lists = {}, types = {} } = written[direction] ?? { root: '' };
    const here: Path = [...at, direction];
    checkPrefixes([...here, 'root'], root, false);
    for (const [index, text] of arrays.entries()) {
      if (text === '.') {
        findings.error(
          source.valueRange([...here, 'arrays', index]),
          'there is one root element; an array that it holds is a list',
          'use lists: { ".": … }',
        );
      }
      checkPrefixes([...here, 'arrays', index], text, false);
    }
    for (const [text, item] of Object.entries(lists)) {
      checkPrefixes([...here, 'lists', text], text, true);
      checkPrefixes([...here, 'lists', text], item, false);
    }
    for (const text of Object.keys(types)) checkPrefixes([...here, 'types', text], text, true);
  }

  /** A prefix that nothing declares would be one of no namespace. */
  function checkPrefixes(place: Path, text: string, isKey: boolean): void {
    for (const name of text.split('/')) {
      const [prefix = '', local] = name.replace('@', '').split(':', 2);
      if (local === undefined || known.has(prefix)) continue;
      findings.error(
        isKey ? source.keyRange(place) : source.valueRange(place),
        `the prefix "${prefix}" is not declared`,
        `add it to namespaces: { ${prefix}: … }`,
      );
    }
  }
}

const RESERVED: ReadonlySet<string> = new Set(['xml', 'xmlns', 'xsi']);

function checkNamespaces(source: YamlSource, at: Path, namespaces: Namespaces): void {
  const seen = new Map<string, string>();
  for (const [prefix, uri] of Object.entries(namespaces)) {
    if (RESERVED.has(prefix)) {
      source.findings.error(
        source.keyRange([...at, prefix]),
        `the prefix "${prefix}" has its meaning already`,
      );
    }
    const other = seen.get(uri);
    if (other !== undefined) {
      source.findings.error(
        source.valueRange([...at, prefix]),
        `"${other}" and "${prefix}" stand for the same namespace, so that names would have two forms`,
      );
    }
    seen.set(uri, prefix);
  }
}
