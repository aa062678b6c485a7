import { line } from '../client/refusals.ts';
import { command, group } from '../command.ts';
import { Failure } from '../exit.ts';
import { CLUSTER } from '../lookup.ts';
import { type Check, checkText, fixableText, planText, tallyOf, tallyText } from '../render/check.ts';
import { plain, quoted } from '../render/text.ts';
import type { Place, Session } from '../session.ts';
import { cluster, forceFix, ifVersion, noWait, planOnly, scanFor, yes } from '../settings.ts';

function scanned(session: Session): { readonly scan?: number } {
  const span = session.get(scanFor);
  return span === undefined ? {} : { scan: span / 1000 };
}

const checked = (session: Session, place: Place): Promise<Check> =>
  session.ask(session.api.POST(`${CLUSTER}/check`, { params: { path: place }, body: scanned(session) }));

export const check = group(
  ['check'],
  'Find what is wrong between what is stored, what the nodes carry and what they hold',
  command({
    names: ['cluster'],
    args: '[cluster]',
    about:
      'Ask every node of a cluster anew, and look for what the status cannot see: how topologies differ, slots that nobody owns or serves, keys left behind by moves. Ends with 1 where it finds an error or a warning',
    settings: [scanFor],
    examples: ['kvctl check cluster c1 -n ns', 'kvctl check cluster c1 -n ns --scan 10m --timeout 15m'],
    run: async (session) => {
      const place = session.place(session.args[0]);
      const data = await checked(session, place);
      session.show(data, checkText(data));
      const tally = tallyOf(data);
      if (tally.errors + tally.warnings === 0) return;
      const fixable = data.findings.some(({ fix: mends }) => mends !== null);
      const next = `What can be fixed: ${line(`fix cluster ${quoted(place.cluster)}`, { namespace: place.namespace })}`;
      throw new Failure('failed', tallyText(tally), fixable ? { next } : {});
    },
  }),
);

/** `<cluster> [finding]`; with `-c` the finding alone. */
function named(session: Session): { readonly cluster: string | undefined; readonly finding: string | undefined } {
  const [first, second] = session.args;
  if (second === undefined && session.get(cluster) !== undefined && first !== session.get(cluster))
    return { cluster: undefined, finding: first };
  return { cluster: first, finding: second };
}

async function mend(session: Session, place: Place, finding: string): Promise<void> {
  const force = session.get(forceFix);
  const { query, header } = session.writing;
  const params = { path: place, query, header };
  const body = { finding, ...(force && { force }), ...scanned(session) };
  const plan = await session.ask(session.api.POST(`${CLUSTER}/fix`, { params, body: { ...body, dry_run: true } }));
  if (session.get(planOnly)) {
    session.show(plan, planText(plan.finding));
    if (plan.refused !== null) session.note(plain(`it would be refused: ${plan.refused}`));
    return;
  }
  if (plan.refused !== null) {
    const { fix: mends } = plan.finding;
    const missing = mends?.costs != null && !force;
    session.note(planText(plan.finding).trimEnd());
    throw new Failure('refused', plain(plan.refused), missing ? { next: 'With --force it is done all the same.' } : {});
  }
  // On stderr, so that the answer alone is the result.
  session.note(planText(plan.finding).trimEnd());
  await session.confirm('Do it?');
  const data = await session.ask(session.api.POST(`${CLUSTER}/fix`, { params, body: { ...body, dry_run: false } }));
  session.show(data, data.mended === true ? `fix finding: ${plain(finding)} successfully.\n` : leftText(data));
}

function leftText({
  finding,
  left,
}: {
  readonly finding: { readonly key: string };
  readonly left: Check['findings'][number] | null;
}): string {
  const waits = left?.waiting_for == null ? '' : `\n  it waits for: ${left.waiting_for}`;
  return `${plain(`fix finding: ${finding.key} is begun; it is not mended yet: ${left?.message ?? ''}`)}${waits}\n`;
}

export const fix = group(
  ['fix'],
  'Mend what a check found, one finding at a time',
  command({
    names: ['cluster'],
    args: '[cluster] [finding]',
    about:
      'Mend one finding of a check: what would be done is shown first, and at a terminal asked; without a finding, list those that can be fixed',
    settings: [planOnly, forceFix, scanFor, yes, ifVersion, noWait],
    examples: [
      'kvctl fix cluster c1 -n ns',
      'kvctl fix cluster c1 SLOTS_UNCOVERED -n ns --dry-run',
      'kvctl fix cluster c1 TOPOLOGY_NEWER@10.0.0.2:6666 -n ns --yes',
    ],
    run: async (session) => {
      const { cluster: name, finding } = named(session);
      const place = session.place(name);
      if (finding !== undefined) return mend(session, place, finding);
      const data = await checked(session, place);
      session.show(data, fixableText(data));
    },
  }),
);
