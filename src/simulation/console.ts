/** Somebody who speaks to nodes by hand: past the controller, past every redirect, with or without good intentions. */
import { writeCommand } from '../emulator/resp-reader.ts';
import { type Reply, ReplyReader } from '../kvrocks/resp.ts';
import type { RandomSource } from '../runtime/runtime.ts';
import type { Address } from '../topology/address.ts';
import type { EventLoop } from './event-loop.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import { VirtualProcess } from './virtual-runtime.ts';

const HOST = '10.4.0.1';
const TIMEOUT = 15_000;

export class Console {
  readonly #process: VirtualProcess;

  constructor(loop: EventLoop, network: VirtualNetwork, random: RandomSource) {
    this.#process = new VirtualProcess(loop, network, HOST, random);
  }

  /** On a connection of its own. Undefined when no answer came. */
  ask(address: Address, words: readonly string[]): Promise<Reply | undefined> {
    return new Promise((resolve) => {
      const reader = new ReplyReader();
      const { network, timers } = this.#process.runtime;
      const finish = (reply: Reply | undefined) => {
        cancel();
        socket.destroy();
        resolve(reply);
      };
      const cancel = timers.after(TIMEOUT, () => finish(undefined));
      const socket = network.connect(address, TIMEOUT, {
        connected: () => socket.send(writeCommand(words)),
        received: (bytes) => {
          reader.push(bytes);
          const reply = reader.next();
          if (reply !== undefined) finish(reply);
        },
        ended: () => {
          cancel();
          resolve(undefined);
        },
      });
    });
  }
}
