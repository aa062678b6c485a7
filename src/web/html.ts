/** Text that goes into HTML is escaped unless it was made here. */

export interface Html {
  readonly text: string;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');

/** A template: every value but `Html` is escaped, so that it is text, or an attribute's value within quotes. */
export function html(parts: TemplateStringsArray, ...values: readonly (string | number | Html)[]): Html {
  let text = parts[0] ?? '';
  for (const [i, value] of values.entries()) {
    text += typeof value === 'object' ? value.text : escapeHtml(`${value}`);
    text += parts[i + 1] ?? '';
  }
  return { text };
}

export const join = (all: readonly Html[]): Html => ({ text: all.map(({ text }) => text).join('') });
