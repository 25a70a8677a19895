import { Button, type ButtonProps } from "@mantine/core";
import { type ReactNode, useState } from "react";

/** A button that opens a dialog, which exists only while it is open: its fields are empty each time. */
export function DialogButton({
  children,
  dialog,
  "aria-label": label,
  ...button
}: {
  children: ReactNode;
  dialog: (close: () => void) => ReactNode;
  "aria-label"?: string;
} & ButtonProps) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button
        size="compact-sm"
        variant="default"
        {...button}
        {...(label === undefined ? {} : { "aria-label": label })}
        aria-haspopup="dialog"
        onClick={() => setOpen(true)}
      >
        {children}
      </Button>
      {isOpen ? dialog(() => setOpen(false)) : null}
    </>
  );
}
