/**
 * A reply as a value; `resp-writer.ts` writes it as RESP2 or RESP3. Texts are latin1 strings: one character a byte.
 */
export type Reply =
  | { readonly kind: 'simple'; readonly text: string }
  /** With its prefix: `ERR ...`, `MOVED ...`. */
  | { readonly kind: 'error'; readonly text: string }
  | { readonly kind: 'integer'; readonly value: number | bigint }
  | { readonly kind: 'bulk'; readonly text: string }
  /** RESP3 `=len txt:...`, RESP2 a bulk: INFO, CLUSTER NODES and their like. */
  | { readonly kind: 'verbatim'; readonly text: string }
  /** RESP2 `$-1`, RESP3 `_`. */
  | { readonly kind: 'nil' }
  /** RESP2 `*-1`, RESP3 `_`. */
  | { readonly kind: 'nil-array' }
  /** RESP3 `,1.5`, RESP2 a bulk. */
  | { readonly kind: 'double'; readonly text: string }
  /** RESP3 `#t`, RESP2 `:1`. */
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'array'; readonly items: readonly Reply[] }
  /** RESP3 `~`, RESP2 an array. */
  | { readonly kind: 'set'; readonly items: readonly Reply[] }
  /** RESP3 `%`, RESP2 a flat array. Keys and values alternate. */
  | { readonly kind: 'map'; readonly items: readonly Reply[] }
  /** RESP3 an array of arrays of two, RESP2 a flat array: members with their scores. */
  | { readonly kind: 'pairs'; readonly items: readonly (readonly [Reply, Reply])[] }
  /** RESP3 `>`, RESP2 an array. */
  | { readonly kind: 'push'; readonly items: readonly Reply[] };
