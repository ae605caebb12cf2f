/** Where running facrons have their sockets, each under its pid: there `facron status` finds them. */
import { readdirSync } from "node:fs";
import { variable } from "../environment.ts";

const ofTheSystem = "/run/facron";
const ofUsers = "/run/user";

/** @returns the directory of ours; null: nobody has said where it is to be */
export function runtimeDirectory(configured: string | undefined): string | null {
  return fromSystemd() ?? configured ?? (isRoot() ? ofTheSystem : ofSession());
}

/** Where facrons may be that we may ask, or may not: each once. */
export function runtimeDirectories(configured: string | undefined): string[] {
  const users = isRoot() ? namesIn(ofUsers).map((uid) => `${ofUsers}/${uid}/facron`) : [];
  const all = [fromSystemd(), configured, ofTheSystem, ofSession(), ...users];
  return [...new Set(all.filter((one) => one !== null && one !== undefined))];
}

/** Absolute paths of sockets, also of dead ones. */
export function socketsIn(directory: string): string[] {
  const names = namesIn(directory).filter((name) => /^\d+\.sock$/.test(name));
  return names.sort((a, b) => parseInt(a) - parseInt(b)).map((name) => `${directory}/${name}`);
}

export function socketOf(pid: number, directory: string): string {
  return `${directory}/${pid}.sock`;
}

/** RuntimeDirectory= of a unit (systemd.exec(5)); of several the first is for us. */
function fromSystemd(): string | null {
  return variable("RUNTIME_DIRECTORY")?.split(":")[0] ?? null;
}

function ofSession(): string | null {
  const directory = variable("XDG_RUNTIME_DIR");
  return directory === null ? null : `${directory}/facron`;
}

function isRoot(): boolean {
  return process.geteuid!() === 0;
}

/** None where there is nothing, or nothing for us. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
