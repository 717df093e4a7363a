import { createHash } from 'node:crypto';
import { roughDuration } from '../base/rough-duration.ts';
import { comingFailures } from './coming-failures.ts';
import type {
  CollectionStatus,
  LimitStatus,
  RepositoryStatus,
  RoleStatus,
  StatusReport,
  UpstreamStatus,
} from './status-report.ts';

const STYLE = `
:root{color-scheme:light dark;--line:#8884;--dim:#777;--bad:#c62828;--soon:#b26a00;--good:#2e7d32}
body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p{margin:.2rem 0}.dim{color:var(--dim)}.bad{color:var(--bad)}.soon{color:var(--soon)}.good{color:var(--good)}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line)}
th{font-weight:600;color:var(--dim)}code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
pre{overflow-x:auto;font:13px ui-monospace,monospace}ul{list-style:none;margin:0;padding:0}
`;

/** The `Content-Security-Policy` under which the page works: nothing but its own style. */
export const STATUS_PAGE_POLICY: string = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

const MAX_ROWS = 500;
const MIB = 2 ** 20;
const DAY_MS = 86_400_000;
/** The share of a limit from which on it is near. */
const NEAR = 0.8;

/** The status as a page for people; it needs no script and refreshes itself. */
export function renderStatusPage(report: StatusReport, now: number): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="15">
<meta name="viewport" content="width=device-width"><title>Pinnace</title><style>${STYLE}</style></head>
<body><h1>Pinnace ${escapeHtml(report.version)}</h1>
<p>${readiness(report)} <span class="dim">Started ${escapeHtml(report.startedAt)}.</span></p>
${reloadLine(report)}
<p class="dim">See also <a href="/api/v1/status">status as JSON</a> and <a href="/metrics">metrics</a>.</p>
<h2>What will stop working, when and why</h2>
${failuresTable(report, now)}
<h2>Suspected bypasses</h2>
${bypassesTable(report)}
${exceptions(report, now)}
<h2>Repositories</h2>
${repositoriesTable(report, now)}
<h2>Upstreams</h2>
${upstreamsTable(report, now)}
<h2>Limits</h2>
${limitsTable(report)}
${workersPart(report)}${collectionsPart(report, now)}<h2>Last refusals</h2>
${refusalsTable(report)}
</body></html>
`;
}

/** How far off a time is, in the two largest units: `in 3 d 4 h`, `12 min ago`. */
export function timeLeft(at: string, now: number): string {
  const difference = Date.parse(at) - now;
  if (Number.isNaN(difference)) return 'at an unknown time';
  const text = roughDuration(Math.abs(difference));
  return difference >= 0 ? `in ${text}` : `${text} ago`;
}

function readiness(report: StatusReport): string {
  return report.isReady
    ? '<span class="good">Ready.</span>'
    : '<span class="bad">Not ready: requests may be refused.</span>';
}

function exceptions({ rulesInAudit, breakGlass }: StatusReport, now: number): string {
  if (rulesInAudit.length + breakGlass.length === 0) return '';
  const audits = rulesInAudit.map(
    (rule) => `<tr><td class="soon">audit</td><td><code>${escapeHtml(rule)}</code></td>
<td>what it would refuse is served unverified</td><td>until the rule is changed</td></tr>`,
  );
  const entries = breakGlass.map(
    ({ image, digest, approvedBy, reason, until }) =>
      `<tr><td class="soon">break-glass</td><td><code>${escapeHtml(image)}</code><br>
<code class="dim">${escapeHtml(digest)}</code></td><td>${escapeHtml(reason)}<br>
<span class="dim">approved by ${escapeHtml(approvedBy)}</span></td>
<td>ends ${timeLeft(until, now)}<br><span class="dim">${escapeHtml(until)}</span></td></tr>`,
  );
  const heads = ['By', 'What', 'Why', 'How long'];
  return `<h2>Let through unverified</h2>\n${table(heads, [...entries, ...audits], '')}`;
}

function reloadLine({ lastReload }: StatusReport): string {
  if (lastReload === undefined) return '';
  const at = escapeHtml(lastReload.at);
  return lastReload.problem === undefined
    ? `<p class="dim">Configuration reloaded ${at}.</p>`
    : `<p class="bad">The configuration read ${at} was refused, the earlier one is in force:</p><pre>${escapeHtml(lastReload.problem)}</pre>`;
}

function failuresTable(report: StatusReport, now: number): string {
  const rows = comingFailures(report).map(
    ({ subject, at, why }) =>
      `<tr><td class="${urgency(at, now)}">${timeLeft(at, now)}</td><td>${escapeHtml(at)}</td>
