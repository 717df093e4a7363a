import { flipBit } from '../test/support/http-faults.ts';
import { buildImage, signedContentOf } from '../test/support/images.ts';
import { NotaryRepository } from '../test/support/notary-repository.ts';
import { short } from './report.ts';
import type { Scenario } from './scenario.ts';
import { DEMO_TAG, type Stage } from './stage.ts';

/** The first act, in order: tags that publishers have signed, and a Notary v1 server. */
export const ACT_ONE: readonly Scenario<Stage>[] = [
  {
    path: 'signed',
    asked: 'a signed tag',
    expected: undefined,
    async play(stage, actor) {
      actor.say('The publisher pushes an image and signs its tag.');
      stage.release();
      return await actor.pull();
    },
  },
  {
    path: 'moved',
    asked: 'a tag moved at the registry after signing',
    expected: undefined,
    async play(stage, actor) {
      stage.release();
      const other = buildImage({ message: 'Not what was signed.' });
      actor.say('Somebody with write access moves the signed tag to another image.');
      stage.servers.registry.push(stage.path, other, DEMO_TAG);
      actor.say(`The registry now says ${short(other.manifest.digest)};`);
      actor.say(`signed is ${short(stage.image.manifest.digest)}.`);
      return await actor.pull();
    },
  },
  {
    path: 'unsigned',
    asked: 'an unsigned tag',
    expected: 'tag_not_signed',
    async play(stage, actor) {
      actor.say('The repository is signed, but this tag was only pushed.');
      stage.servers.registry.push(stage.path, stage.image, DEMO_TAG);
      stage.publisher.sign('0.9', signedContentOf(stage.image));
      stage.serve(stage.publisher.publish());
      return await actor.pull();
    },
  },
  {
    path: 'altered-manifest',
    asked: 'tampered manifest bytes',
    expected: 'digest_mismatch',
    async play(stage, actor) {
      stage.release();
      const { manifest } = stage.image;
      actor.say('The registry sends altered bytes for the signed manifest.');
      const bytes = Buffer.from(manifest.bytes.toString().replace('"size": ', '"size":  '));
      stage.servers.registry.putManifest(stage.path, { ...manifest, bytes });
      return await actor.pull();
    },
  },
  {
    path: 'altered-layer',
    asked: 'a tampered layer',
    expected: 'digest_mismatch',
    async play(stage, actor) {
      stage.release();
      actor.say('The manifest is genuine; one bit of its layer is not.');
      for (const layer of stage.image.layers) {
        const bytes = flipBit(layer.bytes, -12);
        stage.servers.registry.putBlob(stage.path, { ...layer, bytes });
      }
      return await actor.pull();
    },
  },
  {
    path: 'expired',
    asked: 'an expired timestamp',
    expected: 'timestamp_expired',
    async play(stage, actor) {
      actor.say('The trust server goes on serving a timestamp that ran out yesterday.');
      stage.release();
      const expires = new Date(Date.now() - 86_400_000).toISOString();
      const expired = { signed: (signed: object) => ({ ...signed, expires }) };
      stage.serve(stage.publisher.publish(new Map([['timestamp', expired]])));
      return await actor.pull();
    },
  },
  {
    path: 'rolled-back',
    asked: 'a rolled-back timestamp',
    expected: 'rollback',
    async play(stage, actor) {
      const lastWeek = stage.release();
      const today = stage.serve(stage.publisher.publish());
      actor.say('First the newest state is served.');
      const first = await actor.pull();
      if (first.verdict !== 'pinned') return first;
      actor.say('Then the trust server is made to serve an older, properly signed timestamp.');
      const timestamp = lastWeek.get('timestamp.json') ?? Buffer.alloc(0);
      stage.serve(new Map([...today, ['timestamp.json', timestamp]]));
      return await actor.pull();
    },
  },
  {
    path: 'mixed',
    asked: 'a snapshot that does not match its timestamp',
    expected: 'checksum_mismatch',
    async play(stage, actor) {
      actor.say('Another snapshot is served under the name that the timestamp gives.');
      stage.release();
      const older = stage.publisher.bytes('snapshot');
      const swapped = { served: () => older };
      stage.serve(stage.publisher.publish(new Map([['snapshot', swapped]])));
      return await actor.pull();
    },
  },
  {
    path: 'stranger',
    asked: 'a wrong root key',
    expected: 'pin_mismatch',
    async play(stage, actor) {
      actor.say('Everything is signed properly, but by a stranger, not by the pinned root key.');
      stage.servers.registry.push(stage.path, stage.image, DEMO_TAG);
      const stranger = new NotaryRepository({ gun: stage.gun, now: new Date() });
      stranger.sign(DEMO_TAG, signedContentOf(stage.image));
      stage.serve(stranger.publish());
      return await actor.pull();
    },
  },
];
