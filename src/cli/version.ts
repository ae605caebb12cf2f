/** The version: of package.json, put in by the build. */

declare const FACRON_VERSION: string | undefined;

export const version = typeof FACRON_VERSION === "string" ? FACRON_VERSION : "development";