<td><code>${escapeHtml(subject)}</code></td><td>${escapeHtml(why)}</td></tr>`,
  );
  return table(['When', 'Time', 'What', 'Why'], rows, 'Nothing that is known of.');
}

function repositoriesTable(report: StatusReport, now: number): string {
  const rows = report.repositories.map(
    (status) => `<tr><td><code>${escapeHtml(status.repository)}</code></td>
<td>${trustCell(status)}</td><td>${rolesCell(status.roles, now)}</td><td>${checkedCell(status, now)}</td></tr>`,
  );
  const heads = ['Repository', 'Trust', 'Metadata', 'Last check'];
  return table(heads, rows, 'No repository has been asked for yet.');
}

function upstreamsTable(report: StatusReport, now: number): string {
  const rows = report.upstreams.map(
    (
      status,
    ) => `<tr><td><code>${escapeHtml(status.name)}</code></td><td>${breakerCell(status, now)}</td>
<td>${status.requestsInFlight} under way, ${status.requestsQueued} waiting</td></tr>`,
  );
  return table(['Server', 'Asked', 'Requests'], rows, 'None are configured.');
}

function limitsTable({ limits }: StatusReport): string {
  const rows = limits.map(
    (status) => `<tr><td><code>${escapeHtml(status.limit)}</code></td>
<td class="${nearness(status)}">${amount(status, status.taken)} of ${amount(status, status.most)}</td><td>${status.waiting} waiting</td>
<td${status.turnedAway > 0 ? ' class="soon"' : ''}>${status.turnedAway} turned away since the start</td></tr>`,
  );
  return table(['Limit', 'In use', 'Waiting', 'Turned away'], rows, 'None.');
}

function workersPart({ workers }: StatusReport): string {
  if (workers === undefined) return '';
  const rows = workers.map(({ pid, isReady, upSeconds }) => {
    const state = isReady ? '<span class="good">yes</span>' : '<span class="soon">starting</span>';
    return `<tr><td><code>${pid}</code></td><td>${state}</td><td>${roughDuration(upSeconds * 1000)}</td></tr>`;
  });
  const none = 'None is there at the moment.';
  return `<h2>Workers</h2>\n${table(['Process', 'Serves', 'Up for'], rows, none)}\n`;
}

function amount({ limit }: LimitStatus, count: number): string {
  return limit === 'buffered_bytes' ? `${(count / MIB).toFixed(1)} MiB` : String(count);
}

function nearness({ taken, most }: LimitStatus): string {
  if (taken >= most) return 'bad';
  return taken >= most * NEAR ? 'soon' : '';
}

function breakerCell({ breaker, triedAgainAt }: UpstreamStatus, now: number): string {
  if (breaker === 'closed') return '<span class="good">yes</span>';
  if (triedAgainAt === undefined) return '<span class="soon">one request tries</span>';
  return `<span class="bad">not for now: it failed, and is tried again ${timeLeft(triedAgainAt, now)}</span>`;
}

function trustCell(status: RepositoryStatus): string {
  if (status.trust === undefined) {
    return status.rule === undefined ? '–' : '<span class="soon">not verified</span>';
  }
  const firstUse = status.admission === 'first-use' ? ' <span class="soon">first use</span>' : '';
  return `${escapeHtml(status.trust)}${firstUse}<br><code class="dim">${escapeHtml(status.rule ?? '')}</code>`;
}

function rolesCell(roles: readonly RoleStatus[], now: number): string {
  const rows = roles.map(
    ({ role, version, expiresAt }) =>
      `<li>${escapeHtml(role)} ${version}, <span class="${urgency(expiresAt, now)}">expires ${timeLeft(expiresAt, now)}</span></li>`,
  );
  return `<ul>${rows.join('')}</ul>`;
}

function checkedCell(status: RepositoryStatus, now: number): string {
  const checked = status.checkedAt === undefined ? 'never' : timeLeft(status.checkedAt, now);
  const failed =
    status.lastError === undefined
      ? ''
      : `<br><span class="bad">${escapeHtml(status.lastError)}</span>`;
  return `${checked}${failed}`;
}

function bypassesTable(report: StatusReport): string {
  const rows = report.suspectedBypasses.map(
    (bypass) => `<tr><td>${escapeHtml(new Date(bypass.at).toISOString())}</td>
