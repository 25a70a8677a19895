/** One message of a client: the content of a file that it writes, escaped in JSON, and the rest. */
export const messageBytesMax = 10 * 1024 * 1024;
