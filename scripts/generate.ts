/** npm run generate: writes what is derived from the schemas. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crdFiles } from './crds.ts';

const folder = join(import.meta.dirname, '..', 'manifests', 'crds');
mkdirSync(folder, { recursive: true });
for (const [name, content] of crdFiles()) {
  writeFileSync(join(folder, name), content);
  console.log(`manifests/crds/${name}`);
}
