/** Plans of moves: made, watched, and steered. */
import type { MoveSelection } from '../../controller/move-changes.ts';
import type { MovesCommand } from '../../controller/move-plane.ts';
import type { WantedBalance } from '../../controller/rebalancing.ts';
import { invalid } from '../../controller/refusal.ts';
import type { Api, ApiContext } from '../context.ts';
import { MovesView, RebalanceAnswer } from '../move-schemas.ts';
import { changeOptions, readShard, refuseUnknown, wantsDryRun, writeOptions } from '../reading.ts';
import {
  ClusterPath,
  MovesBody,
  MovesPriorityBody,
  RebalanceBody,
  SettleBody,
  type ShardAsked,
  WriteHeaders,
  WriteQuery,
} from '../requests.ts';
import { data, Ok, ON_CHANGE, refused } from '../schemas.ts';
import { CLUSTER } from './paths.ts';

const tags = ['moves'];

function balanceOf(body: {
  readonly weights?: Readonly<Record<string, number>>;
  readonly drain?: readonly ShardAsked[];
}): WantedBalance {
  const weighed = Object.entries(body.weights ?? {}).map(([shard, weight]) => ({ shard: readShard(shard), weight }));
  return { weights: weighed, drain: (body.drain ?? []).map(readShard) };
}

function whichOf({ plan, move }: { readonly plan?: string; readonly move?: string }): MoveSelection {
  if (plan !== undefined && move !== undefined)
    throw invalid('move: a plan is named, too; allowed: a plan or a move, or neither for all of the cluster');
  if (plan !== undefined) return { plan };
  return move === undefined ? 'all' : { move };
}

const STEERING = {
  pause: 'Begin no new piece of these moves; the one that runs is finished',
  resume: 'Go on with these moves',
  cancel: 'Give these moves up: what has moved stays, the piece that runs is finished or rolled back',
  retry: 'Try again what has failed; a single move whose piece runs is ended and tried anew in smaller ones',
} as const;

export function planRoutes(api: Api, { plane }: ApiContext): void {
  const write = { tags, params: ClusterPath, querystring: WriteQuery, headers: WriteHeaders };
  const response = { 200: data(Ok, 'It is stored.', { data: 'ok' }), ...refused('not_found', ...ON_CHANGE) };

  api.post(
    `${CLUSTER}/rebalance`,
    {
      schema: {
        ...write,
        operationId: 'rebalance',
        summary: 'Give each shard its share of the slots, with the fewest slots moved',
        description:
          'With `dry_run` the plan is answered and nothing is stored; the same request with `If-Match` of its `version` runs exactly that plan, or is refused. Weights say the shares, `drain` empties shards before they are deleted, and slots that nobody owns are given away.',
        body: RebalanceBody,
        response: {
          200: data(RebalanceAnswer, 'What moves, or would. Without any move the cluster is balanced as asked.'),
          ...refused('not_found', 'owns_slots', 'node_failed', ...ON_CHANGE),
        },
      },
    },
    async (request, reply) => {
      const { body, params } = request;
      refuseUnknown(body, RebalanceBody);
      const wanted = balanceOf(body);
      if (wantsDryRun(request)) {
        const view = await plane.rebalancePlan(params, wanted);
        reply.header('etag', `"${view.version}"`);
        return { data: { ...view, plan: null, dry_run: true } };
      }
      const how = { slotsPerMove: body.slots_per_move ?? null, priority: body.priority ?? 0 };
      const done = await plane.rebalance(params, wanted, how, changeOptions(request));
      return { data: { ...done, dry_run: false } };
    },
  );

  api.get(
    `${CLUSTER}/moves`,
    {
      schema: {
        operationId: 'listMoves',
        summary: 'Plans and moves that are not over, with their progress',
        tags,
        params: ClusterPath,
        response: { 200: data(MovesView, 'The oldest first.'), ...refused('not_found') },
      },
    },
    async (request) => ({ data: plane.moves(request.params) }),
  );

  for (const what of ['pause', 'resume', 'cancel', 'retry'] as const) {
    api.post(
      `${CLUSTER}/moves/${what}`,
      { schema: { ...write, operationId: `${what}Moves`, summary: STEERING[what], body: MovesBody, response } },
      async (request) => {
        refuseUnknown(request.body, MovesBody);
        const command: MovesCommand = { do: what, which: whichOf(request.body) };
        await plane.changeMoves(request.params, command, writeOptions(request));
        return { data: 'ok' as const };
      },
    );
  }

  api.post(
    `${CLUSTER}/moves/priority`,
    {
      schema: {
        ...write,
        operationId: 'setMovesPriority',
        summary: 'Say which moves go first',
        body: MovesPriorityBody,
        response,
      },
    },
    async (request) => {
      const { body, params } = request;
      const command: MovesCommand = { do: 'prefer', which: whichOf(body), priority: body.priority };
      await plane.changeMoves(params, command, writeOptions(request));
      return { data: 'ok' as const };
    },
  );

  api.post(
    `${CLUSTER}/moves/settle`,
    {
      schema: {
        ...write,
        operationId: 'settleMove',
        summary: 'Say whose the slots of a piece are of which nobody knows',
        description:
          'Only where a status problem of the move asks for it: what the other side took of them is given up.',
        body: SettleBody,
        response,
      },
    },
    async (request) => {
      const { move, owner } = request.body;
      await plane.changeMoves(request.params, { do: 'settle', move, owner }, writeOptions(request));
      return { data: 'ok' as const };
    },
  );
}
