/** Tells an unknown path from a wrong method. Asked only once nothing matched. */
import type { Refusal } from '../controller/refusal.ts';
import { noSuchRoute, wrongMethod } from './errors.ts';

interface Entry {
  readonly path: RegExp;
  readonly methods: Set<string>;
}

export interface RouteTable {
  add(method: string | readonly string[], url: string): void;
  /** `target` is the request's, with its query. */
  refusal(method: string, target: string): Refusal;
}

export function routeTable(): RouteTable {
  const entries = new Map<string, Entry>();
  return {
    add(method, url) {
      const path = new RegExp(`^${url.replaceAll(/:[a-z]+/g, '[^/]+').replaceAll('.', '\\.')}/?$`);
      const entry = entries.get(url) ?? { path, methods: new Set<string>() };
      for (const each of typeof method === 'string' ? [method] : method) entry.methods.add(each);
      entries.set(url, entry);
    },
    refusal(method, target) {
      const path = target.split('?', 1)[0] ?? target;
      const matching = [...entries.values()].filter((entry) => entry.path.test(path));
      const allowed = new Set(matching.flatMap((entry) => [...entry.methods]));
      return allowed.size === 0 ? noSuchRoute(method, path) : wrongMethod(method, path, [...allowed].sort());
    },
  };
}
