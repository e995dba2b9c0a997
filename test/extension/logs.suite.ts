/** Logs of real sessions in a real VS Code: what arrives, how fast, what one can do with it, and that nothing is lost. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Session } from '../../common/api/session.ts';
import { sessions } from '../../common/kube/resource.ts';
import { buildTargets } from '../../scripts/build.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { deployOperator } from '../support/deploy.ts';
import { aCommand, finished, launch, running, workloadOf } from '../support/sessions.ts';
import { PROJECT_ROOT } from '../vscode/install.ts';
import { openWindow, orSkip, startVscode } from '../vscode/launch.ts';
import type { VscodeServer, VscodeWindow } from '../vscode/launch.ts';

/** Prints `at <epoch ms>` every 20 ms; pod and editor share this machine's clock. */
const TICKS = 300;
const TICKING = `node -e 'let n = 0; const t = setInterval(() => { console.log("at " + Date.now() + " #" + n); if (++n === ${TICKS}) clearInterval(t); }, 20)'`;
/** Of sessions that go on until they are deleted, however slow the machine is. */
const LASTING = { limits: { timeoutSeconds: 180, gracePeriodSeconds: 2, memory: '256Mi' } };
const HOSTILE = `
printf '<script>alert(1)</script> <img src=x onerror=alert(1)>\\n'
printf '\\033[31mred\\033[0m \\033]0;title\\007\\033[2J\\n'
printf 'evil\\342\\200\\256gnp.exe\\n'
printf 'one\\342\\200\\250two\\n'
printf 'rm -rf /\\rharmless\\n'
head -c 300 /dev/urandom; echo
head -c 10485760 /dev/zero | tr '\\0' x; echo
printf 'warning: careful\\n' >&2
echo end of hostility
`;

