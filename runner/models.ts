/** What a command needs to reach models through the operator's gateway: addresses, its key, and whom it can trust there. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MODELS_PATH } from '../common/api/models.ts';
import { AUTHORITIES_FILE, MODELS_TOKEN_VARIABLE } from '../common/api/runner.ts';
import type { RunDescription } from '../common/api/runner.ts';
import type { Locations } from './locations.ts';

/** Where Debian, and Alpine beside a link of its own, keep the authorities they trust. */
const SYSTEM_AUTHORITIES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/ssl/cert.pem'];

/**
 * Nothing where the framework declares no models. Rejects when there is no token though there should be.
 * @param folder where the authorities are written
 */
export async function modelsEnvironment(
  { models = [], endpoint }: RunDescription,
  locations: Locations,
  folder: string = locations.temporary,
): Promise<Record<string, string>> {
  if (models.length === 0) return {};
  const token = (await readFile(locations.modelsToken, 'utf8')).trim();
  const trusted = join(folder, AUTHORITIES_FILE);
  // Commands read one file: what the image trusts must go on to be trusted, for registries and the like.
  await writeFile(trusted, `${await firstOf(SYSTEM_AUTHORITIES)}\n${endpoint.ca}\n`);
  const variables: Record<string, string> = {
    [MODELS_TOKEN_VARIABLE]: locations.modelsToken,
    SSL_CERT_FILE: trusted,
    NODE_EXTRA_CA_CERTS: trusted,
  };
  for (const { provider, baseUrlEnv, path = '', keyEnv } of models) {
    variables[baseUrlEnv] = `${endpoint.url.replace(/\/+$/, '')}${MODELS_PATH}/${provider}${path}`;
    if (keyEnv !== undefined) variables[keyEnv] = token;
  }
  return variables;
}

async function firstOf(files: readonly string[]): Promise<string> {
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (text !== '') return text;
  }
  return '';
}
