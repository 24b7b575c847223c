// The contract as a page. Our own 130 lines: renderers from a registry bring a megabyte or more.

const ERRORS = {   // what the general error means with each status
  400: 'bad input', 404: 'not there', 409: 'does not go with what runs or is installed', 413: 'too large', 426: 'not a WebSocket handshake',
  503: 'not known, or no answer, just now; try again', 507: 'could not be stored; not taken',
};
const main = document.querySelector('main');
let contract = {};

function make(tag, parent, content = '', name = '') {
  const element = document.createElement(tag);
  if (name) element.className = name;
  prose(element, content);
  parent.append(element);
  return element;
}

// Text with `code` in it; nothing of it is taken for HTML.
function prose(element, content) {
  for (const [i, part] of String(content).split('`').entries()) {
    if (i % 2) element.append(Object.assign(document.createElement('code'), { textContent: part }));
    else element.append(part);
  }
}

function paragraphs(parent, content = '') {
  for (const part of content.trim().split(/\n\s*\n/)) if (part) make('p', parent, part);
}

function resolved(thing) {
  if (!thing?.$ref) return thing ?? {};
  const found = thing.$ref.slice(2).split('/').reduce((at, key) => at[key.replace(/~1/g, '/').replace(/~0/g, '~')], contract);
  return { ...found, ...Object.fromEntries(Object.entries(thing).filter(([key]) => key !== '$ref')) };
}

function range(schema) {
  const { minimum: low, maximum: high, default: given, enum: all } = schema;
  return [
    all && all.map((v) => JSON.stringify(v)).join(', '),
    'const' in schema && JSON.stringify(schema.const),
    (low !== undefined || high !== undefined) && `${low ?? ''}…${high ?? ''}`,
    given !== undefined && `default ${JSON.stringify(given)}`,
  ].filter(Boolean).join('; ');
}

function type(schema) {
  const kinds = [schema.type ?? (schema.enum || 'const' in schema ? 'one of' : 'any')].flat();
  return schema.items ? `array of ${type(resolved(schema.items))}` : kinds.join(' or ');
}

function table(parent, caption, rows) {
  if (!rows.length) return;
  const element = make('table', parent);
  make('caption', element, caption);
  const body = make('tbody', element);
  for (const [name, schema, required] of rows) {
    const row = make('tr', body);
    make('th', row, `\`${name}\`${required ? ' (required)' : ''}`).scope = 'row';
    const cell = make('td', row);
    make('div', cell, [type(schema), range(schema)].filter(Boolean).join(': '), 'kind');
    if (schema.description) make('div', cell, schema.description);
  }
}

function fields(parent, caption, schema) {
  const { properties = {}, required = [] } = schema;
  table(parent, caption, Object.entries(properties).map(([name, one]) => [name, resolved(one), required.includes(name)]));
}

function example(parent, media) {
  if (media?.example) make('pre', parent).textContent = JSON.stringify(media.example, null, 2);
}

function content(parent, caption, { content: kinds = {} }) {
  for (const [kind, media] of Object.entries(kinds)) {
    fields(parent, `${caption}, ${kind}`, resolved(media.schema));
    example(parent, media);
  }
}

// What the server answers now, in the page: reading changes nothing.
function attempt(parent, path) {
  const button = make('button', parent, 'Try it');
  button.type = 'button';
  button.setAttribute('aria-label', `Try GET ${path}`);
  const output = make('pre', parent);
  output.setAttribute('role', 'status');
  output.hidden = true;
  button.addEventListener('click', async () => {
    output.hidden = false;
    try {
      const answer = await fetch(`..${path}`);
      const body = (await answer.text()).slice(0, 4000);
      const age = answer.headers.get('Age');
      output.textContent = `${answer.status} ${answer.statusText}${age === null ? '' : `, Age ${age}`}\n${body}`;
    } catch (error) {
      output.textContent = String(error);
    }
  });
}

function operation(path, method, given, shared) {
  const section = make('section', main);
  const heading = make('h2', section);
  make('span', heading, method.toUpperCase(), `method ${method}`);
  heading.append(' ', Object.assign(document.createElement('code'), { textContent: path }));
  section.setAttribute('aria-labelledby', heading.id = given.operationId);
  make('p', section, given.summary, 'summary');
  paragraphs(section, given.description);
  const parameters = [...shared, ...(given.parameters ?? [])].map(resolved);
  table(section, 'Parameters', parameters.map((p) => [
    p.name, { ...resolved(p.schema), description: p.description }, p.required]));
  if (given.requestBody) content(section, 'Body', resolved(given.requestBody));
  for (const [status, answer] of Object.entries(given.responses)) {
    const details = make('details', section);
    const what = resolved(answer);
    const general = answer.$ref?.endsWith('/Error') && (ERRORS[status] ?? 'what any request can be answered');
    make('summary', details, `${status}: ${general || what.description.trim().split('\n')[0]}`);
    if (!general || status === 'default') paragraphs(details, what.description);
    content(details, 'Answer', what);
  }
  if (method === 'get' && !path.includes('{') && given.operationId !== 'openWebSocket') attempt(section, path);
}

contract = await (await fetch('openapi.json')).json();
document.getElementById('title').textContent = `${contract.info.title}: API ${contract.info.version}`;
const about = document.getElementById('description');
about.textContent = '';
paragraphs(about, contract.info.description);
for (const [path, item] of Object.entries(contract.paths)) {
  for (const method of ['get', 'put', 'post', 'delete']) {
    if (item[method]) operation(path, method, item[method], item.parameters ?? []);
  }
}
