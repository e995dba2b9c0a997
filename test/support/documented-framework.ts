/** The worked example of docs/frameworks.md, as it stands there. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Framework } from '../../common/api/framework.ts';

const document = join(import.meta.dirname, '../../docs/frameworks.md');

export interface DocumentedFramework {
  dockerfile: string;
  /** Name and text of the program that the Dockerfile copies. */
  program: { name: string; text: string };
  framework: Framework;
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
