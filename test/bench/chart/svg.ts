/** Attributes of an element; what is undefined is left away. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** The colours of series, told apart by those who see few colours too, and on light and dark ground. */
export const PALETTE: readonly string[] = ['#0072b2', '#d55e00', '#009e73', '#a67bb0', '#8a6d00'];

const STYLE = `text{font-family:system-ui,sans-serif;font-size:12px;fill:#24292f}
.title{font-size:14px;font-weight:600}.small{font-size:11px}.faint{fill:#6e7781}
.grid{stroke:#8c959f;stroke-opacity:.3}.axis{stroke:#6e7781}.even{stroke:#6e7781;stroke-dasharray:4 3}
.end{text-anchor:end}.middle{text-anchor:middle}.good{fill:#1a7f37}.bad{fill:#cf222e}
.budget{stroke:#cf222e;stroke-width:2}.ground{fill:#ffffff}
@media(prefers-color-scheme:dark){text{fill:#d0d7de}.faint{fill:#8b949e}.ground{fill:#0d1117}
.good{fill:#3fb950}.bad{fill:#ff7b72}.budget{stroke:#ff7b72}}`;

/** A whole picture of some pixels, light or dark as the reader's screen is. */
export function picture(
  size: { readonly width: number; readonly height: number; readonly title: string },
  parts: readonly string[],
): string {
  const { width, height, title } = size;
  const attributes = {
    xmlns: 'http://www.w3.org/2000/svg',
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: 'img',
    'aria-label': title,
  };
  const inside = [
    element('title', {}, escaped(title)),
    element('style', {}, STYLE),
    element('rect', { class: 'ground', width, height }),
    ...parts,
  ];
  return `${element('svg', attributes, `\n${inside.join('\n')}\n`)}\n`;
}

/** One element; `inside` is markup. */
export function element(name: string, attributes: Attributes, inside = ''): string {
  const words = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${escaped(drawn(value))}"`],
  );
  const start = `<${name}${words.join('')}`;
  return inside === '' ? `${start}/>` : `${start}>${inside}</${name}>`;
}

/** Words at a place. */
export function words(text: string, x: number, y: number, look = ''): string {
  return element('text', { x, y, class: look === '' ? undefined : look }, escaped(text));
}

/** A line between two places. */
export function line(
  from: { readonly x: number; readonly y: number },
  to: { readonly x: number; readonly y: number },
  look: Attributes,
): string {
  return element('line', { x1: from.x, y1: from.y, x2: to.x, y2: to.y, ...look });
}

/** A path through places, broken where one is not known. */
export function path(
  places: readonly ({ readonly x: number; readonly y: number } | undefined)[],
  look: Attributes,
): string {
  let isBroken = true;
  const steps = places.map((place) => {
    if (place === undefined) {
      isBroken = true;
      return '';
    }
    const step = `${isBroken ? 'M' : 'L'}${drawn(place.x)} ${drawn(place.y)}`;
    isBroken = false;
    return step;
  });
  return element('path', { d: steps.join(''), fill: 'none', ...look });
}

function drawn(value: string | number): string {
  return typeof value === 'number' ? String(Math.round(value * 10) / 10) : value;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
