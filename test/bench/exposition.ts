/** The metrics of one moment, by series: `name{label="value"}`. */
export type Exposition = ReadonlyMap<string, number>;

/** Reads Prometheus' text format. */
export function parseExposition(text: string): Exposition {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line): [string, number] => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

/** The sum of all series of a metric, or of those that have a label. */
export function sumOf(exposition: Exposition, metric: string, label = ''): number {
  let sum = 0;
  for (const [series, value] of exposition) {
    const isOfMetric = series === metric || series.startsWith(`${metric}{`);
    if (isOfMetric && series.includes(label)) sum += value;
  }
  return sum;
}

/** Asks an admin listener for its metrics. @throws {Error} when it does not answer with them */
export async function readMetrics(adminUrl: string): Promise<Exposition> {
  const response = await fetch(`${adminUrl}/metrics`, { signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${adminUrl}/metrics: ${response.status}`);
  return parseExposition(text);
}
