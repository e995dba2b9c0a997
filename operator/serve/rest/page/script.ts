/** Script of the page. Plain JavaScript as text, as it is sent; what comes from outside becomes text of the page, never markup. */

export const PAGE_JS = `'use strict';
const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
/** Text in which the document marks code as Markdown does. */
const prose = (text) => text.split('\\x60').map((part, i) => (i % 2 === 1 ? make('code', {}, part) : part));
let counter = 0;
const field = (label, control, hint) => {
  const id = 'field-' + ++counter;
  control.id = id;
  const parts = [make('label', { for: id }, label), control];
  if (hint) {
    control.setAttribute('aria-describedby', id + '-hint');
    parts.push(make('p', { id: id + '-hint', class: 'hint' }, ...prose(hint)));
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
let components = {};
const resolved = (schema) => (schema && schema.$ref ? components[schema.$ref.split('/').pop()] : schema) || {};
/** What has to be sent, as far as the document says how it looks. */
const exampleOf = (schema) => {
  const { examples, required = [], properties = {}, type } = resolved(schema);
  if (examples) return examples[0];
  if (type !== undefined && type !== 'object') return '';
  return Object.fromEntries(required.map((name) => [name, exampleOf(properties[name])]));
};
/** Of an answer that goes on, the last of it; of any other, the first. */
const SHOWN_MAX = 200000;
function operationOf(path, method, operation) {
  const form = make('form', { class: 'inside' });
  const controls = [];
  if (operation.description) form.append(make('p', {}, ...prose(operation.description)));
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
    body.value = JSON.stringify(exampleOf(schema), undefined, 2);
    const names = Object.keys(resolved(schema).properties || {});
    const hint = names.length > 0 ? 'Fields: ' + names.join(', ') + '.' : resolved(schema).description;
    form.append(...field('Body' + (required ? ' (required)' : ''), body, hint));
  }
  const answers = make('ul', {});
  for (const [status, { description }] of Object.entries(operation.responses))
    answers.append(make('li', {}, make('code', {}, status), ' ', ...prose(description)));
  const answer = make('div', { role: 'status', 'aria-live': 'polite', 'aria-atomic': 'false' });
  const submit = make('button', { type: 'submit' }, 'Send');
  const stop = make('button', { type: 'button', class: 'stop', hidden: '' }, 'Stop');
  form.append(submit, ' ', stop, answer);
  form.append(make('details', { class: 'answers' }, make('summary', {}, 'What it answers'), answers));
  let current = new AbortController();
  stop.addEventListener('click', () => {
    current.abort();
    submit.focus();
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    current.abort();
    const own = (current = new AbortController());
    const shown = make('pre', { tabindex: '0' });
    answer.replaceChildren('Sending…');
    answer.setAttribute('aria-busy', 'true');
    stop.hidden = false;
    try {
      const response = await send({ path, method, controls, body, signal: own.signal });
      answer.replaceChildren(shown);
      await receive(response, shown);
    } catch (error) {
      if (own !== current) return;
      const begun = answer.contains(shown) ? '\\n\\n' : '';
      const failed = (begun ? 'Broken off: ' : 'No answer: ') + error + '\\nCheck that the operator can be reached, and send it again.';
      shown.append(begun + (own.signal.aborted ? 'Stopped.' : failed));
      answer.replaceChildren(shown);
    }
    if (own !== current) return;
    stop.hidden = true;
    answer.removeAttribute('aria-busy');
  });
  const head = make('summary', {}, make('span', { class: 'method' }, method.toUpperCase()), ' ', make('span', { class: 'path' }, path));
  head.append(' ', make('span', { class: 'summary' }, operation.summary || ''));
  return make('details', {}, head, form);
}
async function send({ path, method, controls, body, signal }) {
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
  return await fetch(url, { method: method.toUpperCase(), headers, body: content, cache: 'no-store', signal });
}
async function receive(response, shown) {
  const etag = response.headers.get('etag');
  const type = response.headers.get('content-type') || '';
  shown.append(response.status + ' ' + response.statusText + (etag ? '\\nETag: ' + etag : '') + '\\n\\n');
  if (type.startsWith('text/event-stream')) return await follow(response, shown);
  if (response.ok && response.headers.has('content-disposition')) {
    // As nothing that a browser would show: what agents write is hostile.
    const bytes = (await response.blob()).slice(0, undefined, 'application/octet-stream');
    const name = new URL(response.url).pathname.split('/').map(decodeURIComponent).pop();
    shown.append(bytes.size + ' bytes, ' + type);
    shown.after(make('a', { href: URL.createObjectURL(bytes), download: name }, 'Save'));
    return;
  }
  let text = await response.text();
  try { text = JSON.stringify(JSON.parse(text), undefined, 2); } catch { /* not JSON */ }
  shown.append(text.length > SHOWN_MAX ? text.slice(0, SHOWN_MAX) + '…\\n\\nThere is more, which this page does not show.' : text);
}
/** Shows events while they come. */
async function follow(response, shown) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let length = 0;
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const isAtEnd = shown.scrollTop + shown.clientHeight >= shown.scrollHeight - 4;
    shown.append(read.value);
    length += read.value.length;
    // The first says what was answered, the others what came.
    for (; length > SHOWN_MAX && shown.childNodes.length > 2; shown.childNodes[1].remove()) length -= shown.childNodes[1].length;
    if (isAtEnd) shown.scrollTop = shown.scrollHeight;
  }
}
async function show() {
  const main = document.getElementById('operations');
  try {
    const description = await (await fetch('openapi.json')).json();
    components = description.components.schemas;
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
