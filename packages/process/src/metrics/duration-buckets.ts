/**
 * Upper bounds in seconds: from the response of a row of the database to a save
 * of the memory of a large machine.
 */
export const durationBuckets = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120];
