/** Which room may import which: the picture of ARCHITECTURE.md, checked. A wrong arrow or a cycle between files fails npm run check. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = join(import.meta.dirname, '..');

/** Room (longest prefix wins) → rooms it may import besides itself. */
const ALLOWED: Record<string, string[]> = {
  'common/errors.ts': [],
  'common/bounded-map.ts': [],
  'common/api': [],
  'common/rules': ['common/api', 'common/errors.ts'],
  'common/kube': ['common/api', 'common/errors.ts'],
  extension: ['common/api', 'common/rules', 'common/kube', 'common/errors.ts'],
  webview: ['common/api'],
  'operator/store': ['common/api', 'common/errors.ts'],
  'operator/record': ['operator/store', 'common/api', 'common/errors.ts', 'common/rules', 'common/kube'],
  'operator/sessions': [
    'operator/store',
    'operator/record',
    'common/api',
    'common/errors.ts',
    'common/bounded-map.ts',
    'common/rules',
    'common/kube',
  ],
  'operator/serve': [
    'operator/sessions',
    'common/api',
    'common/errors.ts',
    'common/bounded-map.ts',
    'common/kube',
  ],
  'operator/controllers': [
    'operator/sessions',
    'operator/store',
    'operator/record',
    'common/api',
    'common/errors.ts',
    'common/rules',
    'common/kube',
  ],
  // what composes the operator knows all of its rooms
  operator: [
    'operator/controllers',
    'operator/serve',
    'operator/sessions',
    'operator/store',
    'operator/record',
    'common/api',
    'common/errors.ts',
    'common/rules',
    'common/kube',
  ],
  runner: ['common/api', 'common/errors.ts', 'common/bounded-map.ts'],
  // what policy leaves of an agent's tools is decided by the rules that admission has
  'runner/frameworks': ['common/api', 'common/errors.ts', 'common/rules'],
};

const roomOf = (file: string): string | undefined =>
  Object.keys(ALLOWED)
    .filter((room) => file === room || file.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}

/** Those of types and those that load on first use as well: who reads one file must read the other, whenever it loads. */
const IMPORT =
  /(?:^|[\s;])(?:import|export)\s+(?:[^'";]*?\sfrom\s+)?['"](\.[^'"]+)['"]|\bimport\(\s*['"](\.[^'"]+)['"]\s*\)/g;

/** Beginning a line: elsewhere it may as well be part of a string. */
const COMMENT = /^[ \t]*(?:\/\*[^]*?\*\/|\/\/.*)/gm;

/** Files by the files that they import, from the root of the project. */
type Imports = ReadonlyMap<string, readonly string[]>;

export const importsIn = (file: string, text: string): string[] =>
  [...text.replace(COMMENT, '').matchAll(IMPORT)].map((match) =>
    relative(root, resolve(root, dirname(file), match[1] ?? match[2] ?? '')).replaceAll('\\', '/'),
  );

const importsOf = (files: readonly string[]): Imports =>
  new Map(files.map((file) => [file, importsIn(file, readFileSync(join(root, file), 'utf8'))]));

/** One line for each way round that is found; empty when no file leads back to itself. */
export function cyclesIn(imports: Imports): string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, trail: string[]): void => {
    const seen = trail.indexOf(file);
    if (seen >= 0) {
      cycles.push(`cycle: ${[...trail.slice(seen), file].join(' → ')}`);
      return;
    }
    if (done.has(file)) return;
    for (const to of imports.get(file) ?? []) visit(to, [...trail, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return cycles;
}

/** One line for each forbidden arrow and each cycle; empty when all is well. */
export function arrowProblems(): string[] {
  const shipped = importsOf(['common', 'extension', 'webview', 'operator', 'runner'].flatMap(sources));
  const problems: string[] = [];

  for (const [file, imports] of shipped) {
    const from = roomOf(file);
    for (const to of imports) {
      const target = roomOf(to);
      if (from === undefined || target === undefined)
        problems.push(`${file} imports ${to}: outside every known room`);
      else if (from !== target && !ALLOWED[from]?.includes(target))
        problems.push(`${file} imports ${to}: ${from} may not know ${target}`);
    }
  }

  const others = importsOf(['scripts', 'test'].flatMap(sources));
  return [...problems, ...cyclesIn(new Map([...shipped, ...others]))];
}
