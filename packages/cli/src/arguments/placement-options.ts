import { PlacementError, parsePlacement } from "@opencomputer/sdk";
import { type Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { CliError } from "../cli-context.ts";

export const placementsSchema = z.object({
  substituteIn: z.array(z.string()).optional(),
  clearSubstituteIn: z.boolean().default(false),
});

/**
 * Collects the placements of a repeatable option, separated by commas. A body
 * field with a comma in its name can therefore not be given on the command line.
 */
export function collectPlacements(text: string, earlier: string[] | undefined): string[] {
  const placements = text.split(",");
  try {
    for (const placement of placements) parsePlacement(placement);
  } catch (error) {
    if (error instanceof PlacementError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
  return [...(earlier ?? []), ...placements];
}

/** Adds the option that sets the placements of a store. */
export function addPlacementsOption(command: Command): Command {
  return command.option(
    "--substitute-in <placements>",
    "placements of the secrets that have none of their own: header, header:NAME, body, body:FIELD, query or path (comma-separated, repeatable)",
    collectPlacements,
  );
}

/** Adds the options that change the placements of a store. */
export function addPlacementsOptions(command: Command): Command {
  return addPlacementsOption(command).option(
    "--clear-substitute-in",
    "return to the operator's default placements",
  );
}

/** The placements that the options set; undefined leaves them unchanged. */
export function chosenPlacements(options: z.output<typeof placementsSchema>): string[] | undefined {
  if (!options.clearSubstituteIn) return options.substituteIn;
  if (options.substituteIn !== undefined) {
    throw new CliError(
      "invalid_usage",
      "Expected --substitute-in or --clear-substitute-in, not both",
    );
  }
  return [];
}

/** Placements as text; an empty list replaces no token. */
export function formatPlacements(placements: readonly string[]): string {
  return placements.length === 0 ? "nowhere" : placements.join(", ");
}
