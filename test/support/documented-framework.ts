/** The worked example of docs/frameworks.md, as it stands there. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Framework } from '../../common/api/framework.ts';
import type { Cluster } from '../cluster/index.ts';
import { imageOf, loadImage, tagOf } from './deploy.ts';

const document = join(import.meta.dirname, '../../docs/frameworks.md');

export interface DocumentedFramework {
  dockerfile: string;
  /** Name and text of the program that the Dockerfile copies. */
  program: { name: string; text: string };
  framework: Framework;
}

/** Its image, built upon the runner's of dist/ and loaded into the node. Resolves with its tag. */
export async function loadDocumentedImage(
  cluster: Cluster,
  { dockerfile, program }: DocumentedFramework,
  log: (line: string) => void,
): Promise<string> {
  const runner = await imageOf('runner');
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'documented-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const context = join(folder, 'context');
  await cp(runner.context, context, { recursive: true });
  await writeFile(join(context, program.name), program.text);
  // There is no registry to have the runner's image from: what makes that one comes first.
  const file = join(folder, 'Dockerfile');
  const from = /^FROM ambient-runner:\S+$/m;
  if (!from.test(dockerfile)) throw new Error(`the documented image is not built upon the runner's`);
  await writeFile(file, dockerfile.replace(from, await readFile(runner.dockerfile, 'utf8')));
  const tag = await tagOf('documented', [file, join(context, 'main.mjs'), join(context, program.name)]);
  return await loadImage(cluster, { dockerfile: file, context, tag }, log);
}

export async function documentedFramework(): Promise<DocumentedFramework> {
  const text = await readFile(document, 'utf8');
  const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(
    ([, language = '', content = '']) => ({
      language,
      content,
    }),
  );
  const only = (language: string, what: (content: string) => boolean = () => true): string => {
    const found = blocks.filter((block) => block.language === language && what(block.content));
    const [one] = found;
    if (one === undefined || found.length > 1)
      throw new Error(`docs/frameworks.md has ${found.length} examples in ${language}, not one`);
    return one.content;
  };
  const dockerfile = only('dockerfile');
  const name = /^COPY (\S+) /m.exec(dockerfile)?.[1] ?? '';
  const framework = parse(only('yaml', (content) => content.includes('kind: Framework'))) as Framework;
  return { dockerfile, program: { name, text: only('js') }, framework };
}
