import type { Scenario } from './scenario.ts';
import { coldBlob, coldTag } from './scenarios/cold.ts';
import { crowd } from './scenarios/crowd.ts';
import { manyBlobs, manyConnections } from './scenarios/growth-load.ts';
import { manyRepositories, manyTags } from './scenarios/growth-trust.ts';
import { manyRequests } from './scenarios/many-requests.ts';
import { memory } from './scenarios/memory.ts';
import { overload } from './scenarios/overload.ts';
import { recheck } from './scenarios/recheck.ts';
import { warmBlob } from './scenarios/warm-blob.ts';
import { warmTag, warmTagLogged } from './scenarios/warm-tag.ts';
import { wholeImage } from './scenarios/whole-image.ts';
import { workers } from './scenarios/workers.ts';

/** Every scenario, in the order of the report. */
export const SCENARIOS: readonly Scenario[] = [
  warmTag,
  warmTagLogged,
  recheck,
  coldTag,
  warmBlob,
  coldBlob,
  wholeImage,
  crowd,
  overload,
  workers,
  manyTags,
  manyRepositories,
  manyConnections,
  manyBlobs,
  memory,
  manyRequests,
];
