/** A stored manifest, by the snapshot that has it. */
export interface ManifestSize {
  id: string;
  bytes: number;
}

/** Manifests that are read in one query have at most this together, unless one alone has more. */
const partBytesMax = 4 * 1024 * 1024;

/** Parts of a list whose manifests are read together, in its order. */
export function manifestParts(sizes: readonly ManifestSize[]): ManifestSize[][] {
  const parts: ManifestSize[][] = [];
  let bytes = 0;
  for (const size of sizes) {
    const part = parts.at(-1);
    if (part === undefined || bytes + size.bytes > partBytesMax) {
      parts.push([size]);
      bytes = size.bytes;
    } else {
      part.push(size);
      bytes += size.bytes;
    }
  }
  return parts;
}

/** What the largest of the parts has. */
export function largestPartBytes(parts: readonly (readonly ManifestSize[])[]): number {
  return Math.max(0, ...parts.map((part) => part.reduce((sum, { bytes }) => sum + bytes, 0)));
}
