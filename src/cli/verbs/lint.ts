/**
 * `rollout lint`: checks configuration files offline, for people, for GitHub Actions, or as JSON.
 * @module
 */

import { type Command, Option } from 'commander';
import {
  countDiagnostics,
  renderDiagnostics,
  renderGithub,
  renderJson,
} from '../../config/render-diagnostic.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { VerbContext } from '../verb-context.ts';
import type { RegisterVerb } from '../verb-runner.ts';

interface LintOptions {
  readonly format?: 'text' | 'github' | 'json';
  readonly gateway: string;
}

const DEFAULT_PATHS = ['proxy', 'rollouts'];

export const registerLint: RegisterVerb = (program, run) => {
  program
    .command('lint')
    .argument('[paths...]', `files and folders (default: ${DEFAULT_PATHS.join(' ')})`)
    .description('check configuration files; works offline')
    .addOption(
      new Option('--format <format>', 'default: github within GitHub Actions, else text').choices([
        'text',
        'github',
        'json',
      ]),
    )
    .option('--gateway <path>', 'what rollouts are checked against', 'proxy/gateway.yaml')
    .action((paths: string[], options: LintOptions, command: Command) =>
      run(command, (context) => lint(context, paths, options)),
    );
};

async function lint(context: VerbContext, paths: readonly string[], options: LintOptions): Promise<ExitCode> {
  const { io } = context;
  // The schemas take their time to load, and no other verb needs them.
  const { lintPaths } = await import('../../config/lint-paths.ts');
  const result = lintPaths(paths.length > 0 ? paths : DEFAULT_PATHS, { gatewayPath: options.gateway });
  const { diagnostics, sources } = result;
  const format = context.json ? 'json' : (options.format ?? (io.env.GITHUB_ACTIONS ? 'github' : 'text'));
  switch (format) {
    case 'json':
      io.stdout.write(renderJson(diagnostics));
      break;
    case 'github':
      io.stdout.write(renderGithub(diagnostics));
      break;
    case 'text':
      io.stdout.write(renderDiagnostics(diagnostics, { color: context.render().color, sources }));
      break;
  }
  const files = `${result.files.length} file${result.files.length === 1 ? '' : 's'}`;
  if (format !== 'text' || diagnostics.length === 0) {
    context.talk(`${files} checked: ${countDiagnostics(diagnostics)}.`);
  }
  return diagnostics.some(({ severity }) => severity === 'error') ? EXIT.usage : EXIT.success;
}
