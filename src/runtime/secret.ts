/**
 * A password or token that cannot be printed by accident: text, JSON and inspection all show a mask (promise 10).
 * `reveal()` is called only where the value goes over a wire or into the store.
 */
import { inspect } from 'node:util';

const values = new WeakMap<Secret, string>();

export class Secret {
  constructor(value: string) {
    values.set(this, value);
  }
  reveal(): string {
    return values.get(this) ?? '';
  }
  /** No password at all: nodes then ask for none. */
  get empty(): boolean {
    return this.reveal() === '';
  }
  equals(other: Secret): boolean {
    return this.reveal() === other.reveal();
  }
  toString(): string {
    return this.empty ? '' : '********';
  }
  toJSON(): string {
    return this.toString();
  }
  [inspect.custom](): string {
    return `Secret(${this.toString()})`;
  }
}

export const NO_SECRET = new Secret('');
