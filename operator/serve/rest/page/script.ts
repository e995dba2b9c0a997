/** Script of the page. Plain JavaScript as text, as it is sent; what comes from outside becomes text of the page, never markup. */

export const PAGE_JS = `'use strict';
const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
let counter = 0;
const field = (label, control, hint) => {
  const id = 'field-' + ++counter;
  control.id = id;
  const parts = [make('label', { for: id }, label), control];
  if (hint) {
    control.setAttribute('aria-describedby', id + '-hint');
    parts.push(make('p', { id: id + '-hint', class: 'hint' }, hint));
  }
  return parts;
};
const controlOf = ({ name, schema, required }) => {
  const choices = schema.enum || (schema.type === 'boolean' ? ['true', 'false'] : undefined);
  if (choices === undefined) {
    // Nobody else shall read it over a shoulder, as little as the token.
    const type = name === 'x-api-key' ? 'password' : 'text';
    const control = make('input', { type, autocomplete: 'off', spellcheck: 'false' });
    if (required) control.required = true;
    if (schema.default !== undefined) control.placeholder = String(schema.default);
    return control;
  }
  return make('select', {}, ...['', ...choices].map((each) => make('option', { value: each }, each || 'not set')));
};
const example = { framework: { type: 'generic', config: { command: 'echo hello' } } };
/** To begin with: the fields that are required; of what has a schema of its own, or takes anything, an example. */
const bodyText = ({ properties, required = [] }) => {
  if (properties === undefined) return JSON.stringify(example, undefined, 2);
  if (required.length === 0) return '';
  return JSON.stringify(Object.fromEntries(required.map((name) => [name, ''])), undefined, 2);
};
const bodyHint = ({ properties, description }) =>
  properties === undefined ? description : 'Fields: ' + Object.keys(properties).join(', ') + '.';
/** Of an answer that goes on, the last of it; of any other, the first. */
const SHOWN_MAX = 200000;
function operationOf(path, method, operation) {
  const form = make('form', { class: 'inside' });
  const controls = [];
  if (operation.description) form.append(make('p', {}, operation.description));
  for (const parameter of operation.parameters || []) {
    const control = controlOf(parameter);
    controls.push({ parameter, control });
    form.append(...field(parameter.name + (parameter.required ? ' (required)' : ''), control, parameter.description));
  }
  let body;
  if (operation.requestBody) {
    const { required, content } = operation.requestBody;
    const { schema } = Object.values(content)[0];
    body = make('textarea', { spellcheck: 'false' });
    body.value = bodyText(schema);
    form.append(...field('Body' + (required ? ' (required)' : ''), body, bodyHint(schema)));
  }
  const answer = make('div', { role: 'status', 'aria-live': 'polite' });
  const stop = make('button', { type: 'button', class: 'stop', hidden: '' }, 'Stop');
  const submit = make('button', { type: 'submit' }, 'Send');
  form.append(submit, ' ', stop, answer);
  let running = new AbortController();
  stop.addEventListener('click', () => {
    running.abort();
    submit.focus();
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    running.abort();
    const mine = (running = new AbortController());
    const shown = make('pre', { tabindex: '0' }, 'Sending…');
    answer.replaceChildren(shown);
    answer.setAttribute('aria-busy', 'true');
    stop.hidden = false;
    let said = '';
    try {
      await send({ path, method, controls, body, signal: mine.signal }, (text) => {
        shown.textContent = said = text;
      });
    } catch (error) {
      const begun = said === '' ? '' : said.trimEnd() + '\\n\\n';
      const failed = (begun === '' ? 'No answer: ' : 'Broken off: ') + error + '\\nCheck that the operator can be reached, and send it again.';
      shown.textContent = begun + (mine.signal.aborted ? 'Stopped.' : failed);
    }
    if (running !== mine) return;
    stop.hidden = true;
    answer.removeAttribute('aria-busy');
  });
  const head = make('summary', {}, make('span', { class: 'method' }, method.toUpperCase()), ' ', make('span', { class: 'path' }, path));
  head.append(' ', make('span', { class: 'summary' }, operation.summary || ''));
  return make('details', {}, head, form);
}
async function send({ path, method, controls, body, signal }, say) {
  let target = path;
  const query = new URLSearchParams();
  const headers = {};
  const token = document.getElementById('token').value.trim();
  if (token) headers.authorization = 'Bearer ' + token;
  for (const { parameter, control } of controls) {
    const value = control.value;
    if (parameter.in === 'path') target = target.replace('{' + parameter.name + '}', value.split('/').map(encodeURIComponent).join('/'));
    else if (value === '') continue;
    else if (parameter.in === 'query') query.set(parameter.name, value);
    else headers[parameter.name] = value;
  }
  const content = body && body.value.trim() !== '' ? body.value : undefined;
  if (content !== undefined) headers['content-type'] = 'application/json';
  const url = '.' + target + (query.size > 0 ? '?' + query : '');
  const response = await fetch(url, { method: method.toUpperCase(), headers, body: content, cache: 'no-store', signal });
  const etag = response.headers.get('etag');
  const head = response.status + ' ' + response.statusText + (etag ? '\\nETag: ' + etag : '') + '\\n\\n';
  say(head);
  const isStream = (response.headers.get('content-type') || '').startsWith('text/event-stream');
  const reader = response.body ? response.body.pipeThrough(new TextDecoderStream()).getReader() : undefined;
  let text = '';
  for (;;) {
    const { done, value } = reader ? await reader.read() : { done: true };
    if (done) break;
    text += value;
    if (isStream) say(head + (text = text.slice(-SHOWN_MAX)));
    else if (text.length > SHOWN_MAX) {
      say(head + text.slice(0, SHOWN_MAX) + '…\\n\\nThere is more, which this page does not show.');
      return await reader.cancel();
    }
  }
  try { text = JSON.stringify(JSON.parse(text), undefined, 2); } catch { /* not JSON */ }
  say(head + text);
}
async function show() {
  const main = document.getElementById('operations');
  try {
    const description = await (await fetch('openapi.json')).json();
    const sections = new Map();
    for (const [path, methods] of Object.entries(description.paths))
      for (const [method, operation] of Object.entries(methods)) {
        const tag = (operation.tags || ['Other'])[0];
        if (!sections.has(tag)) sections.set(tag, make('section', {}, make('h2', {}, tag)));
        sections.get(tag).append(operationOf(path, method, operation));
      }
    main.replaceChildren(...sections.values());
  } catch (error) {
    main.replaceChildren(make('p', { role: 'alert' }, 'The document cannot be read: ' + error));
  }
  main.removeAttribute('aria-busy');
}
show();
`;
