import { type CSSVariablesResolver, createTheme } from "@mantine/core";

/** Shade of the colors behind white text, and of text on a tint: WCAG 2.2 asks for 4.5:1. */
const shade = 9;

export const theme = createTheme({
  primaryColor: "blue",
  primaryShade: shade,
  defaultRadius: "sm",
  respectReducedMotion: true,
  fontFamily: "system-ui, sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace",
  components: {
    Modal: {
      defaultProps: {
        transitionProps: { duration: 0 },
        // The dialog's header is not the page's banner.
        attributes: { header: { role: "presentation" } },
      },
    },
    Menu: { defaultProps: { transitionProps: { duration: 0 } } },
  },
});

/** The components' own grays and red have less contrast than text needs. */
export const colorVariables: CSSVariablesResolver = ({ colors }) => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": colors.gray[7],
    "--mantine-color-placeholder": colors.gray[7],
    "--mantine-color-error": colors.red[9],
  },
  dark: {
    "--mantine-color-dimmed": colors.dark[1],
    "--mantine-color-placeholder": colors.dark[2],
    "--mantine-color-error": colors.red[4],
  },
});
