import assert from 'node:assert/strict';
import { cyclesIn, importsIn } from '../../../scripts/arrows.ts';

const graph = (files: Record<string, string>) =>
  new Map(Object.entries(files).map(([file, text]) => [file, importsIn(file, text)]));

describe('arrows between files', () => {
  for (const [kind, back] of [
    ['a value', "import { a } from './index.ts';"],
    ['a type', "import type { Deps } from './index.ts';"],
    ['several lines', "import {\n  a,\n  type Deps,\n} from './index.ts';"],
    ['a type that is passed on', "export type { Deps } from './index.ts';"],
    ['what loads on first use', "const load = () => import('./index.ts');"],
  ] as const) {
    it(`refuses a circle through the import of ${kind}`, () => {
      const files = graph({
        'extension/panels/index.ts': "const load = () => import('./panel.ts');",
        'extension/panels/panel.ts': back,
      });
      assert.deepEqual(cyclesIn(files), [
        'cycle: extension/panels/index.ts → extension/panels/panel.ts → extension/panels/index.ts',
      ]);
    });
  }

  it('takes no comment for an import', () => {
    const text =
      "/**\n * Behind one door: `await import('./kube.ts')`.\n */\n// import './kube.ts';\nimport './yaml.ts';";
    assert.deepEqual(importsIn('clusters/kube.ts', text), ['clusters/yaml.ts']);
  });

  it('names each circle once, without the way to it', () => {
    const files = graph({
      'main.ts': "import './a.ts';\nimport './b.ts';",
      'a.ts': "import './b.ts';",
      'b.ts': "import './c.ts';",
      'c.ts': "import './a.ts';",
    });
    assert.deepEqual(cyclesIn(files), ['cycle: a.ts → b.ts → c.ts → a.ts']);
  });

  it('lets two files know the same third one', () => {
    const files = graph({
      'index.ts': "import './a.ts';\nimport './b.ts';",
      'a.ts': "import type { Shared } from './shared.ts';",
      'b.ts': "import type { Shared } from './shared.ts';",
      'shared.ts': "import { readFile } from 'node:fs/promises';",
    });
    assert.deepEqual(cyclesIn(files), []);
  });
});
