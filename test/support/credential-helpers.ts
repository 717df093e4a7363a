import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * A folder of stand-in programs `docker-credential-*`, written in the shell, to be put on a `PATH`. Each notes its arguments,
 * its question and its environment, so that a test can see how and how often it was run.
 */
export class CredentialHelpers {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The environment in which they are found. */
  get environment(): Readonly<Record<string, string>> {
    return { PATH: `${this.#folder}:/usr/bin:/bin` };
  }

  /** Writes a program that does `commands` after having noted its question, which is in `$server`. */
  async write(name: string, commands: string): Promise<void> {
    const file = join(this.#folder, `docker-credential-${name}`);
    await mkdir(dirname(file), { recursive: true });
    const note = `printf '%s %s %s\\n' "$#" "$1" "$server" >> "$0.runs"\nenv > "$0.env"`;
    await writeFile(file, `#!/bin/sh\nserver="$(cat)"\n${note}\n${commands}\n`);
    await chmod(file, 0o755);
  }

  /** As the helper of Amazon ECR does: a token for the user `AWS`, for hosts of ECR only. */
  async writeEcr(secret: string): Promise<void> {
    await this.write('ecr-login', prints('AWS', secret));
  }

  /** As the helper of Google's registries does: an access token for one user of theirs. */
  async writeGcr(secret: string): Promise<void> {
    await this.write('gcr', prints('_dcgcr_2_0_0_token', secret));
  }

  /** As the helper of Azure's registries does: an identity token. */
  async writeAcr(secret: string): Promise<void> {
    await this.write('acr-env', prints('<token>', secret));
  }

  /** How it was run, a line each: number of arguments, the first of them, the server asked for. */
  async runs(name: string): Promise<readonly string[]> {
    return await this.#note(name, 'runs');
  }

  /** The process ids that it wrote to `$0.child`. */
  async children(name: string): Promise<readonly number[]> {
    return (await this.#note(name, 'child')).map(Number);
  }

  /** The variables it was given when it ran last. */
  async variables(name: string): Promise<ReadonlySet<string>> {
    const lines = await this.#note(name, 'env');
    const names = new Set(lines.map((line) => line.split('=', 1)[0] ?? ''));
    // Node gives it to every child while coverage is measured.
    names.delete('NODE_V8_COVERAGE');
    return names;
  }

  async #note(name: string, kind: 'runs' | 'env' | 'child'): Promise<readonly string[]> {
    try {
      const text = await readFile(join(this.#folder, `docker-credential-${name}.${kind}`), 'utf8');
      return text.split('\n').filter((line) => line !== '');
    } catch {
      return []; // It never ran.
    }
  }
}

function prints(username: string, secret: string): string {
  const login = JSON.stringify({ ServerURL: 'SERVER', Username: username, Secret: secret });
  return `printf '%s' '${login}' | sed "s|SERVER|$server|"`;
}
