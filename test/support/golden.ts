/** Golden files: a whole behaviour as text, compared with the file that was looked at and found right. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Run with UPDATE_GOLDEN=1 to write what is now, then look at the difference before committing it. */
export function matchesGolden(file: string, actual: string): void {
  const text = actual.endsWith('\n') ? actual : `${actual}\n`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
  assert.ok(existsSync(file), `${file} is missing: run with UPDATE_GOLDEN=1`);
  assert.equal(text, readFileSync(file, 'utf8'), `differs from ${file}`);
}
