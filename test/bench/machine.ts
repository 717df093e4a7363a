import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { coresLine } from './cores.ts';

/** Clock ticks a second in `/proc/PID/stat`; Linux has 100 on every architecture that Node runs on. */
const TICKS = 100;

/** Seconds of processor time that a process and its children that run now have used. */
export function cpuSecondsOf(pid: number): number {
  return familyOf(pid).reduce((sum, each) => sum + ownCpuSeconds(each), 0);
}

/** Bytes of memory that a process and its children hold now. */
export function residentBytesOf(pid: number): number {
  return familyOf(pid).reduce((sum, each) => sum + statusBytes(each, 'VmRSS'), 0);
}

/** What a process and its children have open now, as the system names it: a path, `socket:[number]`. */
export function openFilesOf(pid: number): readonly string[] {
  return familyOf(pid).flatMap((each) => linksIn(`/proc/${each}/fd`));
}

/** One line about the machine, for the report. */
export function machineLine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const memory = Math.round(totalmem() / 1024 ** 3);
  const machine = `${cpus().length} cores of ${model}, ${memory} GiB, Node ${process.versions.node}`;
  return `${machine}; ${coresLine()}`;
}

function familyOf(pid: number): readonly number[] {
  const children = textOf(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean);
  return [pid, ...children.flatMap((child) => familyOf(Number(child)))];
}

function ownCpuSeconds(pid: number): number {
  // The name in brackets may hold spaces; the numbers begin behind it.
  const words = textOf(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  return (Number(words[11] ?? 0) + Number(words[12] ?? 0)) / TICKS;
}

function statusBytes(pid: number, field: string): number {
  const line = textOf(`/proc/${pid}/status`)
    .split('\n')
    .find((each) => each.startsWith(field));
  return Number(line?.replace(/\D/g, '') ?? 0) * 1024;
}

/** Where the links of a folder of `/proc` lead; none once its process is over. */
function linksIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).flatMap((name) => linkAt(join(folder, name)));
  } catch {
    return [];
  }
}

/** Files are closed while the list is read. */
function linkAt(file: string): readonly string[] {
  try {
    return [readlinkSync(file)];
  } catch {
    return [];
  }
}

/** The text of a file of `/proc`; nothing once its process is over. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
