/** Checks what came against a schema, member by member, and says no in words that name the member. */
import { type Static, type TObject, type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { invalid, type Refusal } from '../controller/refusal.ts';

export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

const SHOWN = 80;

/** What came, short and printable: it ends in messages, logs and terminals. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    const text = JSON.stringify(value.length > SHOWN ? value.slice(0, SHOWN) : value);
    return value.length > SHOWN ? `${text}… (${value.length} characters)` : text;
  }
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

export const refuseMember = (member: string, came: unknown, allowed: string): Refusal =>
  invalid(`${member}: got ${show(came)}; allowed: ${allowed}`);

/** Reads `value` as an object of this schema. Members that the schema does not name are left alone. */
export function objectReader<T extends TObject>(schema: T, what: string): (value: unknown) => Read<Static<T>> {
  // Compiled on the first request: a server starts with dozens of schemas and meets few of them at once.
  let compiled: { readonly whole: (value: unknown) => value is Static<T>; readonly members: readonly MemberCheck[] };
  return (value) => {
    compiled ??= compile(schema);
    if (compiled.whole(value)) return { ok: true, value };
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return { ok: false, refusal: refuseMember(what, value, 'a JSON object') };
    }
    for (const member of compiled.members) {
      const refusal = member(Object.getOwnPropertyDescriptor(value, member.member)?.value);
      if (refusal !== undefined) return { ok: false, refusal };
    }
    return { ok: false, refusal: refuseMember(what, value, 'see /openapi.json') };
  };
}

interface MemberCheck {
  (value: unknown): Refusal | undefined;
  readonly member: string;
}

function compile<T extends TObject>(schema: T) {
  const check = Compile(schema);
  return {
    whole: (value: unknown): value is Static<T> => check.Check(value),
    members: Object.entries(schema.properties).map(([member, of]) => memberCheck(member, of, schema)),
  };
}

function allowedFor(schema: TSchema): string {
  return 'description' in schema && typeof schema.description === 'string' ? schema.description : 'see /openapi.json';
}

function memberCheck(member: string, schema: TSchema, of: TObject): MemberCheck {
  const check = Compile(schema);
  const items = Type.IsArray(schema) ? Compile(schema.items) : undefined;
  const required = (of.required ?? []).includes(member);
  const run = (value: unknown): Refusal | undefined => {
    if (value === undefined) {
      return required ? invalid(`${member}: missing; allowed: ${allowedFor(schema)}`) : undefined;
    }
    const list: unknown = value;
    if (check.Check(value)) return undefined;
    if (items !== undefined && Array.isArray(list)) {
      const wrong = list.findIndex((item) => !items.Check(item));
      if (wrong >= 0) return refuseMember(`${member}[${wrong}]`, list[wrong], allowedFor(items.Type()));
    }
    return refuseMember(member, list, allowedFor(schema));
  };
  return Object.assign(run, { member });
}
