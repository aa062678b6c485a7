export const DEFAULT_HOST = 'http://127.0.0.1:9379';
const DEFAULT_PORT = '9379';

/**
 * The base URL, without a trailing slash, of what `--host` names: with or without `http://`; without a scheme the
 * port may be left out and is 9379. Undefined when it is no such address.
 */
export function parseHost(text: string): string | undefined {
  const bare = !text.includes('://');
  let url: URL;
  try {
    url = new URL(bare ? `http://${text}` : text);
  } catch {
    return undefined;
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return undefined;
  // `URL` drops a port that is the scheme's own, so an explicit `:80` is looked for in the text.
  if (bare && url.port === '' && !/:80(\/|$)/.test(text)) url.port = DEFAULT_PORT;
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
