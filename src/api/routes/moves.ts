import type { ClusterName } from '../../controller/control-plane.ts';
import { invalid } from '../../controller/refusal.ts';
import { covers, formatRange, type SlotRange } from '../../topology/slots.ts';
import type { Api, ApiContext } from '../context.ts';
import { type Asked, readShard, readSlotOnly, readSlots, writeOptions } from '../reading.ts';
import {
  ClusterPath,
  MigrateBody,
  OldMigrateBody,
  type ShardAsked,
  type SlotsAsked,
  WriteHeaders,
  WriteQuery,
} from '../requests.ts';
import { data, Ok, ON_CHANGE, refused } from '../schemas.ts';
import { CLUSTER, SHARDS } from './paths.ts';
import { shardAt } from './shards.ts';

const tags = ['moves'];
const response = {
  200: data(Ok, 'The moves are recorded; the status shows how they get on.', { data: 'ok' }),
  ...refused('not_found', 'node_failed', ...ON_CHANGE),
};

interface OldMove {
  readonly source?: ShardAsked;
  readonly target: ShardAsked;
  readonly slot?: SlotsAsked;
  readonly slots?: SlotsAsked;
}

function oldSlots({ slot, slots }: OldMove): readonly SlotRange[] {
  if (slots !== undefined) return readSlots('slots', slots);
  if (slot !== undefined) return readSlots('slot', slot);
  throw invalid('slot: missing; allowed: a slot or range as `slot`, or a list of these as `slots`');
}

export function moveRoutes(api: Api, { plane }: ApiContext): void {
  api.post(
    `${CLUSTER}/migrate`,
    {
      schema: {
        operationId: 'migrate',
        summary: 'Move slots to another shard',
        description: 'With `slot_only` the slots change their owner and their keys stay behind.',
        tags,
        params: ClusterPath,
        querystring: WriteQuery,
        headers: WriteHeaders,
        body: MigrateBody,
        response,
      },
    },
    async (request) => {
      const { body, params } = request;
      const ranges = readSlots('slot', body.slot);
      const how = {
        slotOnly: readSlotOnly(body),
        slotsPerMove: body.slots_per_move ?? null,
        priority: body.priority ?? 0,
      };
      await plane.migrate(params, readShard(body.target), ranges, how, writeOptions(request));
      return { data: 'ok' as const };
    },
  );

  /** A source that owns the slots no more is a caller's mistake; one whose slots arrived already is a repetition. */
  function checkSource(name: ClusterName, { source, target }: OldMove, ranges: readonly SlotRange[]): void {
    if (source === undefined) return;
    const { cluster } = plane.cluster(name);
    const owner = shardAt(cluster, readShard(source));
    const receiver = shardAt(cluster, readShard(target));
    const stray = ranges.find((range) => !covers(owner.slots, range) && !covers(receiver.slots, range));
    if (stray !== undefined) {
      throw invalid(`source: shard ${source} does not own ${formatRange(stray)}; allowed: the shard that owns it`);
    }
  }

  const old = async (request: Asked & { readonly params: ClusterName; readonly body: OldMove }, slotOnly: boolean) => {
    const ranges = oldSlots(request.body);
    const options = writeOptions(request);
    checkSource(request.params, request.body, ranges);
    await plane.migrate(request.params, readShard(request.body.target), ranges, { slotOnly }, options);
    return { data: 'ok' as const };
  };

  const oldSchema = {
    tags,
    deprecated: true,
    params: ClusterPath,
    querystring: WriteQuery,
    headers: WriteHeaders,
    body: OldMigrateBody,
    response,
  };
  api.post(
    `${SHARDS}/migration/slot_data`,
    { schema: { ...oldSchema, operationId: 'migrateSlotData', summary: 'Move slots, as older clients ask for it' } },
    (request) => old(request, false),
  );
  api.post(
    `${SHARDS}/migration/slot_only`,
    {
      schema: {
        ...oldSchema,
        operationId: 'migrateSlotOnly',
        summary: 'Move slots without their keys, as older clients ask for it',
      },
    },
    (request) => old(request, true),
  );
}
