/** How much of one source file the tests took. */
export interface FileCoverage {
  readonly path: string;
  readonly branches: number;
  readonly branchesTaken: number;
  /** Lines on which a branch starts that no test took, in order, each once. */
  readonly missedLines: readonly number[];
}

/** Reads coverage in lcov's format: one record for each file, ended by `end_of_record`. */
export function parseLcov(text: string): readonly FileCoverage[] {
  return text
    .split('end_of_record')
    .map((record) => record.trim().split('\n'))
    .filter((lines) => lines.length > 1)
    .map(parseRecord);
}

function parseRecord(lines: readonly string[]): FileCoverage {
  const missed = new Set<number>();
  let path = '';
  let branches = 0;
  let branchesTaken = 0;
  for (const line of lines) {
    if (line.startsWith('SF:')) path = line.slice(3);
    if (!line.startsWith('BRDA:')) continue;
    const [at = '', , , times = ''] = line.slice(5).split(',');
    branches++;
    if (times !== '0' && times !== '-') branchesTaken++;
    else missed.add(Number(at));
  }
  const missedLines = [...missed].sort((one, other) => one - other);
  return { path, branches, branchesTaken, missedLines };
}
