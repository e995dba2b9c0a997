/**
 * Where esbuild splits, it puts what the entry shares with a chunk into small files, which the entry then loads one by
 * one. This puts them into the entry: one file to read at start, and chunks import from it what they share with it.
 */
import { dirname, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import type { BuildOptions, BuildResult, Metafile, Plugin } from 'esbuild';

export interface Built {
  metafile: Metafile;
  outputFiles: readonly { path: string; contents: Uint8Array }[];
}

type Options = BuildOptions & { absWorkingDir: string; outdir: string };

/** `split` was built with these options, but without a banner: only what comes out has it. */
export async function gatherEntry(
  split: BuildResult<{ metafile: true; write: false }>,
  options: Options,
): Promise<Built> {
  const { outputs } = split.metafile;
  const pathOf = (name: string): string => resolve(options.absWorkingDir, name);
  const entry = Object.keys(outputs).find((name) => dirname(pathOf(name)) === options.outdir);
  if (entry === undefined) throw new Error('there is no entry in the build');
  const texts = new Map(split.outputFiles.map(({ path, text }) => [path, text]));
  const gathered = [...staticImports(outputs, entry)].filter((name) => name !== entry).map(pathOf);
  const chunks = [...texts.keys()].filter(
    (path) => path.endsWith('.js') && path !== pathOf(entry) && !gathered.includes(path),
  );
  /** Names as the file exports them, and as the entry does: two files may call different things the same. */
  const exportsOf = (path: string): [string, string][] =>
    (outputs[relative(options.absWorkingDir, path)]?.exports ?? []).map((name) => [
      name,
      `s${gathered.indexOf(path)}_${name}`,
    ]);
  const again = {
    ...options,
    entryPoints: undefined,
    splitting: false,
    keepNames: false,
    metafile: true,
    write: false,
  } as const;

  const intoEntry: Plugin = {
    name: 'into the entry',
    setup(run) {
      run.onResolve({ filter: /^\.{0,2}\// }, ({ path, kind, importer }) => {
        const file = resolve(dirname(importer), path);
        return kind === 'import-statement'
          ? { path: file }
          : { path: `./${relative(options.outdir, file)}`, external: true };
      });
      run.onLoad({ filter: /\.js$/ }, ({ path }) => ({ contents: texts.get(path) ?? '' }));
    },
  };
  const fromEntry: Plugin = {
    name: 'from the entry',
    setup(run) {
      run.onResolve({ filter: /^\.{0,2}\// }, ({ path, kind, importer, namespace }) => {
        if (kind === 'entry-point') return { path };
        const file = resolve(dirname(importer), path);
        return namespace === 'file' && gathered.includes(file)
          ? { path: file, namespace: 'gathered' }
          : { path, external: true };
      });
      run.onLoad({ filter: /\.js$/, namespace: 'gathered' }, ({ path }) => ({
        contents: `export { ${exportsOf(path)
          .map(([name, inEntry]) => `${inEntry} as ${name}`)
          .join(', ')} } from ${JSON.stringify(relative(dirname(path), pathOf(entry)))};`,
      }));
      run.onLoad({ filter: /\.js$/, namespace: 'file' }, ({ path }) => ({ contents: texts.get(path) ?? '' }));
    },
  };
  const contents = [
    `export * from ${JSON.stringify(pathOf(entry))};`,
    ...gathered.map(
      (path) =>
        `export { ${exportsOf(path)
          .map((names) => names.join(' as '))
          .join(', ')} } from ${JSON.stringify(path)};`,
    ),
  ].join('\n');
  const [whole, rest] = await Promise.all([
    build({
      ...again,
      stdin: { contents, sourcefile: pathOf(entry) },
      outfile: pathOf(entry),
      outdir: undefined,
      plugins: [intoEntry],
    }),
    build({ ...again, entryPoints: chunks, outbase: options.outdir, plugins: [fromEntry] }),
  ]);
  const gatheredNames = gathered.map((path) => relative(options.absWorkingDir, path));
  return {
    metafile: {
      inputs: split.metafile.inputs,
      outputs: Object.fromEntries(
        Object.entries({ ...whole.metafile.outputs, ...rest.metafile.outputs }).map(([name, output]) => [
          name,
          { ...output, inputs: inputsOf(outputs, name === entry ? [entry, ...gatheredNames] : [name]) },
        ]),
      ),
    },
    outputFiles: [
      ...whole.outputFiles,
      ...rest.outputFiles,
      ...split.outputFiles.filter(({ path }) => !path.endsWith('.js')),
    ],
  };
}

/** What was written by people, not what the split build made of it. */
const inputsOf = (
  outputs: Metafile['outputs'],
  names: readonly string[],
): Metafile['outputs'][string]['inputs'] =>
  Object.assign(
    {},
    ...names.map((name) => outputs[name]?.inputs ?? {}),
  ) as Metafile['outputs'][string]['inputs'];

/** A file and all that is loaded with it. */
function staticImports(outputs: Metafile['outputs'], from: string, found = new Set<string>()): Set<string> {
  if (found.has(from)) return found;
  found.add(from);
  for (const { path, kind, external } of outputs[from]?.imports ?? [])
    if (kind === 'import-statement' && external !== true) staticImports(outputs, path, found);
  return found;
}
