import type { Look } from '../samples.ts';
import { Callers } from './callers.ts';
import { SilentConnections } from './silent.ts';
import { TIGHT_LIMITS, type Trouble } from './trouble.ts';

/** How long the slowest of a hundred refused requests waits. */
export const REFUSAL_P99 = 'refusal after, p99';

/** What is said of a registry that was given up. */
const GIVEN_UP = ['upstream_unreachable'];
const SLOW_CLIENTS = 200;
const SURPLUS_CALLERS = 100;

/** Connections that begin a request and leave it at that: three quarters of all that there may be. */
const halfOpen: Trouble = {
  label: 'half-open connections',
  async begin({ pinnace }) {
    const count = (TIGHT_LIMITS.connections * 3) / 4;
    const silent = await SilentConnections.open(pinnace.url, count, 'GET /v2/ HTTP/1.1\r\nHost:');
    return { stop: () => Promise.resolve(ended(silent)) };
  },
};

/** All places for connections taken by silent ones, and clients that want in again and again. */
const surplus: Trouble = {
  label: 'more connections than places',
  async begin({ pinnace, world, loadConnections }) {
    const left = TIGHT_LIMITS.connections - loadConnections;
    const silent = await SilentConnections.open(pinnace.url, left);
    const callers = new Callers({
      urls: Array.from({ length: SURPLUS_CALLERS }, () => pinnace.url + world.warmTag),
      digest: world.warm.manifest.digest,
      reconnects: true,
    });
    return {
      async stop() {
        const look = await refusalsOf(callers);
        return { ...look, ...ended(silent) };
      },
    };
  },
};

/** Clients that ask for a large blob and take nothing of it. */
const slowClients: Trouble = {
  label: 'clients that take nothing',
  async begin({ pinnace, world }) {
    const words = `GET ${world.warmBlob} HTTP/1.1\r\nHost: slow\r\n\r\n`;
    const silent = await SilentConnections.open(pinnace.url, SLOW_CLIENTS, words);
    return { stop: () => Promise.resolve(ended(silent)) };
  },
};

/** A registry that begins to send blobs and leaves it at that, and clients that want one each. */
const haltingUpstream: Trouble = {
  label: 'blobs that never arrive',
  begin({ pinnace, world }) {
    const urls = world.haltingBlobs.map((path) => pinnace.url + path);
    const callers = new Callers({ urls, reasons: GIVEN_UP, reconnects: false });
    return Promise.resolve({ stop: async () => await refusalsOf(callers) });
  },
};

/** Twice as many pulls as there are places for requests, from a registry that does not answer. */
const fullPlaces: Trouble = {
  label: 'more requests than places',
  isTotal: true,
  begin({ pinnace, world }) {
    const urls = Array.from({ length: TIGHT_LIMITS.requests * 2 }, () => world.missingTag);
    const callers = new Callers({
      urls: urls.map((path) => pinnace.url + path),
      reasons: GIVEN_UP,
      reconnects: false,
    });
    return Promise.resolve({ stop: async () => await refusalsOf(callers) });
  },
};

/** Every kind, in the order of the report. */
export const TROUBLES: readonly Trouble[] = [
  halfOpen,
  surplus,
  slowClients,
  haltingUpstream,
  fullPlaces,
];

/** @throws {Error} when nobody was refused: then there was no trouble */
async function refusalsOf(callers: Callers): Promise<Look> {
  const refused = await callers.stop();
  const sorted = refused.toSorted((a, b) => a - b);
  const p99 = sorted[Math.floor(0.99 * (sorted.length - 1))];
  if (p99 === undefined) throw new Error('nobody was refused');
  return { [REFUSAL_P99]: p99 };
}

function ended(silent: SilentConnections): Look {
  silent.close();
  return {};
}
