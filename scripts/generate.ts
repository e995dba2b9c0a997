/** npm run generate: writes what is derived from the schemas. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crdFiles } from './crds.ts';
import { OPENAPI_FILE, openApiText } from './openapi.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'manifests', 'crds');
mkdirSync(folder, { recursive: true });
for (const [name, content] of crdFiles()) {
  writeFileSync(join(folder, name), content);
  console.log(`manifests/crds/${name}`);
}
writeFileSync(join(root, OPENAPI_FILE), openApiText());
console.log(OPENAPI_FILE);
