/** One run of one command: what the command line said, the API behind it, and where the results go. */
import type { Command } from 'commander';
import { type ApiClient, connect, dataOf, type Target } from './client/connection.ts';
import type { Where } from './client/refusals.ts';
import type { components } from './client/schema.gen.ts';
import { Failure, usage } from './exit.ts';
import type { Io } from './io.ts';
import { quoted } from './render/text.ts';
import type { Setting } from './settings.ts';
import * as settings from './settings.ts';

export type Cluster = components['schemas']['Cluster'];
export type Shard = components['schemas']['Shard'];
export type Node = components['schemas']['Node'];
export type ClusterStatus = components['schemas']['ClusterStatus'];
export type NodeStatus = components['schemas']['NodeStatus'];

/** A cluster's place in the paths of the API. */
export interface Place {
  readonly namespace: string;
  readonly cluster: string;
}

export class Session {
  readonly io: Io;
  readonly args: readonly string[];
  readonly #command: Command;
  #api: ApiClient | undefined;

  constructor(io: Io, command: Command) {
    this.io = io;
    this.args = command.args;
    this.#command = command;
  }

  /** Only for settings that the command was declared with, and global ones. */
  get<T>(setting: Setting<T>): T {
    return setting.read(this.#command, this.io.env);
  }

  get where(): Where {
    return { namespace: this.get(settings.namespace), cluster: this.#cluster };
  }

  #cluster: string | undefined;

  get target(): Target {
    return { host: this.get(settings.host), timeout: this.get(settings.timeout), where: this.where };
  }

  get api(): ApiClient {
    this.#api ??= connect(this.io, this.target);
    return this.#api;
  }

  /** Throws the failure that a refusal stands for. */
  ask<T>(answer: Parameters<typeof dataOf<T>>[0]): Promise<T> {
    return dataOf(answer, this.where);
  }

  /** The argument at this place; commander has seen to it that required ones are there. */
  arg(index: number): string {
    const arg = this.args[index];
    if (arg === undefined) throw usage(`an argument is missing; see ${this.#name} --help`);
    return arg;
  }

  get #name(): string {
    const names: string[] = [];
    for (let at: Command | null = this.#command; at !== null; at = at.parent) names.unshift(at.name());
    return names.join(' ');
  }

  namespace(): string {
    const namespace = this.get(settings.namespace);
    if (namespace !== undefined) return this.#segment('namespace', namespace);
    throw usage(
      'the namespace is missing',
      `Name it with -n <name>; there are those of ${quoted('kvctl list namespaces')}`,
    );
  }

  /** The cluster that the command is about: `named` as its argument, or else by `-c`. */
  place(named?: string): Place {
    const namespace = this.namespace();
    const flag = this.get(settings.cluster);
    const cluster = named ?? flag;
    if (cluster === undefined) throw usage('the cluster is missing', 'Name it with -c <name>');
    if (flag !== undefined && flag !== cluster) throw usage(`two clusters are named: ${cluster} and ${flag}`);
    this.#cluster = cluster;
    return { namespace, cluster: this.#segment('cluster', cluster) };
  }

  // `URL` would swallow these, and the request would go to the parent.
  #segment(what: string, name: string): string {
    if (name !== '' && name !== '.' && name !== '..') return name;
    throw usage(`${what}: got "${name}"; allowed: a name`);
  }

  get json(): boolean {
    return this.get(settings.output) === 'json';
  }

  /** The result: the API's data, or what people read of it. The text comes with its line ends. */
  show(data: unknown, text: string): void {
    this.io.out(this.json ? `${JSON.stringify(data, null, 2)}\n` : text);
  }

  /** For people only. */
  note(text: string): void {
    this.io.err(`${text}\n`);
  }

  /** Where a person can answer and `--yes` was not given; a script is taken at its word. */
  async confirm(question: string): Promise<void> {
    if (this.io.ask === undefined || this.get(settings.yes)) return;
    const answer = (await this.io.ask(`${question} [y/N] `)).trim().toLowerCase();
    if (answer !== 'y' && answer !== 'yes') throw new Failure('failed', 'not confirmed; nothing was changed');
  }

  /** Query and headers of a write. */
  get writing() {
    const version = this.get(settings.ifVersion);
    return {
      query: { ...(this.get(settings.noWait) && { wait: 0 }) },
      header: { ...(version !== undefined && { 'If-Match': `"${version}"` }) },
    };
  }
}
