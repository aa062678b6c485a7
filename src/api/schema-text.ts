/** The sentences that say what a member may be: shown in refusals and in the OpenAPI document alike. */
import { NAME_RULE } from '../topology/ids.ts';

export const NAME_TEXT = NAME_RULE;
export const ADDRESS_TEXT = '`host:port` with a port from 1 to 65535; IPv6 as `[::1]:6666`';
export const PASSWORD_TEXT =
  'a string of at most 512 characters without control characters, not `********` (what answers show); "" is no password';
export const NODES_TEXT = 'a list of 1 to 1000 addresses, each once; in a group the first is the master';
export const REPLICAS_TEXT =
  'an integer from 0 to 1000: the nodes in each shard, masters included; must divide the number of nodes; 0 means 1';
export const ROLE_TEXT = '`master` or `slave`; absent or "" is `slave`';
export const NODE_ID_TEXT = '40 letters and digits';
export const SHARD_TEXT = 'the index in the list as a decimal, or the id: `sh-` and 12 letters or digits';
export const SLOT_TEXT = 'a slot from 0 to 16383, as 123 or "123", or a range as "0-100"';
export const SLOTS_TEXT = `${SLOT_TEXT}, or a list of these`;
export const PRIORITY_TEXT =
  'a whole number from 0 to 1000, 100 by default: among equally advanced replicas the higher one is promoted';
export const NO_FAILOVER_TEXT = 'true or false: whether the node is never promoted unless an operator names it';
export const FLAG_TEXT = 'true or false, also as a string';
export const WAIT_TEXT = 'seconds from 0 to 600 to wait for the nodes after the commit; 2 by default';
