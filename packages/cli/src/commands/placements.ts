import { PlacementError, parsePlacement } from "@opencomputer/sdk";
import { type Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { CliError } from "../cli-error.ts";

export const placementsSchema = z.object({
  substituteIn: z.array(z.string()).optional(),
  clearSubstituteIn: z.boolean().default(false),
});

/**
 * Each use of the flag adds one placement or several with commas between
 * them. So the one placement that cannot be written here is a body field with
 * a comma in its name.
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

/** The flag that sets the placements of a store. */
export function addPlacementsOption(command: Command): Command {
  return command.option(
    "--substitute-in <placements>",
    "placements of secrets that name none: header, header:NAME, body, body:FIELD, query or path (comma-separated, repeatable)",
    collectPlacements,
  );
}

/** The flags that change the placements of a store. */
export function addPlacementsOptions(command: Command): Command {
  return addPlacementsOption(command).option(
    "--clear-substitute-in",
    "apply the operator's default placements again",
  );
}

/** The placements that the flags stand for; undefined keeps those of the store. */
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

/** Placements as people read them; none substitute nothing. */
export function formatPlacements(placements: readonly string[]): string {
  return placements.length === 0 ? "nowhere" : placements.join(", ");
}
