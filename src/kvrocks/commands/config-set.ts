import { Secret } from '../../runtime/secret.ts';
import { classifyError } from '../errors.ts';
import { type Question, question, readOk } from '../question.ts';

/**
 * `CONFIG SET`, in force at once and gone after a restart unless CONFIG REWRITE keeps it. A secret value never comes
 * back in an error's text.
 *
 * A late or repeated copy sets the value again: it undoes what was set meanwhile. So only for values that do not
 * change back (`slave-serve-stale-data yes`), or when nobody else sets that name.
 */
export function configSet(name: string, value: string | Secret): Question<'ok'> {
  const plain = value instanceof Secret ? value.reveal() : value;
  const asked = question(['CONFIG', 'SET', name, plain], readOk);
  if (!(value instanceof Secret) || value.empty) return asked;
  return {
    ...asked,
    read: (replies) => {
      const read = asked.read(replies);
      if (read.kind !== 'error' || !read.error.text.includes(plain)) return read;
      return { kind: 'error', error: classifyError(read.error.text.replaceAll(plain, `${value}`)) };
    },
  };
}

/**
 * `CONFIG REWRITE`: writes the settings in force into the node's file. On a replica it also writes whom it follows;
 * nodes.conf wins over that. A late or repeated copy writes the same again.
 */
export function configRewrite(): Question<'ok'> {
  return question(['CONFIG', 'REWRITE'], readOk);
}
