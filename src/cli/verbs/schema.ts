/**
 * `rollout schema`: the JSON Schema of a configuration file, for editors. Works offline.
 * @module
 */

import { Argument, type Command } from 'commander';
import { SluiceError } from '../../core/domain/errors.ts';
import { EXIT } from '../exit-codes.ts';
import type { RegisterVerb } from '../verb-runner.ts';

const KINDS = ['rollout', 'gateway', 'operator'] as const;

export const registerSchema: RegisterVerb = (program, run) => {
  program
    .command('schema')
    .addArgument(new Argument('<kind>', 'of file').choices(KINDS))
    .description('print the JSON Schema of a configuration file')
    .action((kind: (typeof KINDS)[number], _options: unknown, command: Command) =>
      run(command, async (context) => {
        const { jsonSchemaFiles } = await import('../../config/json-schema.ts');
        const files = Object.entries(jsonSchemaFiles());
        const text = files.find(([path]) => path.endsWith(`/${kind}.schema.json`))?.[1];
        if (text === undefined) throw new SluiceError('INTERNAL', { detail: `no schema for ${kind}` });
        context.io.stdout.write(text);
        return EXIT.success;
      }),
    );
};
