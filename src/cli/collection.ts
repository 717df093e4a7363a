import { type Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../base/clock.ts';
import { parseDuration, UnitError } from '../base/units.ts';
import {
  type ApproveOptions,
  approveImages,
  type PromoteOptions,
  promoteImage,
  revokeImage,
} from './collection-approve.ts';
import {
  type InitOptions,
  initCollection,
  type KeygenOptions,
  makeKey,
} from './collection-init.ts';
import type { CollectionIo, CollectionOptions, CommandLineIo } from './collection-io.ts';
import {
  publishCollection,
  type ReachOptions,
  type RenewOptions,
  renewCollection,
} from './collection-publish.ts';
import {
  type DiffOptions,
  diffCollection,
  type ListOptions,
  listCollection,
} from './collection-show.ts';
import {
  type AddSignerOptions,
  addTeam,
  discardChange,
  extendRole,
  type RotateKeyOptions,
  removeTeam,
  rotateKey,
  signPending,
} from './collection-signers.ts';
import { terminalOf } from './collection-terminal.ts';

type Finish = (exitCode: number) => void;

const PLACES = 'a folder, https://… (files written with PUT) or oci://registry/repository:tag';
const ENDING = `
Exit codes: 0 done; 1 refused, nothing was changed; 2 signed, but waiting for further signatures or for the online keys;
64 the command line is wrong. Passphrases come from the terminal, --passphrase-file, or the variable PINNACE_PASSPHRASE.`;

/** Adds the commands by which a site runs a collection of its own. */
export function addCollectionCommands(program: Command, io: CommandLineIo, finish: Finish): void {
  const collectionIo: CollectionIo = {
    terminal: terminalOf(process.stdin, io),
    ...io,
    clock: systemClock,
  };
  const group = program
    .command('collection')
    .description("run the site's own signed collection of approved images (TUF 1.0)");
  addBeginning(group, collectionIo, finish);
  addApproving(group, collectionIo, finish);
  addSigners(group, collectionIo, finish);
  addPublishing(group, collectionIo, finish);
}

function addBeginning(group: Command, io: CollectionIo, finish: Finish): void {
  common(group.command('init').description('make a collection with its keys'))
    .addOption(
      count(
        '--root-keys <n>',
        'how many root keys are made here (default: 1, or none with --root-pub)',
      ),
    )
    .addOption(count('--root-threshold <n>', 'how many of them must sign', 1))
    .addOption(
      count(
        '--targets-keys <n>',
        'how many keys that approve images are made here (default: 1, or none with --targets-pub)',
      ),
    )
    .addOption(count('--targets-threshold <n>', 'how many of them must sign', 1))
    .addOption(each('--root-pub <file>', "a holder's public key for root, made with keygen"))
    .addOption(each('--targets-pub <file>', "a holder's public key for targets"))
    .addOption(
      each('--snapshot-pub <file>', 'a public key for snapshot, of the machine that renews'),
    )
    .addOption(each('--timestamp-pub <file>', 'a public key for timestamp, of that machine'))
    .option(
      '--offline-keys <dir>',
      'where the key files of root and targets go (default: DIR/keys)',
    )
    .option('--encrypt-online', 'give the keys of snapshot and timestamp a passphrase too')
    .option(
      '--target <template>',
      'how targets are named (default: "{registry}/{repository}:{tag}")',
    )
    .addOption(duration('--root-lifetime <time>', 'how long a root is good for (default: 365d)'))
    .addOption(duration('--targets-lifetime <time>', 'how long approvals stand (default: 365d)'))
    .addOption(duration('--snapshot-lifetime <time>', 'default: 7d'))
    .addOption(duration('--timestamp-lifetime <time>', 'default: 1d'))
    .action(async (options: InitOptions) => finish(await initCollection({ options, io })));
  group
    .command('keygen')
    .description('make a key for a holder or a team, and FILE.pub to be handed over')
    .argument('<file>', 'the key file to make')
    .requiredOption('--role <role>', 'what it is for, for example targets or team-a')
    .option('--plain', 'without a passphrase, as online keys are kept')
    .option('--passphrase-file <file>', 'the first line is the passphrase')
    .option('--passphrase-env <name>', 'the variable that holds the passphrase')
    .addHelpText('after', ENDING)
    .action(async (file: string, options: Omit<KeygenOptions, 'dir'>) =>
      finish(await makeKey(file, { options: { ...options, dir: '' }, io })),
    );
}

function addApproving(group: Command, io: CollectionIo, finish: Finish): void {
  signing(group.command('approve').description('approve images as they are at their upstreams now'))
    .argument('[image...]', 'for example docker.io/library/alpine:3.20')
    .option('--as <tag>', 'approve it under this tag')
    .option('--role <name>', 'who signs it (default: the team it was handed to, else targets)')
    .addOption(
      new Option('--expires <time>', 'end the approval after this time, or "never"').argParser(
        (text: string) => (text === 'never' ? text : parseTime(text)),
      ),
    )
    .option('--file <file>', 'approve a list: an image per line, and a tag behind it if it differs')
    .option('--from-notary <gun>', 'take over the tags that a Notary v1 collection has signed')
    .option('-c, --config <file>', 'configuration with upstreams, credentials and trust sources')
    .option('--keep-going', 'sign the others when some images cannot be looked at')
    .action(async (images: readonly string[], options: ApproveOptions) =>
      finish(await approveImages(images, { options, io })),
    );
  signing(group.command('promote').description('approve an approved image under one more tag'))
    .argument('<image>', 'the approved image with its tag')
    .requiredOption('--as <tag>', 'the other tag')
    .action(async (image: string, options: PromoteOptions) =>
      finish(await promoteImage(image, { options, io })),
    );
  signing(group.command('revoke').description('take an approval back'))
    .argument('<image>', 'the approved image with its tag')
    .action(async (image: string, options: CollectionOptions) =>
      finish(await revokeImage(image, { options, io })),
    );
  common(group.command('list').description('list roles, keys and approved images'))
    .option('--json', 'print one JSON document')
    .action(async (options: ListOptions) => finish(await listCollection({ options, io })));
  reaching(
    common(group.command('diff').description('say what waits, or what publishing would change')),
  )
    .option('--against <place>', `what is published: ${PLACES}`)
    .action(async (options: DiffOptions) => finish(await diffCollection({ options, io })));
}

function addSigners(group: Command, io: CollectionIo, finish: Finish): void {
  signing(group.command('add-signer').description('let a team sign a part of the images'))
    .argument('<name>', 'the team')
    .addOption(
      each(
        '--prefix <prefix>',
        'registry/team/ for all below, registry/team/app for one',
      ).makeOptionMandatory(),
    )
    .addOption(each('--pub <file>', "a public key of the team's").makeOptionMandatory())
    .addOption(count('--threshold <n>', 'how many of its keys must sign', 1))
    .action(async (name: string, options: AddSignerOptions) =>
      finish(await addTeam(name, { options, io })),
    );
  signing(group.command('remove-signer').description("take a team's right to sign back"))
    .argument('<name>', 'the team')
    .action(async (name: string, options: CollectionOptions) =>
      finish(await removeTeam(name, { options, io })),
    );
  signing(group.command('rotate-key').description('give a role other keys (default: all new ones)'))
    .argument('<role>', 'root, targets, snapshot, timestamp or a team')
    .addOption(each('--add <file>', 'a public key to add'))
    .addOption(each('--remove <id>', 'the beginning of the ID of a key to remove'))
    .addOption(count('--threshold <n>', 'how many keys must sign from now on'))
    .option('--new-keys <dir>', 'where new key files go (default: DIR/keys)')
    .action(async (role: string, options: RotateKeyOptions) =>
      finish(await rotateKey(role, { options, io })),
    );
  signing(group.command('extend').description('sign the same content of a role for longer'))
    .argument('<role>', 'root, targets or a team')
    .action(async (role: string, options: CollectionOptions) =>
      finish(await extendRole(role, { options, io })),
    );
  signing(group.command('sign').description('add your signature to a change that waits')).action(
    async (options: CollectionOptions) => finish(await signPending({ options, io })),
  );
  common(group.command('discard').description('forget a change that waits for signatures'))
    .option('-y, --yes', 'do not ask')
    .action(async (options: CollectionOptions) => finish(await discardChange({ options, io })));
}

function addPublishing(group: Command, io: CollectionIo, finish: Finish): void {
  reaching(
    keys(
      common(
        group.command('renew').description('renew timestamp and snapshot with the online keys'),
      ),
    ),
  )
    .addOption(each('--publish <place>', `publish afterwards to ${PLACES}`))
    .action(async (options: RenewOptions) => finish(await renewCollection({ options, io })));
  reaching(common(group.command('publish').description('put the metadata where clients read it')))
    .argument('<place>', PLACES)
    .action(async (place: string, options: ReachOptions) =>
      finish(await publishCollection(place, { options, io })),
    );
}

function common(command: Command): Command {
  return command
    .requiredOption('-d, --dir <dir>', "the collection's folder")
    .option('--passphrase-file <file>', 'the first line is the passphrase')
    .option('--passphrase-env <name>', 'the variable that holds the passphrase')
    .addHelpText('after', ENDING);
}

function signing(command: Command): Command {
  return keys(common(command)).option('-y, --yes', 'sign without asking');
}

function keys(command: Command): Command {
  return command.addOption(
    each('-k, --key <path>', 'a key file or a folder of them (default: DIR/keys)'),
  );
}

function reaching(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration whose upstreams serve for oci:// places')
    .option('--user <name>', 'who to log in as')
    .option('--password-file <file>', 'the first line is the password')
    .option('--ca <file>', 'certificate authorities in PEM, beside those of the system');
}

function count(flags: string, text: string, otherwise?: number): Option {
  const option = new Option(flags, text).argParser((given: string) => {
    if (!/^[1-9][0-9]?$/.test(given)) throw new InvalidArgumentError('write a number from 1 to 99');
    return Number(given);
  });
  return otherwise === undefined ? option : option.default(otherwise);
}

/** An option that may be given several times. Not a list in one option: that would swallow the arguments behind it. */
function each(flags: string, text: string): Option {
  return new Option(flags, `${text}; may be repeated`).argParser(
    (given: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), given],
  );
}

function duration(flags: string, text: string): Option {
  return new Option(flags, text).argParser(parseTime);
}

function parseTime(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof UnitError) throw new InvalidArgumentError(`it ${error.message}`);
    throw error;
  }
}
