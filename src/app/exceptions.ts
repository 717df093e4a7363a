import type { Metrics } from '../observe/metrics.ts';
import type { BreakGlass } from '../policy/break-glass.ts';
import { ruleName } from '../policy/rule.ts';
import type { StatusReport } from '../server/status-report.ts';
import type { Generation } from './generation.ts';

/** What is let through by an operator's word now, for the status page. */
export function exceptionStatus(
  { config, core }: Pick<Generation, 'config' | 'core'>,
  now: number,
): Pick<StatusReport, 'rulesInAudit' | 'breakGlass'> {
  return {
    rulesInAudit: config.rules.filter(({ audit }) => audit === true).map(ruleName),
    breakGlass: core.breakGlass.active(now).map((entry) => ({
      image: entry.image,
      digest: entry.digest,
      approvedBy: entry.approvedBy,
      reason: entry.reason,
      until: new Date(entry.until).toISOString(),
    })),
  };
}

/** Sets the gauges of break-glass: each entry leaves them when it ends. */
export function collectExceptionGauges(
  metrics: Metrics,
  breakGlass: BreakGlass,
  now: number,
): void {
  const active = breakGlass.active(now);
  metrics.set('pinnace_break_glass_active', {}, active.length);
  const last = active.at(-1)?.until ?? now;
  metrics.set('pinnace_break_glass_ends_in_seconds', {}, (last - now) / 1000);
}
