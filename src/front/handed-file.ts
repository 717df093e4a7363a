import { isCallerName } from '../base/caller.ts';
import { membersOf, parseJson, textOf } from '../base/json-members.ts';
import { isDigest } from '../oci/digest.ts';
import { repositoryName } from '../oci/names.ts';
import type { HttpResponse } from '../server/http-response.ts';
import type { FileKeep, HandedContent } from '../server/peer.ts';
import { repositoryNamed } from './kept-mark.ts';

/** Where the core says which stored content is to follow the headers; never sent to clients. */
export const FILE = 'X-Pinnace-Front-File';

/** Ends an answer without its content, which the front that asked is to send. */
export function handOver(response: HttpResponse, content: HandedContent): void {
  response.setHeader(FILE, writeHanded(content));
  response.setHeader('Content-Length', 0);
  response.end();
}

/** Writes what is handed over as a header's value. */
export function writeHanded(content: HandedContent): string {
  const { file, range, requestId, repository, caller, keep } = content;
  const { digest, size, mtimeNs, ino } = file;
  const written = {
    ...{ digest, size: `${size}`, mtimeNs: `${mtimeNs}`, ino: `${ino}` },
    ...{ start: range.start, end: range.end, requestId, repository: repositoryName(repository) },
    ...(caller === undefined ? {} : { source: caller.source, name: caller.name }),
    ...(keep === undefined ? {} : { keep }),
  };
  return Buffer.from(JSON.stringify(written)).toString('base64url');
}

/** Reads what is handed over; undefined for anything that is not wholly that. */
export function readHanded(
  value: string | readonly string[] | undefined,
): HandedContent | undefined {
  if (typeof value !== 'string') return undefined;
  const members = membersOf(parseJson(Buffer.from(value, 'base64url').toString()));
  const digest = textOf(members.get('digest'));
  const [size, mtimeNs, ino] = ['size', 'mtimeNs', 'ino'].map((each) => wholeOf(members.get(each)));
  const { start, end } = { start: members.get('start'), end: members.get('end') };
  const repository = repositoryNamed(textOf(members.get('repository')));
  if (size === undefined || mtimeNs === undefined || ino === undefined) return undefined;
  if (typeof start !== 'number' || typeof end !== 'number') return undefined;
  if (!isDigest(digest) || repository === undefined || start < 0 || end > size) return undefined;
  const [source, name] = [textOf(members.get('source')), textOf(members.get('name'))];
  return {
    ...{ file: { digest, size, mtimeNs, ino }, range: { start, end }, repository },
    requestId: textOf(members.get('requestId')),
    caller: isCallerName(name) ? { source, name, groups: new Set<string>() } : undefined,
    keep: keepOf(members.get('keep')),
  };
}

/** Undefined for anything that is not wholly that. */
function keepOf(value: unknown): FileKeep | undefined {
  const members = membersOf(value);
  const [epoch, forMs, newest, resets] = ['epoch', 'forMs', 'newest', 'resets'].map((each) => {
    const member = members.get(each);
    return typeof member === 'number' && Number.isFinite(member) ? member : undefined;
  });
  if (epoch === undefined || forMs === undefined) return undefined;
  return newest === undefined || resets === undefined
    ? undefined
    : { epoch, forMs, newest, resets };
}

function wholeOf(value: unknown): bigint | undefined {
  return typeof value === 'string' && /^[0-9]{1,30}$/.test(value) ? BigInt(value) : undefined;
}
