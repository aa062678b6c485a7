import { garbled, type Question, question, readText, reply } from '../question.ts';

/**
 * `CLUSTERX VERSION`: the topology's version; -1 before any topology. A late or repeated copy changes nothing.
 */
export function version(): Question<number> {
  return question(['CLUSTERX', 'VERSION'], (got) => {
    const text = got.kind === 'integer' ? `${got.value}` : readText(got);
    return text !== undefined && /^(-1|\d{1,15})$/.test(text) ? reply(Number(text)) : garbled('VERSION: no number');
  });
}
