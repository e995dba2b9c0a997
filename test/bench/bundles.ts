/** Sizes of what is shipped. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { buildTargets } from '../../scripts/build.ts';
import { round } from './measure.ts';
import type { Section } from './measure.ts';

const dist = join(import.meta.dirname, '..', '..', 'dist');

export const bundles: Section = {
  name: 'bundles',
  async run() {
    await buildTargets();
    const size = (file: string): number => round(statSync(join(dist, file)).size / 1024);
    return [
      {
        name: 'extension entry bundle',
        value: size('extension/activate.js'),
        unit: 'KiB',
        bar: { atMost: 150 },
      },
      { name: 'session page bundle', value: size('webview/session.js'), unit: 'KiB' },
      { name: 'operator bundle', value: size('operator/main.mjs'), unit: 'KiB' },
      { name: 'runner bundle', value: size('runner/main.mjs'), unit: 'KiB' },
    ];
  },
};
