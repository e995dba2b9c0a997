/**
 * `audit verify`: verifies the chains of a store, also one that no operator serves. Exit code 0: every chain is whole;
 * 1: one is broken or missing; 2: it could not be found out.
 */
import { parseArgs } from 'node:util';
import { OPERATOR_NAMESPACE } from '../common/api/names.ts';
import { AmbientError, messageOf } from '../common/errors.ts';
import { readConfigMap } from './config-map-file.ts';
import type { Environment } from './config.ts';
import { HEADS_CONFIG_MAP, parseHeads } from './record/audit/heads.ts';
import { verifyStore } from './record/audit/verify.ts';
import type { ChainReport } from './record/audit/verify.ts';
import { openStore, storeConfigOf } from './store-config.ts';

const OPTIONS = {
  'store-dir': {
    default: undefined,
    about: "The operator's store when that is a directory. Default: as AMBIENT_STORE and its like say.",
  },
  namespace: { default: undefined, about: 'Only this one; may be given several times.' },
  heads: {
    default: undefined,
    about:
      'File with the ConfigMap ambient-audit-heads as JSON, - for standard input. Without it the newest chain of a namespace could be cut off unnoticed.',
  },
  'operator-namespace': {
    default: OPERATOR_NAMESPACE,
    about: 'Where the operator runs, or ran. [POD_NAMESPACE]',
  },
} as const;

export interface Terminal {
  out: (line: string) => void;
  error: (line: string) => void;
  input: NodeJS.ReadableStream;
}

/** Resolves with the exit code. Never rejects. */
export async function runAuditCommand(
  args: readonly string[],
  env: Environment,
  { out, error, input }: Terminal,
): Promise<0 | 1 | 2> {
  try {
    const { command, store: place, only, headsFile, operatorNamespace } = readArguments(args, env);
    if (command === 'help') {
      out(describeCommand());
      return 0;
    }
    const heads =
      headsFile === undefined
        ? undefined
        : parseHeads(await readConfigMap(headsFile, input, HEADS_CONFIG_MAP));
    let [chains, broken] = [0, 0];
    const store = await openStore(place);
    for await (const report of verifyStore(store, heads, { only, operatorNamespace })) {
      chains++;
      if (!report.ok) broken++;
      out(lineOf(report, heads !== undefined));
    }
    if (heads === undefined) error('Without --heads it was not compared with what the cluster knows.');
    out(`${chains} ${chains === 1 ? 'chain' : 'chains'}, ${broken} broken`);
    return broken > 0 ? 1 : 0;
  } catch (problem) {
    error(messageOf(problem));
    return 2;
  }
}

export function describeCommand(): string {
  const options = Object.entries(OPTIONS).map(([name, { default: value, about }]) => {
    const usual = value === undefined ? '' : ` Default: ${value}.`;
    return `  --${name.padEnd(20)} ${about}${usual}`;
  });
  return ['audit verify: are the audit records what was written?', '', ...options].join('\n');
}

function readArguments(args: readonly string[], env: Environment) {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      'store-dir': { type: 'string' },
      namespace: { type: 'string', multiple: true },
      heads: { type: 'string' },
      'operator-namespace': { type: 'string' },
      help: { type: 'boolean' },
    },
    strict: true,
    allowPositionals: true,
  });
  const isHelp = values.help === true;
  if (!isHelp && positionals.join(' ') !== 'verify')
    throw new AmbientError('invalid_request', `audit verify is the only command\n\n${describeCommand()}`);
  return {
    command: isHelp ? ('help' as const) : ('verify' as const),
    store: storeConfigOf(env, values['store-dir']),
    only: values.namespace,
    headsFile: values.heads,
    operatorNamespace: values['operator-namespace'] ?? env['POD_NAMESPACE'] ?? OPERATOR_NAMESPACE,
  };
}

function lineOf(report: ChainReport, isCompared: boolean): string {
  const chain = `${report.namespace}/${report.writer}`;
  if (!report.ok) return `${chain}  BROKEN at record ${report.seq}, ${report.tampering}: ${report.message}`;
  const { first, last, records } = report;
  const span =
    first === undefined || last === undefined
      ? 'no records'
      : `${records} ${records === 1 ? 'record' : 'records'}, ${first.seq} to ${last.seq}, ${first.timestamp} to ${last.timestamp}`;
  const head = isCompared && !report.isPublished ? '; its head is not published (any more, or yet)' : '';
  return `${chain}  OK: ${span}${head}`;
}
