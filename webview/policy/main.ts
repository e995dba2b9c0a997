/** The page of a namespace's policy: keeps what it was told and draws it. */
import { render } from 'lit';
import type { PolicyPageRequests, PolicyPageState, PolicyPageUpdates } from '../../common/api/panels.ts';
import { connect, Memory } from '../kit/messages.ts';
import { pageOf } from './page.ts';
import type { Remembered } from './page.ts';
import '../kit/kit.css';
import './policy.css';

const root = document.createElement('div');
root.className = 'page';
document.body.append(root);

const memory = new Memory<Remembered>({ closed: [] });
let state: PolicyPageState | undefined;

const draw = (): void => {
  render(pageOf(state, memory.value, { post, remember }), root);
};

const remember = (change: Partial<Remembered>): void => {
  memory.set(change);
  draw();
};

const post = connect<PolicyPageRequests, PolicyPageUpdates>({
  state: (told) => {
    state = told;
    memory.set({ ref: told.ref });
    draw();
  },
});

draw();
post('ready', {});
