/** package.json against the code: what is contributed exists, what exists is contributed. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROBLEM_KINDS } from '../../../extension/clusters/problem.ts';

const root = join(import.meta.dirname, '../../..');

interface MenuItem {
  command?: string;
  when?: string;
}

interface Manifest {
  engines: { vscode: string };
  contributes: {
    commands: { command: string; title: string; category?: string; icon?: string; enablement?: string }[];
    menus: Record<string, MenuItem[]>;
    views: Record<string, { id: string; icon: string }[]>;
    viewsContainers: { activitybar: { id: string; icon: string }[] };
    viewsWelcome: { view: string; contents: string; when?: string }[];
    configuration: {
      properties: Record<string, { description?: string; markdownDescription?: string; default?: unknown }>;
    };
    walkthroughs: {
      icon: string;
      steps: { description: string; media: { markdown: string }; completionEvents: string[] }[];
    }[];
  };
  icon: string;
  capabilities: { untrustedWorkspaces: { restrictedConfigurations: string[] } };
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const { contributes } = manifest;
const sources = globSync('extension/**/*.ts', { cwd: root }).map((file) => ({
  file,
  text: readFileSync(join(root, file), 'utf8'),
}));
const contributed = contributes.commands.map(({ command }) => command).sort();
/** Built in, or made by VS Code for a view. */
const isForeign = (id: string): boolean => !id.startsWith('ambient.') || id.endsWith('.focus');

function registered(): Set<string> {
  const found = new Set<string>();
  for (const { text } of sources) {
    for (const [, id] of text.matchAll(/(?:registerCommand|command)\(\s*'(ambient\.[\w.]+)'/g))
      if (id) found.add(id);
    for (const [, id] of text.matchAll(/^\s*'(ambient\.[\w.]+)': (?:async \(\) => |\[)/gm))
      if (id) found.add(id);
  }
  return found;
}

const whens = (): string[] => [
  ...Object.values(contributes.menus).flatMap((items) => items.map(({ when }) => when ?? '')),
  ...contributes.viewsWelcome.map(({ when }) => when ?? ''),
  ...contributes.commands.map(({ enablement }) => enablement ?? ''),
];

describe('the manifest of the extension', () => {
  // Remote hosts run the Node of VS Code's own server: 20 up to 1.100, which has no Promise.withResolvers.
  it('asks for a VS Code whose extension hosts, remote ones too, have Node 22', () => {
    const [, major = '', minor = ''] = /^\^(\d+)\.(\d+)\.0$/.exec(manifest.engines.vscode) ?? [];
    assert.ok(major === '1' && Number(minor) >= 101, manifest.engines.vscode);
  });

  it('contributes exactly the commands that are registered', () => {
    const inCode = [...registered()].sort();
    assert.deepEqual(
      contributed.filter((id) => !inCode.includes(id)),
      [],
      'contributed but not registered',
    );
    // What only the extension itself executes may stay out of the manifest, but has to be executed somewhere.
    const internal = inCode.filter((id) => !contributed.includes(id));
    for (const id of internal)
      assert.ok(
        sources.some(({ text }) =>
          new RegExp(`(executeCommand\\(\\s*|command: )'${id.replaceAll('.', '\\.')}'`).test(text),
        ),
        `${id} is registered, but neither contributed nor executed`,
      );
    assert.equal(new Set(contributed).size, contributed.length, 'each once');
  });

  it('names in menus, welcome views and walkthrough only commands that exist', () => {
    for (const [menu, items] of Object.entries(contributes.menus))
      for (const { command } of items)
        if (command !== undefined) assert.ok(contributed.includes(command), `${menu}: ${command}`);
    const texts = [
      ...contributes.viewsWelcome.map(({ contents }) => contents),
      ...contributes.walkthroughs.flatMap(({ steps }) => steps.map(({ description }) => description)),
    ];
    for (const text of texts)
      for (const [, id] of text.matchAll(/\(command:([\w.]+)/g))
        if (id !== undefined && !isForeign(id)) assert.ok(contributed.includes(id), id);
    for (const { steps } of contributes.walkthroughs)
      for (const { completionEvents } of steps)
        for (const event of completionEvents) {
          const [, id] = /^onCommand:(.*)$/.exec(event) ?? [];
          if (id !== undefined) assert.ok(contributed.includes(id), id);
        }
  });

  it('executes only commands that exist', () => {
    const known = new Set([...contributed, ...registered()]);
    for (const { file, text } of sources)
      for (const [, id] of text.matchAll(/(?:executeCommand\(\s*|command: )'(ambient\.[\w.]+)'/g))
        if (id !== undefined && !isForeign(id)) assert.ok(known.has(id), `${file}: ${id}`);
  });

  it('asks in when clauses only for the context keys of the closed list', () => {
    const list = readFileSync(join(root, 'extension/ide/context-keys.ts'), 'utf8');
    const keys = [...list.matchAll(/^ {2}'(ambient\.\w+)':/gm)].map(([, key]) => key);
    assert.ok(keys.length >= 2);
    for (const when of whens())
      for (const [key] of when.matchAll(/(?<![\w.:/-])ambient\.\w+/g))
        if (!/(==|!=) *$/.test(when.slice(0, when.indexOf(key))))
          assert.ok(keys.includes(key), `${key} in: ${when}`);
  });

  it('has a welcome view for every state in which the tree is empty', () => {
    const states = contributes.viewsWelcome.map(
      ({ when }) => /^ambient\.view == (\w+)/.exec(when ?? '')?.[1],
    );
    assert.deepEqual([...new Set(states)].sort(), [...PROBLEM_KINDS].sort());
  });

  it('describes every setting, and each is read somewhere', () => {
    for (const [key, property] of Object.entries(contributes.configuration.properties)) {
      assert.ok(((property.markdownDescription ?? property.description)?.length ?? 0) > 20, key);
      assert.notEqual(property.default, undefined, key);
      const name = key.replace(/^ambient\./, '');
      assert.ok(
        sources.some(({ text }) => text.includes(`'${name}'`) || text.includes(`'${key}'`)),
        `${key} is read nowhere`,
      );
    }
    for (const key of manifest.capabilities.untrustedWorkspaces.restrictedConfigurations)
      assert.ok(key in contributes.configuration.properties, key);
  });

  it('gives every command a category, and an icon to those in bars', () => {
    for (const { command, category } of contributes.commands) assert.equal(category, 'Ambient', command);
    const inBars = Object.values(contributes.menus)
      .flat()
      .filter((item) => /^(inline|navigation)/.test(Reflect.get(item, 'group') as string));
    for (const { command } of inBars)
      assert.ok(
        contributes.commands.find((each) => each.command === command)?.icon,
        `${command ?? ''} has no icon`,
      );
  });

  it('points only to files that are there', () => {
    const files = [
      manifest.icon,
      ...contributes.viewsContainers.activitybar.map(({ icon }) => icon),
      ...Object.values(contributes.views).flatMap((views) => views.map(({ icon }) => icon)),
      ...contributes.walkthroughs.flatMap(({ icon, steps }) => [
        icon,
        ...steps.map(({ media }) => media.markdown),
      ]),
    ];
    for (const file of files) assert.ok(existsSync(join(root, file)), file);
  });
});
