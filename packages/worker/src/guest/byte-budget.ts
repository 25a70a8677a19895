/** Octets that several readers may hold together. */
export interface ByteBudget {
  /** Takes so many; false, and takes nothing, when there are not so many left. */
  take(byteCount: number): boolean;
  giveBack(byteCount: number): void;
}

export function createByteBudget(bytesMax: number): ByteBudget {
  let taken = 0;
  return {
    take(byteCount) {
      if (taken + byteCount > bytesMax) return false;
      taken += byteCount;
      return true;
    },
    giveBack(byteCount) {
      taken -= byteCount;
    },
  };
}
