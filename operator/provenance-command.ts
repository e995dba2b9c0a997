/**
 * `provenance verify`: are a session's artifacts what the operator has signed? In the store, or in a folder that they were saved
 * to, also where there is no operator. Exit code 0: they are; 1: they are not; 2: it could not be found out.
 */
import { parseArgs } from 'node:util';
import { AmbientError, messageOf } from '../common/errors.ts';
import type { Difference, ProvenanceStatement } from '../common/rules/provenance.ts';
import type { Terminal } from './audit-command.ts';
import { readConfigMap } from './config-map-file.ts';
import type { Environment } from './config.ts';
import { keysOf } from './record/provenance/envelope.ts';
import { savedProducts, storedProducts } from './record/provenance/products.ts';
import type { Products } from './record/provenance/verify.ts';
import { verifyProducts } from './record/provenance/verify.ts';
import { openStore, storeConfigOf } from './store-config.ts';

const OPTIONS = {
  session: 'NAMESPACE/UID of the session whose artifacts in the store are verified.',
  dir: 'Instead: a folder with the saved artifacts, .ambient/provenance.intoto.jsonl among them.',
  keys: 'File with the ConfigMap ambient-provenance-keys as JSON, - for standard input.',
  'store-dir': "The operator's store when that is a directory. Default: as AMBIENT_STORE and its like say.",
} as const;

const SESSION = /^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)\/([a-zA-Z0-9-]{1,128})$/;

/** Resolves with the exit code. Never rejects. */
export async function runProvenanceCommand(
  args: readonly string[],
  env: Environment,
  { out, error, input }: Terminal,
): Promise<0 | 1 | 2> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        session: { type: 'string' },
        dir: { type: 'string' },
        keys: { type: 'string' },
        'store-dir': { type: 'string' },
        help: { type: 'boolean' },
      },
      strict: true,
      allowPositionals: true,
    });
    if (values.help === true) {
      out(describeProvenanceCommand());
      return 0;
    }
    if (positionals.join(' ') !== 'verify' || values.keys === undefined)
      throw new AmbientError(
        'invalid_request',
        `provenance verify needs --keys\n\n${describeProvenanceCommand()}`,
      );
    const { products, uid } = await productsOf(values, env);
    const keys = keysOf(await readConfigMap(values.keys, input, 'ambient-provenance-keys'));
    const verdict = await verifyProducts(products, keys, uid);
    if (verdict.ok) {
      for (const line of linesOf(verdict.statement)) out(line);
      out(`OK: signed with ${verdict.keyId}`);
      return 0;
    }
    for (const difference of verdict.differences) out(differenceText(difference));
    out(`NOT what was signed: ${verdict.problem ?? `${verdict.differences.length} differ`}`);
    return 1;
  } catch (problem) {
    error(messageOf(problem));
    return 2;
  }
}

export function describeProvenanceCommand(): string {
  const options = Object.entries(OPTIONS).map(([name, about]) => `  --${name.padEnd(20)} ${about}`);
  return ["provenance verify: are a session's artifacts what was signed?", '', ...options].join('\n');
}

async function productsOf(
  values: { session?: string; dir?: string; 'store-dir'?: string },
  env: Environment,
): Promise<{ products: Products; uid?: string }> {
  if (values.dir !== undefined) return { products: savedProducts(values.dir) };
  const [, namespace, , uid] = SESSION.exec(values.session ?? '') ?? [];
  if (namespace === undefined || uid === undefined)
    throw new AmbientError('invalid_request', 'give --session NAMESPACE/UID, or --dir FOLDER');
  const store = await openStore(storeConfigOf(env, values['store-dir']));
  return { products: storedProducts(store, { namespace, uid }), uid };
}

function linesOf({ subject, predicate }: ProvenanceStatement): string[] {
  const { buildDefinition, runDetails } = predicate;
  const { launchedBy, framework, source, session } = buildDefinition.externalParameters;
  const said = { session, launchedBy, framework, source, ...runDetails.metadata };
  return [
    ...subject.map(({ name, digest }) => `sha256:${digest.sha256}  ${printable(name)}`),
    ...Object.entries(said).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
  ];
}

function differenceText({ path, what, expected, found }: Difference): string {
  const name = printable(path);
  switch (what) {
    case 'changed':
      return `CHANGED  ${name}: sha256:${found ?? ''}, signed was sha256:${expected ?? ''}`;
    case 'missing':
      return `MISSING  ${name}: signed was sha256:${expected ?? ''}`;
    case 'extra':
      return `EXTRA    ${name}: nothing was signed of it`;
  }
}

/** Names come from agents, and this goes to a terminal. */
const printable = (name: string): string => (/^[\x20-\x7e]+$/.test(name) ? name : JSON.stringify(name));
