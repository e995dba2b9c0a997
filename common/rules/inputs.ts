/** What a session is given to read beside its source: `spec.artifacts.references`, each as a folder or file of `/inputs`. */
import type { SessionSpec } from '../api/session.ts';

export type Input =
  | { name: string; kind: 'pvc'; claim: string; path: string }
  | {
      name: string;
      kind: 's3';
      bucket: string;
      /** One object, or what all names begin with when it ends with / or is empty. */
      key: string;
      credentials: string;
    }
  | { name: string; kind: 'external'; url: string; digest: string | undefined };

export interface InputMistake {
  /** Below spec.artifacts.references, as [0].location. */
  at: string;
  value: string;
  expected: string;
}

const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;
const CLAIM = /^(?:pvc:\/\/)?([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)(?:\/(.*))?$/;
const S3 = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;

/** Every reference, read; and what is wrong with those that cannot be. */
export function inputsOf(spec: Pick<SessionSpec, 'artifacts'>): {
  inputs: Input[];
  mistakes: InputMistake[];
} {
  const inputs: Input[] = [];
  const mistakes: InputMistake[] = [];
  for (const [index, reference] of (spec.artifacts?.references ?? []).entries()) {
    const { type, location, credentials, digest } = reference;
    const name = reference.name ?? nameOf(location, index);
    const wrong = (field: string, value: string, expected: string): void =>
      void mistakes.push({ at: `[${index}].${field}`, value, expected });
    if (!NAME.test(name)) wrong('name', name, 'letters, digits and . _ -');
    else if (inputs.some((other) => other.name === name)) wrong('name', name, 'another name than the others');
    else if (type === 'pvc') {
      const [, claim, , path = ''] = CLAIM.exec(location) ?? [];
      if (claim === undefined || !isPlainPath(path)) wrong('location', location, 'CLAIM or CLAIM/PATH');
      else inputs.push({ name, kind: 'pvc', claim, path });
    } else if (type === 's3') {
      const [, bucket, key = ''] = S3.exec(location) ?? [];
      if (bucket === undefined) wrong('location', location, 's3://BUCKET/KEY, or s3://BUCKET/PREFIX/');
      else if (credentials === undefined) wrong('credentials', '', 'the name of a Secret');
      else inputs.push({ name, kind: 's3', bucket, key, credentials });
    } else if (!URL.canParse(location) || !/^https?:\/\//.test(location) || hasUser(location))
      wrong('location', location, 'an https:// URL without credentials');
    else inputs.push({ name, kind: 'external', url: location, digest });
  }
  return { inputs, mistakes };
}

/** Those that have to be brought before the command runs. */
export const fetchedOf = (inputs: readonly Input[]): Exclude<Input, { kind: 'pvc' }>[] =>
  inputs.filter((input) => input.kind !== 'pvc');

/** The last segment where that can be a name. */
function nameOf(location: string, index: number): string {
  const last =
    location
      .replace(/[?#].*$/, '')
      .replace(/\/+$/, '')
      .split('/')
      .at(-1) ?? '';
  return NAME.test(last) ? last : `input-${index + 1}`;
}

const isPlainPath = (path: string): boolean =>
  path === '' || path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');

const hasUser = (url: string): boolean => new URL(url).username !== '' || new URL(url).password !== '';
