import type { Reply } from '../reply.ts';
import { floatText } from './arguments.ts';

export const OK: Reply = { kind: 'simple', text: 'OK' };
export const NIL: Reply = { kind: 'nil' };
export const NIL_ARRAY: Reply = { kind: 'nil-array' };
export const ZERO: Reply = { kind: 'integer', value: 0 };
export const ONE: Reply = { kind: 'integer', value: 1 };
export const EMPTY: Reply = { kind: 'array', items: [] };

export const bulk = (text: string): Reply => ({ kind: 'bulk', text });
export const bulkOrNil = (text: string | undefined): Reply => (text === undefined ? NIL : { kind: 'bulk', text });
export const count = (value: number): Reply => (value === 0 ? ZERO : value === 1 ? ONE : { kind: 'integer', value });
export const double = (value: number): Reply => ({ kind: 'double', text: floatText(value) });
export const array = (items: readonly Reply[]): Reply => ({ kind: 'array', items });
export const bulks = (texts: readonly string[]): Reply => ({ kind: 'array', items: texts.map(bulk) });
export const setOf = (texts: readonly string[]): Reply => ({ kind: 'set', items: texts.map(bulk) });
export const mapOf = (texts: readonly string[]): Reply => ({ kind: 'map', items: texts.map(bulk) });
