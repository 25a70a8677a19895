import { useEffect } from "react";

/** Names the page in the browser's tab and history, which is what a screen reader announces first. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} – OpenComputer`;
  }, [title]);
}
