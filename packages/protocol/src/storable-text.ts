/** Text that a database can store: no NUL, and no half of a surrogate pair. */
export const storableTextPattern = /^[^\0\p{Surrogate}]*$/u;
