const BLOCK = /^<!-- measured: ([a-z-]+) -->\n(?:[\s\S]*?\n)?<!-- end of \1 -->$/gm;

/** A page with every block between markers replaced by what was measured; the markers stay. @throws {Error} for a block that nobody makes */
export function withBlocks(page: string, blocks: ReadonlyMap<string, string>): string {
  return page.replaceAll(BLOCK, (_, name: string) => {
    const block = blocks.get(name);
    if (block === undefined) throw new Error(`nothing is measured for the block "${name}"`);
    return `<!-- measured: ${name} -->\n\n${block.trim()}\n\n<!-- end of ${name} -->`;
  });
}

/** The names of the blocks of a page, in order. */
export function blocksIn(page: string): readonly string[] {
  return [...page.matchAll(BLOCK)].map(([, name = '']) => name);
}
