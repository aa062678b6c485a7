export const JSON_TYPE = 'application/json; charset=utf-8';

/** On every answer: nobody stores it, guesses its type, or embeds it in a page of another origin. */
export const COMMON_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
};
