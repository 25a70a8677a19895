import { useDocumentVisibility } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { prependNewest } from "./prepend-newest.ts";
import { endSessionAfter } from "./query-client.ts";

/** Rows of a log that a page shows; older ones leave it. */
export const followedRowsMax = 200;
/** Rows that come within this time are shown together. */
const collectMilliseconds = 200;
const retryMilliseconds = 5_000;

/** A log that can be read from its end, and followed. */
export interface FollowedLog<Row> {
  /** The newest rows, the newest of them first; `cursor` is where to follow from if there are none. */
  newest(limit: number, signal: AbortSignal): Promise<{ rows: readonly Row[]; cursor: string }>;
  /** The rows after a cursor, as they come, until the signal is aborted. */
  follow(cursor: string, signal: AbortSignal): AsyncIterable<Row>;
}

interface Followed<Row> {
  log: FollowedLog<Row>;
  rows: readonly Row[] | undefined;
  error: Error | null;
}

/**
 * The newest rows of a log, as they come; undefined until they were read. `log` is
 * memoized by the caller: another one is read anew. A page in the background does not
 * follow, because a browser has only six HTTP/1.1 connections to a service for all of its pages.
 */
export function useFollowed<Row extends { cursor: string }>(
  log: FollowedLog<Row>,
): Pick<Followed<Row>, "rows" | "error"> {
  const queryClient = useQueryClient();
  const isVisible = useDocumentVisibility() === "visible";
  const [followed, setFollowed] = useState<Followed<Row>>({ log, rows: undefined, error: null });
  useEffect(() => {
    if (!isVisible) return undefined;
    const stop = new AbortController();
    let retry: ReturnType<typeof setTimeout> | undefined;
    const read = async () => {
      const { rows, cursor } = await log.newest(followedRowsMax, stop.signal);
      if (!stop.signal.aborted) setFollowed({ log, rows, error: null });
      let collected: Row[] = [];
      const show = () => {
        if (stop.signal.aborted) return;
        const added = collected;
        collected = [];
        setFollowed((before) => ({
          ...before,
          rows: prependNewest(before.rows ?? [], added, followedRowsMax),
        }));
      };
      for await (const row of log.follow(rows[0]?.cursor ?? cursor, stop.signal)) {
        if (collected.length === 0) setTimeout(show, collectMilliseconds);
        collected.push(row);
      }
    };
    const readAgain = () =>
      read().catch((error: unknown) => {
        if (stop.signal.aborted) return;
        endSessionAfter(queryClient, error);
        const shown = error instanceof Error ? error : new Error(String(error));
        setFollowed((before) => ({
          log,
          rows: before.log === log ? before.rows : undefined,
          error: shown,
        }));
        retry = setTimeout(readAgain, retryMilliseconds);
      });
    readAgain();
    return () => {
      stop.abort();
      clearTimeout(retry);
    };
  }, [log, isVisible, queryClient]);
  return followed.log === log ? followed : { rows: undefined, error: null };
}
