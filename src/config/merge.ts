/** Several configurations as one. */
import type { Configuration } from "./load.ts";

/** In the order of `parts`; settings of later ones go before. */
export function merged(parts: readonly Configuration[]): Configuration {
  const [first, ...rest] = parts;
  if (first !== undefined && rest.length === 0) return first;
  return {
    rules: parts.flatMap(({ rules }) => rules),
    gates: parts.flatMap(({ gates }) => gates),
    files: parts.flatMap(({ files }) => files),
    settings: Object.assign({}, ...parts.map(({ settings }) => settings)),
    warnings: parts.flatMap(({ warnings }) => warnings),
    dependsOn: parts.flatMap(({ dependsOn }) => dependsOn),
    leftOut: parts.flatMap(({ leftOut = [] }) => leftOut),
  };
}
