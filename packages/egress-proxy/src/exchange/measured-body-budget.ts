/** What all bodies that are collected at the same time may hold together. */
export interface MeasuredBodyBudget {
  /** Takes this many octets if they are left. Whoever takes gives back. */
  tryTake(octets: number): boolean;
  give(octets: number): void;
}

export function createMeasuredBodyBudget(octetsTotalMax: number): MeasuredBodyBudget {
  let taken = 0;
  return {
    tryTake(octets) {
      if (taken + octets > octetsTotalMax) return false;
      taken += octets;
      return true;
    },
    give(octets) {
      taken -= octets;
    },
  };
}