<td><code>${escapeHtml(bypass.client)}</code><br><span class="dim">at listener ${escapeHtml(bypass.listener)}</span></td>
<td><code>${escapeHtml(`${bypass.repository}:${bypass.refusedTag}`)}</code><br>
<span class="dim">refused: <code>${escapeHtml(bypass.reason)}</code></span></td>
<td><code>${escapeHtml(bypass.digest)}</code></td></tr>`,
  );
  const heads = ['Time', 'Client', 'Refused tag', 'Digest asked for afterwards'];
  return table(heads, rows, 'None since the start.');
}

/** Only where there are collections: most sites have none. */
function collectionsPart({ collections = [] }: StatusReport, now: number): string {
  if (collections.length === 0) return '';
  const rows = collections.map(
    (
      status,
    ) => `<tr><td><code>${escapeHtml(status.collection)}</code><br><code class="dim">${escapeHtml(status.folder)}</code></td>
<td>${renewalCell(status, now)}</td><td>${rolesCell(status.roles, now)}</td><td>${placesCell(status, now)}</td></tr>`,
  );
  const heads = ['Collection', 'Renewal', 'Metadata', 'Published'];
  return `<h2>Own collections</h2>\n${table(heads, rows, '')}\n`;
}

function renewalCell({ renewalDueAt, lastError }: CollectionStatus, now: number): string {
  if (lastError !== undefined) return `<span class="bad">${escapeHtml(lastError)}</span>`;
  return renewalDueAt === undefined ? 'not read yet' : `next ${timeLeft(renewalDueAt, now)}`;
}

function placesCell({ places }: CollectionStatus, now: number): string {
  const rows = places.map(({ place, publishedAt, lastError }) => {
    const seen = publishedAt === undefined ? 'not yet' : timeLeft(publishedAt, now);
    const failed =
      lastError === undefined ? '' : `<br><span class="bad">${escapeHtml(lastError)}</span>`;
    return `<li><code>${escapeHtml(place)}</code> ${seen}${failed}</li>`;
  });
  return rows.length === 0 ? 'nowhere' : `<ul>${rows.join('')}</ul>`;
}

function refusalsTable(report: StatusReport): string {
  const rows = report.repositories
    .flatMap((status) => status.lastRefusals)
    .toSorted((a, b) => b.at - a.at)
    .map(
      (refusal) => `<tr><td>${escapeHtml(new Date(refusal.at).toISOString())}</td>
<td><code>${escapeHtml(refusal.reason)}</code></td><td>${escapeHtml(refusal.message)}<br>
<span class="dim">decision <code>${escapeHtml(refusal.decision)}</code></span></td></tr>`,
    );
  return table(['Time', 'Reason', 'What the engine was told'], rows, 'None.');
}

function table(heads: readonly string[], rows: readonly string[], ifNone: string): string {
  if (rows.length === 0) return `<p class="dim">${ifNone}</p>`;
  const more =
    rows.length > MAX_ROWS
      ? `<p class="dim">… and ${rows.length - MAX_ROWS} more in the JSON.</p>`
      : '';
  const head = heads.map((each) => `<th>${each}</th>`).join('');
  return `<table><thead><tr>${head}</tr></thead><tbody>${rows.slice(0, MAX_ROWS).join('\n')}</tbody></table>${more}`;
}

function urgency(at: string, now: number): string {
  const left = Date.parse(at) - now;
  if (!(left > 0)) return 'bad';
  return left < 3 * DAY_MS ? 'soon' : '';
}

/** Nothing from outside reaches the page but through this. */
function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
