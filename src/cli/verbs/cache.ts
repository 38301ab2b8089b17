/**
 * `rollout cache purge`: removes stored responses from all gateways. Knows no protocol.
 * @module
 */

import type { Command } from 'commander';
import { SluiceError } from '../../core/domain/errors.ts';
import { flawOfPurge, PURGE_KINDS, type Purge } from '../../core/policy/cache/purge.ts';
import type { PurgeReceipt } from '../../ports/purge-channel.ts';
import { EXIT } from '../exit-codes.ts';
import { printable } from '../render/text.ts';
import type { RegisterVerb } from '../verb-runner.ts';

interface PurgeOptions {
  readonly url?: string;
  readonly path?: string;
  readonly prefix?: string;
  readonly tag?: string;
  readonly service?: string;
}

export const registerCache: RegisterVerb = (program, run) => {
  const cache = program.command('cache').description('what gateways have stored of responses');
  cache
    .command('purge')
    .description('remove stored responses from all gateways, by URL, by path, by path prefix or by tag')
    .option('--url <url>', 'one resource: a URL, or a path for every host')
    .option('--path <path>', 'one path with every query, or a URL without query')
    .option('--prefix <path>', 'everything at and below a path, or a URL without query')
    .option('--tag <tag>', 'every response that carries this tag')
    .option('--service <name>', 'of this service only')
    .action((options: PurgeOptions, command: Command) =>
      run(command, async (context) => {
        const purge = purgeOf(options);
        const receipt = await (await context.connect()).purge(purge);
        if (context.json) context.dataJson({ ...purge, ...receipt });
        context.talk(`Purged ${what(purge)}: ${howFar(receipt)}.`);
        return EXIT.success;
      }),
    );
};

function purgeOf(options: PurgeOptions): Purge {
  const named = PURGE_KINDS.filter((kind) => options[kind] !== undefined);
  const [by, second] = named;
  if (by === undefined || second !== undefined) {
    throw new SluiceError('USAGE', {
      detail: `name what to purge by exactly one of ${PURGE_KINDS.map((kind) => `--${kind}`).join(', ')}`,
      hint: 'Everything of a service: rollout cache purge --prefix / --service <name>',
    });
  }
  const purge = { by, value: options[by] ?? '', service: options.service ?? null };
  const flaw = flawOfPurge(purge);
  if (flaw !== null) throw new SluiceError('USAGE', { detail: `--${by}: ${flaw}` });
  return purge;
}

function what({ by, value, service }: Purge): string {
  const of = service === null ? '' : ` of ${printable(service)}`;
  const named = { url: '', path: 'every query of ', prefix: 'everything below ', tag: 'everything tagged ' }[
    by
  ];
  return `${named}${printable(value)}${of}`;
}

function howFar({ reached }: PurgeReceipt): string {
  if (reached === null) return 'published, but which gateways have applied it could not be asked';
  const { gateways, applied } = reached;
  if (gateways === 0) return 'published, but no gateway has been heard of in the last seconds';
  const count = `${applied} of ${gateways} ${gateways === 1 ? 'gateway' : 'gateways'}`;
  return applied === gateways
    ? `applied by ${count}`
    : `applied by ${count}; the others follow once they hear of it`;
}
