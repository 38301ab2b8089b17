/**
 * Puts the parts together: which backend, which notifiers, which operator, from files, flags and environment.
 * The only folder that may know every other one.
 * @module
 */

import { createHash, randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { openEmbedded } from '../adapters/embedded/open-embedded.ts';
import { createFileRecordings } from '../adapters/embedded/recordings.ts';
import { createLogNotifier } from '../adapters/log/log-notifier.ts';
import { createPrometheusSource } from '../adapters/prometheus/prometheus-source.ts';
import { openRedis } from '../adapters/redis/open-redis.ts';
import { createSlackNotifier } from '../adapters/slack/slack-notifier.ts';
import { webhookGates } from '../adapters/webhook/webhook-gate.ts';
import { createWebhookNotifier } from '../adapters/webhook/webhook-notifier.ts';
import { type ControlApi, startControlApi } from '../api/control-api.ts';
import type { ProjectPaths } from '../config/load-project.ts';
import type { NotifierConfig, OperatorConfig } from '../config/operator-model.ts';
import { pathText, placeOf } from '../config/place-of.ts';
import type { ListenAddress, Secret } from '../config/primitives.ts';
import { readSecret } from '../config/read-secret.ts';
import type { Path } from '../config/yaml-source.ts';
import { createSequentialJudge } from '../core/analysis/sequential-judge.ts';
import { SluiceError } from '../core/domain/errors.ts';
import { folderFailure, listenFailure } from '../core/domain/start-failure.ts';
import { createFileCatalog } from '../operator/file-catalog.ts';
import { createOperator, type Operator } from '../operator/operator.ts';
import type { Backend } from '../ports/backend.ts';
import type { Clock } from '../ports/clock.ts';
import type { Notifier } from '../ports/notifier.ts';
import type { Logger } from '../telemetry/logger.ts';

export const systemClock: Clock = { nowMs: () => Date.now() };

const TICK_MS = 500;
const SLACK_TIMEOUT_MS = 10_000;
const WEBHOOK_TIMEOUT_MS = 10_000;

export interface RedisChoice {
  readonly url: string;
  /** Flag or variable that names it. */
  readonly from: string;
}

export interface BackendChoice {
  /** Null: embedded. */
  readonly redis: RedisChoice | null;
  /** Directory of the embedded backend. */
  readonly stateDir: string;
}

/** `stopping`: nobody waits for it any more. */
export async function openBackend(
  choice: BackendChoice,
  logger: Logger,
  stopping: AbortSignal,
): Promise<Backend> {
  if (choice.redis !== null) {
    const { url, from } = choice.redis;
    return openRedis({ url, logger, stopping }).catch((error: unknown) => {
      throw error instanceof SluiceError ? error.from(from) : error;
    });
  }
  try {
    return await openEmbedded({ dir: choice.stateDir, clock: systemClock });
  } catch (error) {
    throw folderFailure(error, choice.stateDir, '--state-dir');
  }
}

export interface RunningOperator {
  readonly operator: Operator;
  readonly api: ControlApi;
  close(): Promise<void>;
}

export interface OperatorOptions {
  readonly config: OperatorConfig;
  readonly paths: ProjectPaths;
  readonly backend: Backend;
  readonly logger: Logger;
  /** Overrides the configured address of the control API. */
  readonly address: ListenAddress | null;
  /** Base URL by which other operators reach this one's control API; null: as it listens. */
  readonly advertiseUrl: string | null;
  /** Callers on a loopback address act as admin without a token. A reverse proxy on this machine is one too. */
  readonly loopbackWithoutToken: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Recordings of runs are kept below it. */
  readonly stateDir: string;
}

/** Starts an operator with its control API. */
export async function startOperatorWithApi(options: OperatorOptions): Promise<RunningOperator> {
  const { config, paths, backend, logger, env } = options;
  const reveal = (secret: Secret, path: Path): string => revealSecret(secret, path, config, env);
  let contact = '';
  const recordings = createFileRecordings(join(options.stateDir, 'recordings'), (error) =>
    logger.warn({ err: error }, 'runs cannot be recorded'),
  );
  const operator = createOperator({
    backend,
    catalog: createFileCatalog(paths),
    createJudge: createSequentialJudge,
    metrics: config.prometheus
      ? createPrometheusSource({
          url: config.prometheus.url,
          timeoutMs: config.prometheus.timeoutMs,
          bearerToken:
            config.prometheus.bearerToken &&
            reveal(config.prometheus.bearerToken, ['operator', 'prometheus', 'bearerToken']),
        })
      : null,
    metricsIntervalMs: config.prometheus?.intervalMs ?? 10_000,
    scrapeIntervalMs: config.prometheus?.scrapeIntervalMs ?? null,
    recordings,
    gates: webhookGates,
    notifiers: Object.entries(config.notifiers).map(([name, notifier]) =>
      createNotifier(name, notifier, reveal, logger),
    ),
    clock: systemClock,
    digest: (text) => createHash('sha256').update(text).digest('hex'),
    logger,
    holder: `${hostname()}-${randomUUID().slice(0, 8)}`,
    contact: () => contact,
    tickMs: TICK_MS,
  });
  const tokens = config.api.tokens.map(({ name, role, token }, index) => ({
    name,
    role,
    token: reveal(token, ['operator', 'api', 'tokens', index, 'token']),
  }));
  const address = options.address ?? config.api.address;
  const { loopbackWithoutToken } = options;
  const listening = startControlApi({
    control: operator.control,
    purges: backend.purges,
    address,
    tokens,
    loopbackWithoutToken,
    logger,
  });
  const api = await listening.catch(async (error: unknown) => {
    await operator.close();
    throw listenFailure(
      error,
      address,
      options.address
        ? '--api'
        : `operator.api.address of ${placeOf(config.path, ['operator', 'api', 'address'])}, or --api`,
    );
  });
  contact = options.advertiseUrl ?? api.url;
  operator.start();
  return {
    operator,
    api,
    async close() {
      await api.close();
      await operator.close();
      await recordings.close();
    },
  };
}

function createNotifier(
  name: string,
  config: NotifierConfig,
  reveal: (secret: Secret, path: Path) => string,
  logger: Logger,
): Notifier {
  const at = ['operator', 'notifiers', name];
  if (config === 'log') return createLogNotifier({ name, logger });
  if ('slack' in config) {
    const webhookUrl = reveal(config.slack.webhookUrl, [...at, 'slack', 'webhookUrl']);
    return createSlackNotifier({ name, webhookUrl, timeoutMs: SLACK_TIMEOUT_MS });
  }
  const { url, signingKey, timeout } = config.webhook;
  const key = reveal(signingKey, [...at, 'webhook', 'signingKey']);
  return createWebhookNotifier({ name, url, signingKey: key, timeoutMs: timeout ?? WEBHOOK_TIMEOUT_MS });
}

function revealSecret(
  secret: Secret,
  path: Path,
  config: OperatorConfig,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const result = readSecret(secret, dirname(config.path), env);
  if (result.ok) return result.secret;
  throw new SluiceError('CONFIG_INVALID', {
    detail: `${placeOf(config.path, path)} ${pathText(path)}: ${result.message}`,
    hint: result.hint,
  });
}
