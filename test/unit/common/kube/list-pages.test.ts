/** Which pages a list is asked for in. */
import assert from 'node:assert/strict';
import { KubeClient } from '../../../../common/kube/client.ts';
import type { ListOptions } from '../../../../common/kube/client.ts';
import type { Connection } from '../../../../common/kube/connection.ts';
import { sessions } from '../../../../common/kube/resource.ts';

describe('the pages of a list', () => {
  /** `limit` of each request, of a list that ends with the third page. */
  const limits = async (options: ListOptions): Promise<(string | null)[]> => {
    const asked: (string | null)[] = [];
    const json = async (path: string): Promise<object> => {
      asked.push(new URL(path, 'https://x').searchParams.get('limit'));
      return { metadata: asked.length < 3 ? { continue: 'more' } : {}, items: [] };
    };
    const client = new KubeClient({ json } as unknown as Connection);
    for await (const page of client.listPages(sessions, { namespace: 'demo' }, options))
      assert.equal(page.items.length, 0);
    return asked;
  };

  it('hold 500 objects each', async () => assert.deepEqual(await limits({}), ['500', '500', '500']));

  it('begin with a short one for whom wants to see something soon', async () =>
    assert.deepEqual(await limits({ firstLimit: 100 }), ['100', '500', '500']));

  it('are one when there is no limit', async () => assert.equal((await limits({ limit: 0 }))[0], null));
});
