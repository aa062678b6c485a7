/** What a check found and what a fix does, for people. */
import { line } from '../client/refusals.ts';
import type { components } from '../client/schema.gen.ts';
import { counted, plain, quoted } from './text.ts';

export type Check = components['schemas']['Check'];
export type CheckFinding = components['schemas']['CheckFinding'];

/** Slots that stand in one line; all of them are in the json. */
const SHOWN = 12;

const slotText = (slots: readonly string[]): string =>
  slots.length <= SHOWN
    ? slots.join(',')
    : `${slots.slice(0, SHOWN).join(',')} and ${slots.length - SHOWN} more ranges`;

const lines = (...all: readonly string[]): string => all.map((each) => `${plain(each)}\n`).join('');

const fixLine = ({ namespace, cluster }: Check, { key, fix }: CheckFinding): string =>
  line(`fix cluster ${quoted(cluster)} ${quoted(key)}${fix?.costs == null ? '' : ' --force'}`, { namespace });

/** Its head, what was seen, and what can be done. */
function findingText(check: Check, finding: CheckFinding): string {
  const { severity, code, node, slots, message, evidence, waiting_for, fix, command } = finding;
  // The key names the node by its address, where it is about one.
  const where = node === null ? '' : `  ${finding.key.slice(code.length + 1)}`;
  return lines(
    `  ${severity}  ${code}${where}`,
    `    ${message}`,
    ...(slots === null ? [] : [`    slots: ${slotText(slots)}`]),
    ...evidence.map((each) => `    - ${each}`),
    ...(waiting_for === null ? [] : [`    waits for: ${waiting_for}`]),
    ...(fix === null ? [] : fix.steps.map((step, i) => `    ${i === 0 ? 'fix: ' : '     '}${step}`)),
    ...(fix?.costs == null ? [] : [`    it COSTS: ${fix.costs}`]),
    ...(fix === null
      ? []
      : [`    ${check.paused === null ? 'fix it' : 'once resumed, fix it'} with: ${fixLine(check, finding)}`]),
    ...(fix !== null || command === null ? [] : [`    do: ${command}`]),
  );
}

export interface Tally {
  readonly errors: number;
  readonly warnings: number;
}

export const tallyOf = ({ findings }: Check): Tally => ({
  errors: findings.filter(({ severity }) => severity === 'error').length,
  warnings: findings.filter(({ severity }) => severity === 'warning').length,
});

export const tallyText = ({ errors, warnings }: Tally): string =>
  errors + warnings === 0
    ? 'nothing is wrong'
    : [errors === 0 ? [] : counted(errors, 'error'), warnings === 0 ? [] : counted(warnings, 'warning')]
        .flat()
        .join(', ');

function lookedText({ looked, findings }: Check): string {
  const { nodes, masters, keys } = looked;
  const partly = findings.some(({ code }) => code === 'KEYS_UNSEEN');
  const through =
    masters === 0 && keys === 0
      ? 'no keys were looked at'
      : `${partly ? 'only ' : ''}${counted(masters, 'master')} looked through whole for keys of others’ slots (${counted(keys, 'key')})`;
  return `looked at: ${counted(nodes, 'node')} read anew; ${through}\n`;
}

export function checkText(check: Check): string {
  const head = `cluster ${check.cluster} of namespace ${check.namespace}: ${tallyText(tallyOf(check))}; version ${check.version}`;
  const paused =
    check.paused === null ? '' : lines(`paused by ${check.paused.by}: nothing is mended until it is resumed`);
  const all = check.findings.map((finding) => findingText(check, finding)).join('');
  return `${lines(head)}${paused}${all}${lookedText(check)}`;
}

/** What can be fixed, a command each. */
export function fixableText(check: Check): string {
  const fixable = check.findings.filter(({ fix }) => fix !== null);
  const rest = check.findings.filter(({ fix, severity }) => fix === null && severity !== 'note').length;
  const others =
    rest === 0
      ? ''
      : `${counted(rest, 'finding')} cannot be fixed from here: ${line(`check cluster ${quoted(check.cluster)}`, { namespace: check.namespace })}\n`;
  if (fixable.length === 0) return `nothing can be fixed\n${others}`;
  return `fix one at a time, the first one first:\n${fixable
    .map((finding) => lines(`  ${finding.message}`, `    ${fixLine(check, finding)}`))
    .join('')}${others}`;
}

export const planText = ({ key, message, fix }: CheckFinding): string =>
  lines(
    `${key}: ${message}`,
    ...(fix?.steps ?? []).map((step) => `  - ${step}`),
    ...(fix?.costs == null ? [] : [`  it COSTS: ${fix.costs}`]),
  );
