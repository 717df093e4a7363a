import { PolicyExamination, type PolicyView } from '../app/policy-examination.ts';
import { systemClock } from '../base/clock.ts';
import { printable } from '../config/errors.ts';
import { loadConfig } from '../config/load.ts';
import { type Rule, ruleName } from '../policy/rule.ts';
import { EXIT } from './exit-codes.ts';
import { imageArgument } from './image-argument.ts';
import type { CommandIo } from './serve.ts';

/** What `policy show` works with. */
export interface PolicyShowOptions extends CommandIo {
  readonly config: string;
  readonly json?: boolean;
}

/**
 * Says which rule applies to an image and what it demands, from the configuration alone.
 *
 * @returns 0, or 64 for what is not an image reference
 * @throws {ConfigError} `config_invalid`
 */
export async function showPolicy(text: string, options: PolicyShowOptions): Promise<number> {
  const image = imageArgument(text, options);
  if (image === undefined) return EXIT.usage;
  const { config } = await loadConfig(options.config, { env: options.env });
  const view = new PolicyExamination(config).view(image, 'anybody', systemClock.now());
  options.stdout.write(
    options.json === true ? `${JSON.stringify(asJson(text, view), null, 2)}\n` : toText(text, view),
  );
  return EXIT.ok;
}

function asJson(image: string, { rule, breakGlass, ...view }: PolicyView): object {
  return {
    image,
    ...view,
    ...(rule === undefined ? {} : { rule: ruleName(rule), demands: demandsOf(rule) }),
    breakGlass: breakGlass.map(({ digest, approvedBy, reason, until }) => ({
      ...{ digest, approvedBy, reason },
      until: new Date(until).toISOString(),
    })),
  };
}

function toText(image: string, view: PolicyView): string {
  const { verdict, reason, because, rule, others, breakGlass } = view;
  const lines = [
    image,
    rule === undefined ? '  no rule applies' : `  rule "${ruleName(rule)}", the most specific one`,
    ...(rule === undefined ? [] : demandsOf(rule).map((each) => `  ${each}`)),
    ...others.map((each) => `  not: "${each}", which is less specific or for other tags`),
    ...breakGlass.map(
      (entry) =>
        `  break-glass: ${entry.digest} until ${new Date(entry.until).toISOString()}, approved by ${entry.approvedBy}: ${entry.reason}`,
    ),
    '',
    `${verdict}${reason === undefined ? '' : ` ${reason}`}: ${because}`,
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

/** What a rule demands, a line each. */
function demandsOf({ requirement, deny, clients, audit, refusal }: Rule): readonly string[] {
  const lines: string[] = [];
  if (requirement.kind === 'unverified') lines.push(`nothing: ${requirement.reason}`);
  else {
    const { source, signers, signersNeeded = signers.length, byDigest } = requirement;
    lines.push(`signed by the publishers of trust source "${source}"`);
    if (signers.length > 0) lines.push(`and by ${signersNeeded} of ${signers.join(', ')}`);
    if (byDigest?.kind === 'any') lines.push('by digest: whatever the registry has');
    else if (byDigest?.forMs === 0) lines.push('by digest: what is signed now');
    else if (byDigest?.forMs !== undefined) {
      lines.push(`by digest: what was verified within ${Math.round(byDigest.forMs / 3_600_000)} h`);
    }
  }
  if (deny !== undefined) {
    const count = deny.digests.length + deny.tags.length + deny.signers.length + deny.keys.length;
    lines.push(`${count} entries on its own deny list`);
  }
  if (clients !== undefined) lines.push(`for ${clients.join(', ')} only`);
  if (audit === true) lines.push('in audit: what it would refuse is served unverified');
  if (refusal !== undefined) lines.push(`refusals are told as ${refusal}`);
  return lines;
}
