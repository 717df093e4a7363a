import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse, stringify } from 'yaml';
import { runCommandLine } from '../../../src/cli/program.ts';
import { buildImage, buildIndex, signedContentOf } from '../../support/images.ts';
import { NotaryRepository } from '../../support/notary-repository.ts';
import { NotaryServer } from '../../support/notary-server.ts';
import { Registry } from '../../support/registry.ts';
import { readTop } from './references.ts';
import { blocksOf, Comparison, wordsOf } from './transcript.ts';

const PAGE = 'docs/from-content-trust.md';
const GUN = 'registry.example.com/team/app';
/** Where the page says that everything happens. */
const PLACE = '/srv/trust';

describe(PAGE, () => {
  const comparison = new Comparison();
  const registry = new Registry();
  const notary = new NotaryServer();
  const publisher = new NotaryRepository({ gun: GUN, now: new Date() });
  const home = process.cwd();
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pinnace-page-'));
    await mkdir(join(folder, 'data'));
    await Promise.all([registry.start(), notary.start()]);
    pushImages();
    const corp = { match: 'registry.example.com/**', trust: 'corp' };
    await writeConfig({ trust: {}, policy: [corp] });
    // The page's commands name files as a person does who works there.
    process.chdir(folder);
  });

  after(async () => {
    process.chdir(home);
    await Promise.all([registry.stop(), notary.stop()]);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it('is one page', () => {
    assert.ok(readTop(PAGE).split('\n').length <= 160);
  });

  it('is linked from README.md, with some of its commands', () => {
    const text = readTop('README.md');
    assert.ok(text.includes(`](${PAGE})`));
    const commands = commandsOf(text).filter((line) => line.startsWith('pinnace collection '));
    assert.ok(commands.length > 0);
    const shown = new Set(commandsOf(readTop(PAGE)));
    assert.deepEqual(
      commands.filter((line) => !shown.has(line)),
      [],
    );
  });

  for (const block of blocksOf(readTop(PAGE))) {
    if (block.kind === 'yaml') {
      it('shows a configuration that goes with what is there', async () => {
        await writeConfig(parse(block.text.replaceAll(PLACE, folder)));
      });
      continue;
    }
    for (const { line, output } of block.commands) {
      it(`shows what this prints: ${line}`, async () => {
        const [program, ...words] = wordsOf(line);
        assert.equal(program, 'pinnace');
        const printed = await typed(words);
        const difference = comparison.difference(output, printed);
        assert.equal(difference, undefined, `${difference}\n\nin all:\n${printed}`);
      });
    }
  }

  function pushImages(): void {
    for (const tag of ['1.0', '2.0']) {
      const image = buildImage({ message: tag, architecture: 'amd64' });
      registry.push('team/app', image, tag);
      publisher.sign(tag, signedContentOf(image));
    }
    notary.serve(GUN, publisher.publish());
    const architectures = ['amd64', 'arm64'] as const;
    const images = architectures.map((architecture) => buildImage({ architecture }));
    registry.push('library/alpine', buildIndex(images), '3.20', 'edge');
  }

  async function writeConfig(page: { readonly trust: object; readonly policy: unknown }) {
    const { trust, policy } = page;
    const anchors = [{ gun: 'registry.example.com/**', rootKeys: [...publisher.rootKeyIds] }];
    const document = {
      data: join(folder, 'data'),
      listeners: { registry: { address: '127.0.0.1:5000' } },
      upstreams: {
        'registry.example.com': { url: registry.url },
        'docker.io': { url: registry.url },
      },
      trust: { corp: { kind: 'notary', url: notary.url, anchors }, ...trust },
      policy,
    };
    await writeFile(join(folder, 'pinnace.yaml'), stringify(document));
  }
});

function commandsOf(markdown: string): readonly string[] {
  return blocksOf(markdown).flatMap((block) =>
    block.kind === 'commands' ? block.commands.map(({ line }) => line) : [],
  );
}

/** What somebody sees who types this command, agrees, and has a passphrase. */
async function typed(words: readonly string[]): Promise<string> {
  let seen = '';
  const sink = { write: (text: string) => (seen += text) };
  await runCommandLine(words, {
    stdout: sink,
    stderr: sink,
    env: {},
    terminal: {
      isInteractive: true,
      ask(question) {
        seen += `${question}yes\n`;
        return Promise.resolve('yes');
      },
      askSecret(question) {
        seen += `${question}\n`;
        return Promise.resolve('a good passphrase');
      },
    },
  });
  return seen;
}