describe('logs of sessions in the editor', function () {
  this.timeout(180_000);
  let cluster: TestCluster;
  let namespace: string;
  let folder: string;
  let server: VscodeServer;
  let window: VscodeWindow;
  let context: string;

  before(async function () {
    this.timeout(600_000);
    cluster = await testCluster(this, { node: true });
    await buildTargets(['extension', 'webview', 'operator', 'runner']);
    await deployOperator(cluster, { built: true });
    namespace = await cluster.namespace('logs');
    context = (await cluster.kubectl(['config', 'current-context'])).trim();
    folder = await mkdtemp(path.join(os.tmpdir(), 'ambient-logs-'));
    const KUBECONFIG = `${cluster.kubeconfig}:${await restrictedKubeconfig()}`;
    server = await orSkip(this, startVscode({ extensionPath: PROJECT_ROOT, folder, env: { KUBECONFIG } }));
    window = await openWindow(server);
  });

  after(async () => {
    await window?.close();
    await server?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  afterEach(async () => {
    if (window === undefined) return;
    await window.command('View: Close All Editors');
    // A read log stays in memory for a moment; the next test is to read anew.
    await window.until('no log document', () =>
      window.inHost(
        (vscode) => !vscode.workspace.textDocuments.some(({ uri }) => uri.scheme === 'ambient-log'),
      ),
    );
  });

  /** A context `restricted` whose user may see sessions, but not their logs. */
  const restrictedKubeconfig = async (): Promise<string> => {
    const inNamespace = (...args: string[]): Promise<string> => cluster.kubectl(['-n', namespace, ...args]);
    await inNamespace('create', 'serviceaccount', 'restricted');
    await inNamespace(
      'create',
      'role',
      'restricted',
      '--verb=get,list,watch',
      '--resource=sessions.ambient.ai',
    );
    await inNamespace(
      ...['create', 'rolebinding', 'restricted', '--role=restricted'],
      `--serviceaccount=${namespace}:restricted`,
    );
    const token = (await inNamespace('create', 'token', 'restricted')).trim();
    const config = JSON.parse(await cluster.kubectl(['config', 'view', '--raw', '-o', 'json'])) as {
      clusters: { cluster: object }[];
    };
    const file = path.join(folder, 'restricted.json');
    const named = { name: 'restricted' };
    const content = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ ...named, cluster: config.clusters[0]?.cluster }],
      users: [{ ...named, user: { token } }],
      contexts: [{ ...named, context: { cluster: 'restricted', user: 'restricted', namespace } }],
    };
    await writeFile(file, JSON.stringify(content));
    return file;
  };
  const openLog = (session: Session): Promise<void> =>
    window.inHost(
      async (vscode, ref) => {
        await vscode.commands.executeCommand('ambient.openLog', ref);
      },
      { cluster: context, namespace, name: session.metadata.name, uid: session.metadata.uid ?? '' },
    );
  const text = async (): Promise<string> => (await window.editorText()) ?? '';
  const textHas = (wanted: RegExp, timeoutMs?: number): Promise<void> =>
    window.until(`${String(wanted)} in the log`, async () => wanted.test(await text()), timeoutMs);
  const countOf = (all: string, wanted: RegExp): number => [...all.matchAll(wanted)].length;

  it('follows a session from before its pod stands to its end, each line once and within a quarter of a second', async () => {
    const session = await launch(cluster.client, aCommand(namespace, TICKING));
    await openLog(session);
    await window.inHost((vscode) => {
      const delays: number[] = [];
      Reflect.set(globalThis, 'logDelays', delays);
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (document.uri.scheme !== 'ambient-log') return;
        const now = Date.now();
        for (const { text } of contentChanges)
          for (const [, at] of text.matchAll(/ at (\d{13}) #/g)) delays.push(now - Number(at));
      });
    });
    await textHas(/ at \d{13} #0$/m, 60_000);
    await window.statusBar(/Following log/);
    await textHas(/exit code 0/, 60_000);
    await window.statusBar(/Log ended/);
    const all = await text();
    for (let n = 0; n < TICKS; n += 1)
      assert.equal(countOf(all, new RegExp(` at \\d{13} #${n}$`, 'gm')), 1, `line ${n} stands there once`);
    const delays = (await window.inHost(() => Reflect.get(globalThis, 'logDelays') as number[])).sort(
      (a, b) => a - b,
    );
    const p99 = delays[Math.ceil(delays.length * 0.99) - 1] ?? Number.NaN;
    console.log(
      `      ${delays.length} lines appended while open: p50 ${delays[Math.floor(delays.length / 2)]} ms, p99 ${p99} ms from the pod to the document`,
    );
    assert.ok(delays.length > TICKS / 2, 'most lines came while the document was open');
    const state = await window.inHost((vscode) => {
      const { isDirty, languageId } = vscode.window.activeTextEditor?.document ?? {};
      return { isDirty, languageId };
    });
    assert.deepEqual(state, { isDirty: false, languageId: 'ambient-log' });
  });

  it('shows hostile output as harmless text, huge lines cut', async () => {
    const session = await launch(cluster.client, aCommand(namespace, HOSTILE));
    await finished(cluster.client, session);
    await openLog(session);
    await textHas(/end of hostility/);
    const all = await text();
    assert.match(all, /<script>alert\(1\)<\/script> <img src=x onerror=alert\(1\)>$/m);
    assert.match(all, / red $/m);
    assert.match(all, /evil⟨U\+202E⟩gnp\.exe$/m);
    assert.match(all, /one⟨U\+2028⟩two$/m);
    assert.match(all, /rm -rf \/␍harmless$/m);
    assert.match(all, /! warning: careful$/m);
    assert.match(all, /x{4000} … \(line cut here\)$/m);
    assert.match(all, /line cut above has 10,485,760 characters$/m);
    assert.doesNotMatch(all, /[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]/);
    assert.ok(all.length < 100_000, `${all.length} characters`);
    await window.screenshot('log-hostile');
  });

  it('folds steps and lists them in the outline', async () => {
    const session = await launch(cluster.client, aCommand(namespace, 'echo one; echo two; false'));
    await finished(cluster.client, session);
    await openLog(session);
    await textHas(/exit code 1/);
    const { folds, symbols, lines } = await window.inHost(async (vscode) => {
      const document = vscode.window.activeTextEditor?.document;
      const run = async <T>(command: string): Promise<T[]> =>
        (await vscode.commands.executeCommand<T[] | undefined>(command, document?.uri)) ?? [];
      const ranges = await run<{ start: number; end: number }>('vscode.executeFoldingRangeProvider');
      const outline = await run<{ name: string }>('vscode.executeDocumentSymbolProvider');
      return {
        folds: ranges.map(({ start, end }) => [start, end]),
        symbols: outline.map(({ name }) => name),
        lines: document?.getText().split('\n') ?? [],
      };
    });
    assert.ok(symbols.includes('start'), symbols.join());
    const started = lines.findIndex((line) => line.includes('started: '));
    const two = lines.findIndex((line) => / two$/.test(line));
    assert.deepEqual(folds.at(-1), [started, two], lines.join('\n'));
  });

  it('scrolls along until one scrolls up, and again when asked to', async () => {
    const session = await launch(
      cluster.client,
      aCommand(namespace, 'while sleep 0.05; do n=$((n + 1)); echo "line $n of many"; done').spec(LASTING),
    );
    await openLog(session);
    await textHas(/line 80 of many/, 60_000);
    const atEnd = (): Promise<boolean> =>
      window.inHost((vscode) => {
        const editor = vscode.window.activeTextEditor;
        return (editor?.visibleRanges.at(-1)?.end.line ?? 0) >= (editor?.document.lineCount ?? 0) - 3;
      });
    await window.until('the end in view', atEnd);
    await window.page.locator('.editor-group-container.active .view-lines').first().hover();
    // As a wheel does: a line that comes may undo one step of it.
    const scrolling = setInterval(() => {
      window.page.mouse.wheel(0, -400).catch(() => undefined);
    }, 60);
    try {
      await window.statusBar(/Log goes on/);
    } finally {
      clearInterval(scrolling);
    }
    const before = await window.inHost((vscode) => vscode.window.activeTextEditor?.document.lineCount ?? 0);
    await window.until('more lines', async () =>
      window.inHost(
        (vscode, n) => (vscode.window.activeTextEditor?.document.lineCount ?? 0) > n + 20,
        before,
      ),
    );
    assert.equal(await atEnd(), false, 'stays where one reads');
    await window.screenshot('log-not-followed');
    await window.command('Ambient: Follow Log');
    await window.statusBar(/Following log/);
    await window.until('the end in view again', atEnd);
    await cluster.client.delete(sessions, { namespace, name: session.metadata.name });
  });

  it('loses and doubles no line when the operator is replaced in the middle', async () => {
    const session = await launch(
      cluster.client,
      aCommand(namespace, 'for n in $(seq 1 300); do echo "tick $n."; sleep 0.05; done'),
    );
    await openLog(session);
    await textHas(/tick 40\./, 60_000);
    await cluster.kubectl([
      '-n',
      'ambient-system',
      'delete',
      'pod',
      '--all',
      '--grace-period=1',
      '--wait=false',
    ]);
    await window.statusBar(/reconnecting/);
    await textHas(/exit code 0/, 90_000);
    const all = await text();
    for (let n = 1; n <= 300; n += 1)
      assert.equal(countOf(all, new RegExp(`tick ${n}\\.$`, 'gm')), 1, `tick ${n}`);
  });

  it('stays when the pod is deleted, and when the session is', async () => {
    const session = await launch(cluster.client, aCommand(namespace, 'echo remember me'));
    await finished(cluster.client, session);
    const { pods } = await workloadOf(cluster.client, session);
    assert.equal(pods.length, 1);
    await cluster.kubectl(['-n', namespace, 'delete', 'pod', pods[0]?.metadata.name ?? '', '--wait=true']);
    await openLog(session);
    await textHas(/remember me$/m);
    const live = await launch(cluster.client, aCommand(namespace, 'echo still here; sleep 60'));
    await running(cluster.client, live);
    await openLog(live);
    await textHas(/still here$/m);
    await cluster.client.delete(sessions, { namespace, name: live.metadata.name });
    await window.statusBar(/deleted session/);
    assert.match(await text(), /still here$/m);
  });

  it('is there again after the window was loaded anew', async () => {
    const session = await launch(
      cluster.client,
      aCommand(namespace, 'while sleep 0.1; do n=$((n + 1)); echo "beat $n."; done').spec(LASTING),
    );
    await openLog(session);
    // More than fits into the window.
    await textHas(/beat 100\.$/m, 60_000);
    await window.remembers(session.metadata.uid ?? '');
    await window.load();
    await textHas(/beat 5\.$/m, 60_000);
    await window.statusBar(/Following log/);
    const before = Number(/beat (\d+)\.\n$/.exec(await text())?.[1]);
    await textHas(new RegExp(`beat ${before + 20}\\.$`, 'm'));
    // VS Code put the editor where it was: that is nobody scrolling up.
    await window.statusBar(/Following log/);
    await cluster.client.delete(sessions, { namespace, name: session.metadata.name });
    await window.statusBar(/deleted session/);
  });

  it('takes 100,000 lines, open and while they come', async () => {
    const session = await launch(
      cluster.client,
      aCommand(namespace, 'seq -f "number %.0f of a hundred thousand" 1 100000'),
    );
    await openLog(session);
    await textHas(/exit code 0/, 120_000);
    const check = async (): Promise<number> => {
      const numbers = (await text()).match(/number \d+ of/g) ?? [];
      assert.equal(numbers.length, 100_000);
      assert.equal(new Set(numbers).size, 100_000);
      return numbers.length;
    };
    await check();
    await window.statusBar(/Log ended · 100,0\d\d lines/);
    await window.command('View: Close All Editors');
    await window.until('no log document', () =>
      window.inHost(
        (vscode) => !vscode.workspace.textDocuments.some(({ uri }) => uri.scheme === 'ambient-log'),
      ),
    );
    const started = performance.now();
    await openLog(session);
    await textHas(/exit code 0/);
    console.log(`      100,000 lines opened in ${Math.round(performance.now() - started)} ms`);
    await check();
  });

  it('saves the whole log, what the editor cut included', async () => {
    const session = await launch(
      cluster.client,
      aCommand(
        namespace,
        'seq -f "row %.0f" 1 5000; head -c 100000 /dev/zero | tr "\\0" z; echo; echo last >&2',
      ),
    );
    await finished(cluster.client, session);
    const target = path.join(folder, 'saved.log');
    await window.inHost(
      async (vscode, { ref, file }) => {
        await vscode.commands.executeCommand('ambient.saveLog', ref, vscode.Uri.file(file));
      },
      { ref: { cluster: context, namespace, name: session.metadata.name }, file: target },
    );
    await window.toast(/Saved 5,?\d\d\d records/);
    const saved = await readFile(target, 'utf8');
    for (const wanted of [
      /^\S+Z row 1$/m,
      /^\S+Z row 5000$/m,
      /^\S+Z z{100000}$/m,
      /^\S+Z \[stderr\] last$/m,
    ])
      assert.match(saved, wanted);
    assert.equal(countOf(saved, / row \d+$/gm), 5000);
  });

  it('says which right is missing, and reads on when it was given', async () => {
    const session = await launch(cluster.client, aCommand(namespace, 'echo for privileged eyes'));
    await finished(cluster.client, session);
    await window.inHost(
      async (vscode, ref) => {
        await vscode.commands.executeCommand('ambient.openLog', ref);
      },
      { cluster: 'restricted', namespace, name: session.metadata.name },
    );
    assert.match(await window.toast(/Could not read the log/), /sessions\/log|cannot get resource/);
    await window.statusBar(/Log cannot be read/);
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'restricted-log', namespace },
      rules: [{ apiGroups: ['live.ambient.ai'], resources: ['sessions/log'], verbs: ['get'] }],
    };
    await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(role) });
    await cluster.kubectl([
      ...['-n', namespace, 'create', 'rolebinding', 'restricted-log', '--role=restricted-log'],
      `--serviceaccount=${namespace}:restricted`,
    ]);
    await window.until('the log', async () => {
      await window.command('Ambient: Read Log Again');
      return /for privileged eyes$/m.test(await text());
    });
    await window.clearNotifications();
  });

  it('does not show another session of the same name', async () => {
    const session = await launch(cluster.client, aCommand(namespace, 'true'));
    await window.inHost(
      async (vscode, ref) => {
        await vscode.commands.executeCommand('ambient.openLog', ref);
      },
      { cluster: context, namespace, name: session.metadata.name, uid: 'another' },
    );
    await window.statusBar(/deleted session/);
    assert.equal(await text(), '', "another session's log is not shown for it");
  });

  it('leaves no problem in the window', () => {
    // VS Code writes there when a file was read again while an edit was on its way; the edit is then made anew.
    assert.deepEqual(
      window.problems.filter(
        (problem) => !/ambient-log:.* has changed in the meantime|^Could not read the log/.test(problem),
      ),
      [],
    );
  });
});
