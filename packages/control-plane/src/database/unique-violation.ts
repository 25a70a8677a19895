/** PostgreSQL, appendix A: `unique_violation`. */
const uniqueViolation = "23505";

/** Whether a statement failed because a row of that name exists, in either driver. */
export function isUniqueViolation(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ("code" in current && current.code === uniqueViolation) return true;
  }
  return false;
}
