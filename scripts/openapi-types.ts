/**
 * TypeScript types of an OpenAPI 3.1 document, in the form that `openapi-fetch` reads: `paths` and `components`.
 * Lists are mutable ones, as that library's own types ask for. Only what our own schemas use is known; anything else
 * stops the generation instead of becoming `unknown`.
 *
 * Why not `openapi-typescript`: it needs the compiler API of TypeScript 5 beside the TypeScript 7 that checks types
 * here, which npm resolves only in a workspace of its own, with thirty packages more to install.
 */

type Json = { readonly [key: string]: unknown };

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const PARAMETER_PLACES = ['query', 'header', 'path', 'cookie'];
/** Words that describe or narrow a value without changing its type. */
const SILENT = new Set(
  `title description examples example default pattern format minLength maxLength minimum maximum exclusiveMinimum
   exclusiveMaximum multipleOf minItems maxItems uniqueItems deprecated readOnly writeOnly $id`.split(/\s+/),
);
const KNOWN = new Set(
  '$ref type const enum anyOf oneOf allOf items properties required additionalProperties'.split(' '),
);

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function object(value: unknown, where: string): Json {
  if (!isObject(value)) throw new Error(`${where}: an object was expected`);
  return value;
}

function list(value: unknown, where: string): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new Error(`${where}: a list was expected`);
  return value;
}

const entries = (value: unknown, where: string): [string, unknown][] =>
  value === undefined ? [] : Object.entries(object(value, where));

const key = (name: string): string => (/^[A-Za-z_$][\w$]*$|^[0-9]+$/.test(name) ? name : JSON.stringify(name));

const block = (lines: readonly string[]): string => (lines.length === 0 ? '{}' : `{\n${lines.join('\n')}\n}`);

function remark(schema: unknown): string {
  if (!isObject(schema) || typeof schema['description'] !== 'string') return '';
  const text = schema['description'].replaceAll('*/', '*\\/').trim();
  return text.includes('\n') ? `/**\n${text.replace(/^/gm, ' * ').replace(/ +$/gm, '')}\n */\n` : `/** ${text} */\n`;
}

const member = (name: string, type: string, optional: boolean, schema?: unknown): string =>
  `${remark(schema)}${key(name)}${optional ? '?' : ''}: ${type}${optional && type !== 'never' ? ' | undefined' : ''};`;

function union(types: readonly string[]): string {
  const distinct = [...new Set(types)];
  return distinct.length === 1 ? (distinct[0] ?? 'never') : `(${distinct.join(' | ')})`;
}

/** The type of one schema. Throws for a keyword that it does not know, naming the place. */
function typeOf(value: unknown, where: string): string {
  if (value === true) return 'unknown';
  const schema = object(value, where);
  for (const word of Object.keys(schema)) {
    if (!KNOWN.has(word) && !SILENT.has(word) && !word.startsWith('x-')) throw new Error(`${where}: unknown "${word}"`);
  }
  const ref = schema['$ref'];
  if (typeof ref === 'string') {
    const name = /^#\/components\/schemas\/(.+)$/.exec(ref)?.[1];
    if (name === undefined) throw new Error(`${where}: cannot follow ${ref}`);
    return `components['schemas'][${JSON.stringify(name)}]`;
  }
  if ('const' in schema) return JSON.stringify(schema['const']);
  if ('enum' in schema) return union(list(schema['enum'], where).map((each) => JSON.stringify(each)));
  const either = schema['anyOf'] ?? schema['oneOf'];
  if (either !== undefined) return union(list(either, where).map((each, i) => typeOf(each, `${where}/${i}`)));
  if ('allOf' in schema) {
    return `(${list(schema['allOf'], where)
      .map((each, i) => typeOf(each, `${where}/${i}`))
      .join(' & ')})`;
  }
  if (Array.isArray(schema['type'])) {
    return union(schema['type'].map((type: unknown) => typeOf({ ...schema, type }, where)));
  }
  switch (schema['type']) {
    case 'string':
      return 'string';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'null':
      return 'null';
    case 'array':
      return `${typeOf(schema['items'] ?? true, `${where}/items`)}[]`;
    case 'object':
      return objectType(schema, where);
    case undefined:
      return 'unknown';
    default:
      throw new Error(`${where}: unknown type ${JSON.stringify(schema['type'])}`);
  }
}

function objectType(schema: Json, where: string): string {
  const required = list(schema['required'], where);
  const members = entries(schema['properties'], where).map(([name, of]) =>
    member(name, typeOf(of, `${where}/${name}`), !required.includes(name), of),
  );
  const others = schema['additionalProperties'];
  if (members.length === 0) return others === false ? '{}' : `{ [key: string]: ${typeOf(others ?? true, where)} }`;
  return block(members);
}

function contentOf(value: unknown, where: string): string {
  const content = entries(isObject(value) ? value['content'] : undefined, where).map(([media, of]) =>
    member(media, typeOf(object(of, where)['schema'] ?? true, `${where} ${media}`), false),
  );
  return block(content.length === 0 ? ['content?: never;'] : [`content: ${block(content)};`]);
}

function parametersOf(values: readonly unknown[], where: string): string {
  const all = values.map((each) => object(each, where));
  return block(
    PARAMETER_PLACES.map((place) => {
      const here = all.filter((each) => each['in'] === place);
      const optional = !here.some((each) => each['required'] === true);
      const members = here.map((each) =>
        member(String(each['name']), typeOf(each['schema'], where), each['required'] !== true, each),
      );
      return member(place, here.length === 0 ? 'never' : block(members), optional);
    }),
  );
}

function operation(value: unknown, shared: readonly unknown[], where: string): string {
  const asked = object(value, where);
  const body = asked['requestBody'];
  const responses = entries(asked['responses'], where).map(([status, of]) =>
    member(status, contentOf(of, `${where} ${status}`), false),
  );
  return block([
    `parameters: ${parametersOf([...shared, ...list(asked['parameters'], where)], where)};`,
    body === undefined
      ? 'requestBody?: never;'
      : `requestBody${object(body, where)['required'] === true ? '' : '?'}: ${contentOf(body, where)};`,
    `responses: ${block(responses)};`,
  ]);
}

/** The whole module. Indented by two spaces a level; otherwise in the document's own order. */
export function typesOfDocument(document: unknown, header: string): string {
  const whole = object(document, 'document');
  const paths = entries(whole['paths'], 'paths').map(([path, of]) => {
    const item = object(of, path);
    const methods = METHODS.filter((method) => item[method] !== undefined).map((method) => {
      const summary = object(item[method], path)['summary'];
      const type = operation(item[method], list(item['parameters'], path), `${method} ${path}`);
      return member(method, type, false, { description: summary });
    });
    return member(path, block(methods), false);
  });
  const schemas = entries(object(whole['components'] ?? {}, 'components')['schemas'], 'schemas').map(([name, of]) =>
    member(name, typeOf(of, name), false, of),
  );
  return indent(
    [
      header,
      `export interface paths ${block(paths)}`,
      `export interface components ${block([`schemas: ${block(schemas)};`])}`,
      '',
    ]
      .join('\n\n')
      .replace(/\n+$/, '\n'),
  );
}

function indent(text: string): string {
  let depth = 0;
  return text
    .split('\n')
    .map((line) => {
      if (line.startsWith('}')) depth--;
      const placed = line === '' ? '' : `${'  '.repeat(depth)}${line}`;
      if (!line.startsWith('/**') && !line.startsWith(' *') && line.endsWith('{')) depth++;
      return placed;
    })
    .join('\n');
}
