import { LRUCache } from 'lru-cache';
import type { Pin } from '../metadata/collection.ts';
import type { ServedManifest } from '../resolve/pull-service.ts';
import type { AnswerCache } from '../resolve/verified-pulls.ts';

/** What an entry costs beside the manifest's bytes, roughly. */
const ENTRY_OVERHEAD_BYTES = 1024;

/** Answers ready to be sent, at most `maxBytes` of them; the least recently used go first. */
export function createAnswerCache(maxBytes: number): AnswerCache {
  return new LRUCache<Pin, ServedManifest>({
    maxSize: maxBytes,
    sizeCalculation: (answer) => answer.bytes.length + ENTRY_OVERHEAD_BYTES,
  });
}
