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
const controlOf = ({ schema, required }) => {
  const choices = schema.enum || (schema.type === 'boolean' ? ['true', 'false'] : undefined);
  if (choices === undefined) {
    const control = make('input', { autocomplete: 'off', spellcheck: 'false' });
    if (required) control.required = true;
    if (schema.default !== undefined) control.placeholder = String(schema.default);
    return control;
  }
  return make('select', {}, ...['', ...choices].map((each) => make('option', { value: each }, each || 'not set')));
};
const example = { framework: { type: 'generic', config: { command: 'echo hello' } } };
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
    body = make('textarea', { spellcheck: 'false' });
    body.value = JSON.stringify(example, undefined, 2);
    form.append(...field('Body', body));
  }
  const answer = make('div', { role: 'status', 'aria-live': 'polite' });
  form.append(make('button', { type: 'submit' }, 'Send'), answer);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send({ path, method, controls, body }).then(
      (text) => answer.replaceChildren(make('pre', { tabindex: '0' }, text)),
      (error) => answer.replaceChildren(make('pre', { tabindex: '0' }, String(error))),
    );
  });
  const head = make('summary', {}, make('span', { class: 'method' }, method.toUpperCase()), ' ', make('span', { class: 'path' }, path));
  head.append(' ', make('span', { class: 'summary' }, operation.summary || ''));
  return make('details', {}, head, form);
}
async function send({ path, method, controls, body }) {
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
  if (body) headers['content-type'] = 'application/json';
  const url = '.' + target + (query.size > 0 ? '?' + query : '');
  const response = await fetch(url, { method: method.toUpperCase(), headers, body: body ? body.value : undefined, cache: 'no-store' });
  let text = await response.text();
  try { text = JSON.stringify(JSON.parse(text), undefined, 2); } catch { /* not JSON */ }
  const etag = response.headers.get('etag');
  return response.status + ' ' + response.statusText + (etag ? '\\nETag: ' + etag : '') + '\\n\\n' + text;
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
