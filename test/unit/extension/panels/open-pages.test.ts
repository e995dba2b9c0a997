/** Which pages are open, over panels that do what the test says. */
import assert from 'node:assert/strict';
import { OpenPages } from '../../../../extension/panels/open-pages.ts';

class StandInPanel {
  isClosed = false;
  readonly #listeners: (() => unknown)[] = [];
  onDidDispose = (listener: () => unknown): { dispose: () => void } => {
    this.#listeners.push(listener);
    return { dispose: () => undefined };
  };
  dispose(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const listener of this.#listeners) listener();
  }
}

describe('open pages', () => {
  let pages: OpenPages<string>;
  let panel: StandInPanel;
  beforeEach(() => {
    pages = new OpenPages();
    panel = new StandInPanel();
  });

  it('are known from the moment they are adopted until they are closed', async () => {
    const adopted = pages.adopt('a', panel, () => Promise.resolve(() => 'page'));
    const known = pages.get('a');
    await adopted;
    assert.equal(await known, 'page');
    assert.deepEqual(await Promise.all([...pages]), ['page']);
    panel.dispose();
    assert.equal(pages.get('a'), undefined);
  });

  it('can be opened again when they were closed while their code was loaded', async () => {
    const code = Promise.withResolvers<() => string>();
    const adopted = pages.adopt('a', panel, () => code.promise);
    panel.dispose();
    const again = new StandInPanel();
    const second = pages.adopt('a', again, () => code.promise);
    let made = 0;
    code.resolve(() => `page ${(made += 1)}`);
    await adopted;
    await second;
    assert.equal(made, 1, 'a closed panel takes no page');
    assert.equal(await pages.get('a'), 'page 1');
  });

  it('can be opened again when they could not be made', async () => {
    await assert.rejects(
      pages.adopt('a', panel, () => Promise.reject(new Error('no code'))),
      /no code/,
    );
    assert.equal(panel.isClosed, true);
    assert.equal(pages.get('a'), undefined);
  });
});
