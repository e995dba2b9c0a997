/**
 * Credentials of a git server from a mounted Secret. Git gets them from a helper that reads the files themselves, so that they stand
 * in no argument, variable or configuration; and only for the server that the Secret names.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SourceError } from './source-error.ts';

/** What servers take with a token; an own user name comes from the Secret. */
const USER = 'x-access-token';

/** Settings for git. Throws SourceError when the Secret lacks something or is not for this address. */
export async function credentialSettings(folder: string, url: string, secret: string): Promise<string[]> {
  const read = async (name: string): Promise<string | undefined> => {
    try {
      return (await readFile(join(folder, name), 'utf8')).trim();
    } catch {
      return undefined;
    }
  };
  const [allowed, username = USER, password, token] = await Promise.all(
    ['url', 'username', 'password', 'token'].map(read),
  );
  const lacks = (what: string): SourceError =>
    new SourceError(`the Secret ${secret}, which the git credentials shall come from, ${what}`);
  if (allowed === undefined && password === undefined && token === undefined)
    throw lacks('is not there or is empty');
  if (allowed === undefined) throw lacks('does not say in url which addresses they are for');
  if (password === undefined && token === undefined) throw lacks('has neither password nor token');
  if (!isWithin(url, allowed)) throw lacks(`is for ${shown(allowed)}, not for ${shown(url)}`);
  if (/[\r\n\0]/.test(username + (password ?? token ?? ''))) throw lacks('has a line break in it');
  const file = (name: string): string => `"$(cat ${quoted(join(folder, name))})"`;
  const name = username === USER ? quoted(USER) : file('username');
  const secretFile = file(password === undefined ? 'token' : 'password');
  const helper = `!f() { test "$1" = get && printf 'username=%s\\npassword=%s\\n' ${name} ${secretFile}; }; f`;
  return [`credential.${new URL(url).origin}.helper=${helper}`, 'http.followRedirects=false'];
}

/** The same server, and the path itself or one below it. */
function isWithin(url: string, allowed: string): boolean {
  if (!URL.canParse(url) || !URL.canParse(allowed)) return false;
  const [asked, given] = [new URL(url), new URL(allowed)];
  if (!['http:', 'https:'].includes(asked.protocol) || asked.origin !== given.origin) return false;
  const path = given.pathname.replace(/\/+$/, '');
  return asked.pathname === path || asked.pathname.startsWith(`${path}/`);
}

const shown = (url: string): string => url.replace(/\/\/[^/@\s]+@/, '//***@');

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
